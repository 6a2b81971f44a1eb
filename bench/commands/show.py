"""The command `show`: one run whole, from its records and from what it wrote: spec, curve, costs, results, the end of its logs."""

import re
from pathlib import Path

import click

from bench.commands.as_json import say_json
from bench.commands.console import note, say_problems
from bench.commands.options import DATA_ROOT, JSON
from bench.commands.status import tail
from bench.defaults import COMMAND, scratch_root
from bench.errors import UserError

LINES = 15
"""Of each log."""

BARS = "▁▂▃▄▅▆▇█"
"""Heights of a curve's points."""

WIDTH = 60
"""Points of a curve that are drawn."""


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--results", metavar="DIR", help="Folder of records.  [default: results, and the folders of records in it]")
@click.option("--scratch", metavar="DIR", help="Folder of checkpoints and logs.  [default: $SSLBENCH_SCRATCH, or .scratch]")
@click.option("--plots", is_flag=True, help="Draw it: nearest neighbours, confusions of its linear probe, a map of its test features.")
@click.option("--output", metavar="DIR", help="Folder of --plots.  [default: reports/METHOD-SEED-RUN]")
@DATA_ROOT
@JSON
def show(run_id, results, scratch, plots, output, data_root, as_json):
    """Print one run whole: spec, loss, costs, results, logs. RUN: its id, or the beginning of it."""
    from bench.launch.logs import logs_of, runs_from, the_run
    from bench.records.paths import FILE_NAME, listing, stores
    from bench.records.record import RUN_RECORD
    from bench.records.store import ResultStore
    from bench.run.heartbeat import read_heartbeat

    if results is not None and not Path(results).is_dir():
        raise UserError(f"the results folder '{results}' (--results) is not there")
    scratch, folders = scratch_root(scratch), [Path(results)] if results else stores(Path("results"))
    names = {folder: [Path(path).name for path in listing(folder)] for folder in folders}
    ids = {folder: {match["stem"][-16:] for name in names[folder] if (match := FILE_NAME.fullmatch(name))} for folder in folders}
    where = f"{results or 'results'} or {scratch}"
    run_id = the_run(run_id, runs_from(scratch).union(*ids.values()), where)
    records = {}
    for folder in [folder for folder in folders if run_id in ids[folder]]:
        store = ResultStore(folder)
        records |= store.files_of([run_id])
        say_problems(store)
    if plots:
        draw(run_id, records, scratch, data_root, output)
        return
    if output or data_root:
        raise UserError(f"--{'output' if output else 'data-root'} is for --plots")
    beat, logs = read_heartbeat(scratch, run_id), logs_of(run_id, scratch, note)
    if as_json:
        dumped = [{"path": str(path), **RUN_RECORD.dump_python(record, mode="json")} for path, record in records.items()]
        said = [{"path": str(log.path), "lines": log.lines[-LINES:]} for log in logs]
        say_json({"id": run_id, "heartbeat": beat, "records": dumped, "logs": said})
        return
    for what, lines in described(run_id, records, beat).items():
        for number, line in enumerate(lines):
            click.echo(f"{'' if number else what:<10}  {line}".rstrip())
    for log in logs:
        click.echo("\n".join(["", *tail(log, LINES)]))


def draw(run_id: str, records: dict, scratch: Path, data_root, output: str | None) -> None:
    """Its pictures into a folder; says which."""
    from bench.commands.plots import write_plots
    from bench.records.paths import FILE_NAME

    path, first = next(((path, record) for path, record in records.items() if record.status == "done"), (None, None))
    if path is None or first is None:
        raise UserError(f"the run {run_id} is not done: there is nothing to draw")
    match = FILE_NAME.fullmatch(path.name)
    assert match, "a record's name was matched when it was listed"
    folder = Path(output or Path("reports") / match["stem"])
    written, lacking = write_plots(first, path, scratch, data_root, folder)
    for path in written:
        click.echo(f"wrote  {path}")
    for said in lacking:
        note(said)


