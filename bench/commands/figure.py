"""The command `figure`: claims of papers, each with its runs, a verdict that was fixed before them, and a page.

run_bench.py figure list | plan NAME|all | run NAME|all | draw NAME|all
"""

from pathlib import Path

import click

from bench.commands.as_json import say_json
from bench.commands.completion import names_from, of_figures
from bench.commands.console import note, plan_of, request_of, say_problems
from bench.commands.options import JSON, PLACES, SLURM, WORKERS, Commands
from bench.commands.plan import plan as plan_runs
from bench.commands.plan import say
from bench.commands.run import run as run_runs
from bench.defaults import COMMAND

ALL = "all"
PAGES = Path("docs") / "figures"

NAME = click.argument("name", metavar="NAME", shell_complete=names_from(of_figures))
SCALE = click.option("--scale", metavar="NAME", help="Of the figure's scales: records, cpu, gpu, paper.  [default: cpu, or its first]")
OUTPUT = click.option("--output", metavar="DIR", help="Folder of the pages; the index lies beside it.  [default: docs/figures]")
FOLDER = click.option("--results", metavar="DIR", help="Folder of records, of scales that no suite has made.  [default: results/figures]")


@click.group(cls=Commands)
def figure():
    """Judge claims of papers: list them, plan and run what they need, draw their pages."""


@figure.command("list")
@SCALE
@click.option("--ready", is_flag=True, help="Only scales whose data sets are here.")
@FOLDER
@click.option("--data-root", metavar="DIR", help="Folder of data sets.  [default: $SSLBENCH_DATA, or data]")
@JSON
def list_figures(scale, ready, results, data_root, as_json):
    """List the figures: claim, scales with their costs, and the verdict where there are records."""
    from bench.commands.figure_pages import Reader
    from bench.commands.figure_scales import ready_here
    from bench.commands.figure_together import having
    from reports import papers

    figures = {name: papers.load(name) for name in papers.names() if scale is None or name in having(scale)}
    told, reader = [], Reader(results, say_problems)
    for name, one in figures.items():
        scales = [which for which in one.scales if scale in (None, which) and (not ready or ready_here(one, which, data_root))]
        if scales:
            at = {shown.scale: shown for shown in reader.look(name, one, scales)}
            told.append((name, one, at))
    reader.keep()
    if as_json:
        say_json([
            {"figure": name, "paper": one.paper, "place": one.place, "claim": one.claim, "scales": {
                which: {"cost": shown.chosen.cost, "verdict": shown.word, "why": shown.why, "runs": shown.count,
                        "asked_for": shown.total} for which, shown in at.items()}}
            for name, one, at in told
        ])  # fmt: skip
        return
    for name, one, at in told:
        click.echo(f"{click.style(name, bold=True)}  {one.paper}, {one.place}: {one.claim}")
        for which, shown in at.items():
            click.echo(f"  {which:<10} {shown.word:<16} {shown.chosen.cost}")


@figure.command("plan")
@NAME
@SCALE
@PLACES
@WORKERS
@click.pass_context
def plan(context, name, scale, **places):
    """Say what a figure claims, how it is judged, and what a run of it would do."""
    from bench.commands.figure_scales import scale_of
    from reports import papers

    if name == ALL:
        plan_all(scale, places)
        return
    one = papers.load(name)
    which = scale_of(name, one, scale)
    click.echo(f"figure {name}@{which}: {one.paper}, {one.place}")
    click.echo(f"claim  {one.claim}")
    for rule in one.rules:
        click.echo(f"rule   {rule.words()}")
    by = ", ".join(one.gated_by)
    click.echo(f"gate   {', '.join(one.learned)} above the better untrained encoder by {by}" if one.learned else "gate   none")
    click.echo(f"cost   {one.scales[which].cost}")
    context.invoke(plan_runs, suite=f"{name}@{which}", as_json=False, **places)


