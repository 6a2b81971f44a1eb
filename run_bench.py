#!/usr/bin/env python3
"""The command line of the SSL benchmark: parse, call bench, print.

    run_bench.py demo                                              everything, end to end, in minutes
    run_bench.py run --method simclr,byol --dataset mnist5k --budget 20000images
    run_bench.py report                                            the leaderboard, from the records

Nothing heavy is imported before every name has been checked.
"""

import sys
import warnings
from pathlib import Path

import click

from bench import sweep_commands
from bench.choices import DEFAULT_DATASET
from bench.console import console, describe, plan_of, request_of, say_estimate, say_problems
from bench.errors import UserError, unknown
from bench.options import DATA_ROOT, PLACES, RECIPE, RUNS, SETTINGS, WORKERS, Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli():
    """Compare self-supervised methods for images under one budget and one protocol."""


@cli.command()
@PLACES
@WORKERS
@click.option("--output", metavar="DIR", help="Folder of the leaderboard and figures.  [default: reports/demo]")
@click.pass_context
def demo(context, output, **places):
    """Train and evaluate the demo suite, and print its leaderboard."""
    context.invoke(sweep_commands.run, suite="demo", **places)
    click.echo()
    places = {name: places[name] for name in ("threads", "processes", "results", "data_root", "scratch")}
    context.invoke(report, suite="demo", output=output, **places)


@cli.command("list")
@click.argument("what", required=False)
def list_names(what):
    """List methods, datasets, encoders, evals, suites or recipes."""
    import methods
    from bench import datasets, encoders, evals, recipes, suites

    tables = {
        "methods": lambda: [(name, methods.summary(name)) for name in methods.names()],
        "datasets": lambda: [(name, datasets.ENTRIES[name].summary) for name in datasets.names()],
        "encoders": lambda: [(name, f"{encoders.require(name).summary}\n{encoders.in_numbers(name)}") for name in encoders.names()],
        "evals": lambda: [(name, evals.summary(name)) for name in evals.names()],
        "suites": lambda: [(name, suites.summary(name)) for name in suites.names()],
        "recipes": lambda: [(name, recipes.summary(name)) for name in recipes.published()],
    }
    if what is not None and what not in tables:
        raise unknown("list", what, tables)
    for title in [what] if what else tables:
        rows = tables[title]()
        width = max(len(name) for name, _ in rows)
        click.echo(click.style(title, bold=True))
        for name, summary in rows:
            click.echo(f"  {name:<{width}}  " + summary.replace("\n", "\n" + " " * (width + 4)))


@cli.command()
@RUNS
@WORKERS
def plan(launcher, workers, checkpoint_every, compiled, **described):
    """Say what a run would do: checked runs, what the store has, time needed."""
    request = request_of(launcher=launcher, **described).require_runs()
    plan, store = plan_of(request)
    click.echo(f"plan   {describe(plan, request)}")
    todo = {run.id for run in plan.todo}
    for run in plan.runs:
        state = "to do   " if run.id in todo else "in store"
        settings = " ".join(f"{key}={value}" for key, value in run.hyper_parameters.items())
        click.echo(f"  {state}  {run.id}  {run.name:<24} {settings}")
    say_estimate(plan, store, request, workers)


for command in (sweep_commands.run, sweep_commands.status, sweep_commands.cancel, sweep_commands.retry, sweep_commands.logs):
    cli.add_command(command)


@cli.command()
@RUNS
@click.option("--output", metavar="DIR", help="Folder of the leaderboard and figures.  [default: reports/SUITE]")
def report(output, **described):
    """Write the leaderboard and the figures from the records; of a suite, of described runs, or of a whole folder."""
    request = request_of(**described)
    import methods
    from bench import datasets
    from bench.store import ResultStore
    from reports.pages import differences, leaderboard, published
    from reports.plots import cost, families
    from reports.tables.build import build

    store = ResultStore(request.results)
    if request.specs:
        plan, store = request.plan(look=True)
        frame = store.frame()
        frame = frame[frame["id"].isin([run.id for run in plan.runs])].reset_index(drop=True)
        recorded = set(frame["id"])
        absent = sum(run.id not in recorded for run in plan.runs)
        if absent:
            click.echo(f"note: {absent} of {len(plan.runs)} runs have no record yet", err=True)
    else:
        if not request.results.is_dir():
            raise UserError(f"the results folder '{request.results}' (--results) is not there")
        frame = store.frame()
    say_problems(store)
    if frame.empty:
        raise UserError(f"there is nothing to report: {request.results} holds no record of it")
    folder = Path(output or Path("reports") / request.name)
    tables = build(frame)
    leaderboard.print_table(tables, console())
    written = leaderboard.write(tables, folder) + differences.write(tables, folder) + cost.write(tables, folder)
    written += families.write(tables, folder, {name: methods.family(name) for name in methods.names()})
    written += published.write(tables, folder, frame, {name: entry.sizes for name, entry in datasets.ENTRIES.items()})
    click.echo(f"records {request.results}   written: " + "  ".join(str(path) for path in written))