def described(run_id: str, records: dict, beat: dict | None) -> dict[str, list[str]]:
    """Title -> lines; records: by path, of all parts in order."""
    if not records:
        state = f"{beat['state']}, {beat.get('progress', 0):.0%} of the budget" if beat else "submitted"
        return {"run": [f"{beat['name'] if beat else ''}  {run_id}  {state}".strip(), "it has no record yet"]}
    # The part whose training counts: the first that is done, else the last.
    first = next((record for record in records.values() if record.status == "done"), list(records.values())[-1])
    spec, cost = first.spec, first.cost
    evaluated = sum(record.cost.evaluation_seconds for record in records.values())
    environment = {name: value for name, value in first.environment.items() if name != "versions"}
    return {
        "run": [
            f"{spec['method']} seed {spec['seed']}  {run_id}  {first.status}",
            f"suite {first.suite}, {first.started} to {first.finished}",
        ],
        "error": [first.reason] if first.reason else [],
        "spec": [f"{name:<18} {in_words(value)}" for name, value in spec.items() if name not in ("method", "seed")],
        "loss": curve(first.loss_curve),
        "snapshots": on_the_way(first.snapshots),
        "cost": [
            f"{cost.steps:,} steps, {cost.images:,} items, {cost.flops:.3g} FLOPs, {cost.seconds:,.1f} s of training",
            f"{cost.setup_seconds:,.1f} s of set-up, {evaluated:,.1f} s of evaluation, {cost.peak_memory_bytes / 2**20:,.0f} MiB at most",
        ],
        "evaluated": [f"{name:<18} {taken:,.1f} s" for record in records.values() for name, taken in record.cost.evaluators.items()],
        "results": table([result for record in records.values() for result in record.results]),
        "verified": verified(records),
        "machine": [in_words(first.hardware), in_words(environment), in_words(first.environment.get("versions", {}))],
        "weights": [f"{first.weights}, sha256 {first.weights_sha256}"] if first.weights_sha256 else [],
        "records": [str(path) for path in records],
    }


def verified(records: dict) -> list[str]:
    """What `verify` found, a line each time; records: as `described` has them."""
    from bench.records.verification import beside

    found = [f"{each.outcome}, {each.finished}, by {each.by}" for each in beside(next(iter(records)))]
    return found or [f"not yet; `{COMMAND} verify` makes it again"]


def on_the_way(snapshots) -> list[str]:
    """A line for each: '30 % of the budget, step 12: linear_top1 41.2 on val, knn_top1 38.0 on val; features have collapsed'."""
    from bench.records.record import COLLAPSE

    lines = []
    for one in snapshots:
        accuracies = [result for result in one.results if re.search("top1|mean_per_class", result.metric) and result.value is not None]
        told = [
            f"{result.metric} {result.value:.1f} on {result.split}{f' ({result.weights})' * bool(result.weights)}" for result in accuracies
        ]
        collapsed = any((result.evaluator, result.metric) == COLLAPSE and result.value and not result.weights for result in one.results)
        said = "; ".join(filter(None, [", ".join(told), "features have collapsed" * collapsed, one.error]))
        lines.append(f"{one.share:.0%} of the budget, step {one.steps:,}: {said or 'no accuracy was asked for'}")
    return lines


def in_words(value) -> str:
    """{'lr': 0.1, 'groups': []} -> 'lr=0.1 groups=[]'"""
    return " ".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


def curve(points: tuple[tuple[float, float], ...]) -> list[str]:
    """The losses as bars, and their first, smallest and last in numbers; nothing where there are none."""
    if not points:
        return []
    losses = [loss for _, loss in points]
    shown = [losses[number * len(losses) // min(WIDTH, len(losses))] for number in range(min(WIDTH, len(losses)))]
    low, high = min(losses), max(losses)
    bars = "".join(BARS[round((loss - low) / (high - low or 1) * (len(BARS) - 1))] for loss in shown)
    return [bars, f"from {losses[0]:.4g} to {losses[-1]:.4g}; lowest {low:.4g}, highest {high:.4g}; {len(points)} points"]


def table(results: list) -> list[str]:
    """A line for each number that was measured, in columns."""
    rows = [
        (
            *(result.evaluator, result.dataset, result.split, result.metric),
            "none" if result.value is None else f"{result.value:.4g}",
            f"n={result.n:,}",
            result.weights or "",
            in_words(result.chosen),
        )
        for result in results
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