@figure.command("run")
@NAME
@SCALE
@OUTPUT
@PLACES
@WORKERS
@SLURM
@click.pass_context
def run(context, name, scale, output, **options):
    """Train and evaluate what a figure asks for, then draw its page. Whatever the verdict, exit code 0; 1 where a run failed."""
    from bench.commands.figure_scales import scale_of
    from reports import papers

    if name == ALL:
        titles, wanted = together(scale, options["data_root"])
    else:
        titles, wanted = [name], [f"{name}@{scale_of(name, papers.load(name), scale)}"]
    code = 0
    for suite in wanted:
        try:
            context.invoke(run_runs, suite=suite, **options)
        except SystemExit as ended:
            # The others, and what there is of this one, are still worth having.
            code = max(code, int(ended.code or 0))
    if options["launcher"] == "slurm":
        click.echo(f"then   {COMMAND} figure draw {name}")
    else:
        for title in titles:
            write(title, options["results"], output)
    if code:
        raise SystemExit(code)


def together(scale: str | None, data_root: str | None) -> tuple[list[str], list[str]]:
    """(figures, suites of all their runs), of those that have the scale; says which they are."""
    from bench.commands.figure_scales import FIRST_CHOICE
    from bench.commands.figure_together import having, suites_of
    from bench.commands.request import data_folder
    from bench.data.catalogue import DataSets
    from reports import papers

    which = scale or FIRST_CHOICE
    titles = having(which)
    click.echo(f"all    {len(titles)} figures at {which}: {', '.join(titles)}")
    if lacking := [title for title in papers.names() if title not in titles]:
        click.echo(f"not    {', '.join(lacking)}: no scale {which}")
    return titles, list(suites_of(which, DataSets(data_folder(data_root))))


def plan_all(scale: str | None, places: dict) -> None:
    """What a run of all figures would do, a run that several ask for counted once."""
    from bench.plan.estimate import in_words

    _, wanted = together(scale, places["data_root"])
    described = {key: value for key, value in places.items() if key not in ("workers", "checkpoint_every", "compiled")}
    runs, todo, seconds = 0, 0, 0.0
    for suite in wanted:
        request = request_of(suite=suite, **described)
        made, store = plan_of(request)
        click.echo(f"suite  {suite}")
        seconds += say(made, store, request, places["workers"])
        runs, todo = runs + len(made.runs), todo + len(made.todo)
    click.echo(f"total  {runs} runs, {todo} to do: about {in_words(seconds)} of training here; evaluation on top")


@figure.command("draw")
@NAME
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a page is not as it would be drawn.")
@FOLDER
@OUTPUT
def draw(name, check, results, output):
    """Draw a figure's page, SVG, PNG, CSV and JSON from the records alone; of all figures the index too."""
    if name != ALL:
        write(name, results, output, check)
        return
    from bench.commands.figure_pages import Reader

    reader = Reader(results, say_problems)
    made = reader.draw_all()
    reader.keep()
    finish(made, Path(output or PAGES), check)


def write(name: str, results, output, check: bool = False) -> None:
    """One figure's page, with its verdicts on the terminal."""
    from bench.commands.figure_pages import Reader

    reader = Reader(results, say_problems)
    shown, made = reader.draw(name)
    reader.keep()
    for at in shown:
        click.echo(f"{at.scale:<10} {at.word}: {at.why}")
    finish(made, Path(output or PAGES), check)


def finish(made: dict[str, bytes], folder: Path, check: bool) -> None:
    """Write the files, or say which are not as they would be written: then exit code 1."""
    from bench.commands.figure_pages import differing, replace

    if not check:
        click.echo(f"written: {len(replace(made, folder))} of {len(made)} files in {folder} changed")
        return
    stale = differing(made, folder)
    for path in stale:
        click.echo(f"error: {path} is not as it would be drawn", err=True)
    if stale:
        note(f"`{COMMAND} figure draw all` draws them again")
        raise SystemExit(1)
    click.echo(f"as drawn: {len(made)} files in {folder}")