@cli.command()
@click.argument("method")
@click.option("--encoder", metavar="NAME", help="Encoder to check with.  [default: one that the method can use]")
def check(method, encoder):
    """Check a method of yours (a path), or one of ours, against the contract."""
    import methods
    from bench import encoders

    methods.require(method)
    if encoder:
        encoders.require(encoder)
    from bench.conformance import check_method

    failed = 0
    for outcome in check_method(method, **({"encoder": encoder} if encoder else {})):
        failed += not outcome.passed
        click.echo(f"{'ok  ' if outcome.passed else 'FAIL'}  {outcome.name}" + (f"\n      {outcome.reason}" if not outcome.passed else ""))
    click.echo(f"{method}: " + ("keeps the contract" if not failed else f"{failed} check{'s' * (failed > 1)} failed"))
    if failed:
        raise SystemExit(1)


@cli.command()
@click.argument("method")
@click.option("--dataset", default=DEFAULT_DATASET, show_default=True, metavar="NAME")
@click.option("--image-size", type=click.IntRange(8), metavar="PX")
@click.option("--encoder", metavar="NAME")
@RECIPE
@SETTINGS
@DATA_ROOT
@click.option("--output", metavar="FILE.png", help="[default: reports/views/METHOD-DATASET.png]")
def views(method, dataset, image_size, encoder, recipe, settings, data_root, output):
    """Write a contact sheet of what a method really sees."""
    from bench import recipes
    from bench.request import data_folder, parse_settings
    from bench.spec import Budget, RunSpec, method_name

    root = data_folder(data_root)
    hyper_parameters, recipe_changes = parse_settings(settings)
    spec = RunSpec(method=method, dataset=dataset, budget=Budget("steps", 1), image_size=image_size, encoder=encoder)
    from bench.plan import check_names, complete

    check_names(spec, (), root)
    own, _ = recipes.changes(method, recipe)  # its batches, which may be larger than the data set, are not seen
    spec = complete(spec.replace(hyper_parameters=own | hyper_parameters, recipe_changes=recipe_changes), root)
    from bench.contact_sheet import write_contact_sheet

    label = f"{method_name(method)}-{method_name(dataset.removeprefix('folder:'))}"
    path = Path(output or f"reports/views/{label}.png")
    columns = write_contact_sheet(spec, path, root)
    click.echo(f"{path}: {' | '.join(columns)}")


@cli.command()
@DATA_ROOT
def doctor(data_root):
    """Say what this machine offers: versions, GPU, FAISS, SLURM, data sets."""
    from bench.doctor import examine
    from bench.request import data_folder

    rows = examine(data_folder(data_root))
    for what, well, detail in rows:
        click.echo(f"{'ok  ' if well else 'BAD '} {what:<14} {detail}")
    if not all(well for _, well, _ in rows):
        raise SystemExit(1)


@cli.group(cls=Commands)
def data():
    """Data sets: list them, get one, check one, pack one."""


@data.command("list")
@DATA_ROOT
def list_data(data_root):
    """The known data sets: images, classes, pixels, licence, and whether the files are here."""
    from bench.data_report import table
    from bench.request import data_folder

    for line in table(data_folder(data_root)):
        click.echo(line)


@data.command("check")
@click.argument("name")
@DATA_ROOT
def check_data(name, data_root):
    """Read all of a data set: counts, digests, files that cannot be decoded."""
    from bench.data_report import check as lines
    from bench.request import data_folder

    for line in lines(name, data_folder(data_root)):
        click.echo(line)


@data.command("get")
@click.argument("name")
@DATA_ROOT
def get_data(name, data_root):
    """Download a data set. Nothing else ever downloads."""
    from bench import datasets
    from bench.request import data_folder

    click.echo(datasets.get(name, data_folder(data_root)))


@data.command("pack")
@click.argument("name")
@click.option("--image-size", type=int, metavar="PX", help="Pixels a side.  [default: the data set's]")
@DATA_ROOT
@click.option("--rebuild", is_flag=True, help="Make what is damaged or was decoded otherwise anew.")
def pack_data(name, image_size, data_root, rebuild):
    """Decode a set's image files once, for runs to read from disk."""
    from rich.progress import Progress

    from bench.packing import pack
    from bench.request import data_folder

    with Progress(console=console()) as progress:
        bar = progress.add_task(name, visible=False)
        show = lambda done, total: progress.update(bar, completed=done, total=total, visible=True)  # noqa: E731
        made = pack(name, image_size, data_folder(data_root), rebuild, show)
    count, shards = sum(made.facts["parts"].values()), len(made.digests)
    click.echo(f"{count:,} images at {made.facts['image_size']} pixels in {shards} shard{'s' * (shards > 1)}: {made.folder}")


def show_warning(message, category, filename, *rest) -> None:
    """One of ours as a line for the user; a library's with the place that it comes from."""
    ours = category is UserWarning and Path(filename).is_relative_to(Path(__file__).parent / "bench")
    click.echo(f"note: {message}" if ours else warnings.formatwarning(message, category, filename, rest[0]).rstrip(), err=True)


def main() -> None:
    """Run a command; a mistake in what was typed is one line on standard error and exit code 2."""
    warnings.showwarning = show_warning
    try:
        cli(sys.argv[1:] or ["--help"], standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(2)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: checkpoints are written; the same command goes on from there", err=True)
        sys.exit(130)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
