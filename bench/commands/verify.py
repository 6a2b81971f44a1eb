"""The command `verify`: records made again, each in a folder of its own, and what came of it written beside the record."""

import random
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.commands.as_json import say_json
from bench.commands.console import note, say_problems
from bench.commands.options import DATA_ROOT, JSON
from bench.defaults import scratch_root
from bench.errors import UserError

if TYPE_CHECKING:  # a help page imports neither torch nor pandas
    from bench.audit.runs import Recorded

COUNT = re.compile(r"[1-9]\d{0,3}")
"""One argument of at most four digits is a number of runs: more of an id is needed than that."""


@click.command()
@click.argument("runs", nargs=-1, metavar="[N | RUN ...]")
@click.option("--results", multiple=True, metavar="DIR", help="Folder of records; repeatable.  [default: results, and those in it]")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Of the draw of N runs.  [default: a new one, which is said]")
@click.option("--at-most", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Draw among runs that took no longer.")
@click.option("--output", metavar="DIR", help="New folder for what is made again.  [default: a new one in scratch]")
@click.option("--unrecorded", is_flag=True, help="Say what came of it, and write nothing beside the records.")
@click.option("--run-code", is_flag=True, help="Also run method files that are no part of this checkout. Read them first.")
@DATA_ROOT
@JSON
def verify(runs, results, seed, at_most, output, unrecorded, run_code, data_root, as_json):
    """Make records again: N drawn at random, or those named. Says bit-equal, within the interval, or off; exit code 1 where one is off."""
    count = int(runs[0]) if len(runs) == 1 and COUNT.fullmatch(runs[0]) else None if runs else 1
    if count is None and (seed is not None or at_most is not None):
        raise UserError(f"--{'seed' if seed is not None else 'at-most'} is for a draw: give a number of runs, and no id")
    made = new_folder(output)
    from bench.audit import runs as recorded
    from bench.audit.verify import could_be_made, verified
    from bench.commands.request import data_folder
    from bench.data.catalogue import DataSets
    from bench.records.paths import stores

    folders = [Path(folder) for folder in results] or stores(Path("results"))
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"the results folder '{folder}' (--results) is not there")
    found = recorded.read(folders, say_problems)
    data = DataSets(data_folder(data_root))
    if count is None:
        chosen = [recorded.require(found, beginning) for beginning in runs]
    else:
        seed = secrets.randbelow(10**6) if seed is None else seed
        chosen = drawn(found, count, seed, at_most, lambda run: could_be_made(run, data, run_code))
    reports = []
    for run in chosen:
        click.echo(f"run    {run.name}  {run.id}  {run.path}")
        verification = verified(run, data, made / run.id, run_code, lambda text: click.echo(f"       {text}"))
        click.echo(f"       {verification.outcome}{f': {verification.why}' if verification.why else f', by {verification.by}'}")
        path = None if unrecorded or verification.outcome == "not made again" else record_it(run, verification)
        reports.append({"path": str(run.path), "written": path and str(path), **vars(verification)})
    if as_json:
        say_json({"seed": seed, "runs": reports})
    words = [report["outcome"] for report in reports]
    click.echo("done   " + (", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)) or "nothing"))
    if "off" in words:
        raise SystemExit(1)


def new_folder(output: str | None) -> Path:
    """Where runs are made again; a UserError where something is there already: a checkpoint there would be gone on from."""
    folder = Path(output) if output else scratch_root() / "verify" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' (--output) is not empty; expected a new folder, so that nothing of an earlier run is gone on from")
    return folder


def drawn(found: "list[Recorded]", count: int, seed: int, at_most: float | None, could) -> "list[Recorded]":
    """So many runs that can be made again here, in the order of the draw, which the seed decides; the others that came before are counted
    with their reasons. could: of a run why it cannot be made again, or None."""
    short = [run for run in found if at_most is None or run.seconds <= at_most]
    random.Random(seed).shuffle(short)
    chosen, passed = [], {}
    for run in short:
        if len(chosen) == count:
            break
        if (why := could(run)) is None:
            chosen.append(run)
        else:
            passed[why] = passed.get(why, 0) + 1
    click.echo(f"draw   {len(chosen)} of {len(short)} runs, by seed {seed}; --seed {seed} draws them again")
    for why, times in passed.items():
        note(f"{times} passed over: {why}")
    if len(chosen) < count:
        note(f"{count} were asked for, and {len(chosen)} can be made again here")
    return chosen


def record_it(run: "Recorded", verification) -> Path | None:
    """Write what came of it beside the record; a note where that cannot be."""
    from bench.records.verification import write

    try:
        path = write(run.path, verification)
    except OSError as error:
        note(f"nothing is written beside the record: {error}")
        return None
    click.echo(f"       written: {path}")
    return path
