"""The command `report`: the leaderboard, the pages and the figures, from the records."""

from pathlib import Path

import click

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
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file of the folder is not as it would be written.")
def report(output, beside, as_json, columns, sort, written_as, check, **described):
    """Write the leaderboard and the figures from the records; of a suite, of described runs, or of a whole folder."""
    request = request_of(**described)
    folder = Path(output or Path("reports") / request.name)
    refused = None if written_as or check else cannot_write(folder)
    if output and refused:
        raise refused
    if written_as and (output or as_json or beside):
        given = "--output" if output else "--json" if as_json else "--beside"
        raise UserError(f"--format {written_as} prints tables alone; leave out {given}")
    others = {name: request_of(suite=name, data_root=described["data_root"], scratch=described["scratch"]) for name in beside}
    from bench.commands import grid
    from bench.commands.report_pages import Reported, compared, recorded_of, write_pages
    from bench.records.store import ResultStore
    from reports.pages import latex, leaderboard
    from reports.tables.build import build
    from reports.tables.chosen import chosen

    store, planned = ResultStore(request.results), {}
    if request.specs:
        plan, store, frame = recorded_of(request)
        planned = {described["suite"]: plan.runs} if described["suite"] else {}
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
    units = size_units()
    tables = build(frame, *versions, units)
    printed = chosen(tables, grid.comma_list(columns, "--columns") if columns else (), sort)
    if written_as:
        click.echo(latex.text(printed) if written_as == "latex" else leaderboard.tidy_csv(printed), nl=False)
        return
    if not as_json and not check:
        leaderboard.print_table(printed, console())
    if refused:
        note(f"no page and no figure is written: {refused}")
        if as_json:
            say_json({"results": request.results, "tables": printed, "written": []})
        return
    reported = Reported(store, frame, tables, versions, units, planned, others)
    if check:
        compared(reported, folder)
        return
    written = write_pages(reported, folder)
    if as_json:
        say_json({"results": request.results, "tables": printed, "written": written})
        return
    click.echo(f"records {request.results}   written: " + "  ".join(str(path) for path in written))


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


def size_units() -> dict[str, str]:
    """Of data sets by name: what the size of their items is a number of, in short."""
    from bench.data import catalogue

    return {name: catalogue.entry(name).modality.short for name in catalogue.names()}


def elsewhere(results: Path) -> str:
    """Where records were looked for, and where there are some: in the folders of the checkout's results, or of another's."""
    from bench.records.paths import stores

    there = [str(folder) for folder in stores(results) or stores(results.parent) if folder != results]
    if there:
        return f"; there are records in {', '.join(there)} (--results)"
    if not away_from_checkout():
        return ""
    return f": looked in {results.absolute()}; records that are published lie in the project's checkout (--results CHECKOUT/{results})"
