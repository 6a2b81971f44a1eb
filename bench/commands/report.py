"""The command `report`: the leaderboard, the pages and the figures, from the records."""

from pathlib import Path

import click

from bench.commands import grid
from bench.commands.as_json import say_json
from bench.commands.console import console, note, request_of, say_problems
from bench.commands.options import JSON, RUNS
from bench.defaults import away_from_checkout
from bench.errors import UserError


@click.command()
@RUNS
@JSON
@click.option("--output", metavar="DIR", help="Folder of the leaderboard and figures.  [default: reports/SUITE]")
@click.option("--beside", multiple=True, metavar="SUITE", help="Its tables stand in overview.md too. Repeatable.")
@click.option("--columns", metavar="A,B", help="Of what is printed these columns alone, by header or as leaderboard.csv names them.")
@click.option("--sort", metavar="COLUMN", help="Print rows by this column, the better or the cheaper first.")
@click.option("--format", "written_as", type=click.Choice(["latex", "csv"]), help="Print that in place of a table, and write nothing.")
def report(output, beside, as_json, columns, sort, written_as, **described):
    """Write the leaderboard and the figures from the records; of a suite, of described runs, or of a whole folder."""
    request = request_of(**described)
    folder = Path(output or Path("reports") / request.name)
    refused = None if written_as else cannot_write(folder)
    if output and refused:
        raise refused
    if written_as and (output or as_json or beside):
        given = "--output" if output else "--json" if as_json else "--beside"
        raise UserError(f"--format {written_as} prints tables alone; leave out {given}")
    others = [request_of(suite=name, data_root=described["data_root"], scratch=described["scratch"]) for name in beside]
    import methods
    from bench.data import catalogue
    from bench.records.store import ResultStore
    from reports.pages import agreement, budgets, differences, latex, leaderboard, met, overview, published
    from reports.plots import budget_curves, cost, families, profiles, years
    from reports.tables.budgets import courses
    from reports.tables.build import build
    from reports.tables.chosen import chosen

    store = ResultStore(request.results)
    planned: list = []
    if request.specs:
        plan, store, frame = recorded_of(request)
        planned.append((described["suite"], plan.runs))
        recorded = set(frame["id"])
        absent = sum(run.id not in recorded for run in plan.runs)
        if absent:
            click.echo(f"note: {absent} of {len(plan.runs)} runs have no record yet", err=True)
    else:
        if not request.results.is_dir():
            raise UserError(f"the results folder '{request.results}' (--results) is not there{elsewhere(request.results)}")
        frame = store.frame()
    say_problems(store)
    if frame.empty:
        raise UserError(f"there is nothing to report: {request.results} holds no record of it{elsewhere(request.results)}")
    versions = newest_versions()
    tables = build(frame, *versions)
    printed = chosen(tables, grid.comma_list(columns, "--columns") if columns else (), sort)
    if written_as:
        click.echo(latex.text(printed) if written_as == "latex" else leaderboard.tidy_csv(printed), nl=False)
        return
    if not as_json:
        leaderboard.print_table(printed, console())
    if refused:
        note(f"no page and no figure is written: {refused}")
        if as_json:
            say_json({"results": request.results, "tables": printed, "written": []})
        return
    written = leaderboard.write(tables, folder) + differences.write(tables, folder) + agreement.write(tables, folder)
    written += cost.write(tables, folder) + profiles.write(tables, folder)
    family = {name: methods.family(name) for name in methods.names()}
    year_of = {name: year for name in family if (year := methods.year(name))}
    written += families.write(tables, folder, family) + years.write(tables, folder, year_of, family)
    side = list(tables)
    for name, other in zip(beside, others, strict=True):
        more, _, found = recorded_of(other)
        planned.append((name, more.runs))
        side += [] if found.empty else build(found, *versions)
    settings, searches = searched(planned)
    written += overview.write(side, folder, overview.Facts(family, year_of, settings, searches))
    along = courses(tables)
    written += budgets.write(along, folder) + budget_curves.write(along, folder)
    sizes = {name: catalogue.entry(name).sizes for name in catalogue.names()}
    written += published.write(tables, folder, frame, sizes, versions) + met.write(tables, folder, frame, sizes, versions)
    if as_json:
        say_json({"results": request.results, "tables": printed, "written": written})
        return
    click.echo(f"records {request.results}   written: " + "  ".join(str(path) for path in written))


def recorded_of(request):
    """(plan, store, the frame of the plan's runs) of a request that describes runs."""
    import pandas

    plan, store = request.plan(look=True)
    frame = store.frame()
    mine = pandas.DataFrame(frame[frame["id"].isin([run.id for run in plan.runs])])
    return plan, store, mine.reset_index(drop=True)


def searched(planned: list[tuple[str | None, tuple]]) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """(a run's id -> its setting in words, (method, encoder) -> FLOPs of the search), of the methods of suites that `tune` has searched.
    planned: a suite's name, or None, and its complete runs."""
    from bench.suites._tuned import read
    from reports.pages.overview import DEFAULT, SAME, TUNED

    settings, searches = {}, {}
    for suite, runs in planned:
        chosen = read(suite) if suite and "@" not in suite else {}
        for run in runs:
            if found := chosen.get((run.method, run.encoder)):
                word = (TUNED if any(found.settings.values()) else SAME) if found.is_at(run) else DEFAULT
                settings[run.id], searches[run.method, run.encoder] = word, found.search_flops
    return settings, searches


def cannot_write(folder: Path) -> UserError | None:
    """Why pages could not be written there, known before the table is made; None where they can."""
    from bench.commands.request import require_writable

    try:
        require_writable("--output", folder)
    except UserError as error:
        return error
    return None


def newest_versions() -> tuple[dict[str, int], dict[str, int]]:
    """Of methods and of encoders, by name, as the code has them now: no table shows older ones."""
    import methods
    from bench.encoders import table

    encoders = {name: entry.version for name, entry in table.entries().items()}
    return {name: methods.declared_version(name) for name in methods.names()}, encoders


def elsewhere(results: Path) -> str:
    """Where records were looked for, and where there are some: in the folders of the checkout's results, or of another's."""
    from bench.records.paths import stores

    there = [str(folder) for folder in stores(results) or stores(results.parent) if folder != results]
    if there:
        return f"; there are records in {', '.join(there)} (--results)"
    if not away_from_checkout():
        return ""
    return f": looked in {results.absolute()}; records that are published lie in the project's checkout (--results CHECKOUT/{results})"
