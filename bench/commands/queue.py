"""The command `queue`: a file of runs and benchmarks, worked through in order within some minutes."""

import signal
import time
from pathlib import Path

import click

from bench.commands.console import Stopped, note
from bench.defaults import COMMAND
from bench.errors import UserError


@click.command()
@click.argument("file", metavar="FILE", default="benchmarks/gpu.toml")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N", required=True, help="Never more than these, all in all.")
@click.option("--out", metavar="DIR", help="Gets a copy of every record as soon as it is written, and of the tables of speed.")
@click.option("--tiny", metavar="DIR", help="Try it whole, tiny and on any machine: records, which say nothing, go into this folder.")
def queue(file, minutes, out, tiny):
    """Work through a file of runs in order of worth, on a GPU; what is not done goes on when it is started again."""
    begun = time.monotonic()  # the minutes are of this too
    from bench.launch.queue import load, work
    from bench.machine import hardware

    entries = load(file)
    if tiny is None and hardware.device().type != "cuda":
        for entry in entries:
            click.echo(f"{entry.minutes:>5.0f} min  {entry.what}: {entry.words()}")
        click.echo(f"{sum(entry.minutes for entry in entries):>5.0f} min  all of it, on the card that {file} is for")
        raise UserError(f"no GPU is here, so nothing is begun; `{COMMAND} queue {file} ... --tiny DIR` tries all of it on a processor")
    # Whoever ends this process ends what it has started.
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        folder, carried = (None if one is None else Path(one).absolute() for one in (tiny, out))
        outcomes = work(entries, 60 * minutes - (time.monotonic() - begun), click.echo, folder, carried)
    except KeyboardInterrupt as error:
        raise Stopped("what was under way has stopped; the same command goes on from the last checkpoints") from error
    finally:
        signal.signal(signal.SIGTERM, former)
    states = [outcome.state for outcome in outcomes]
    click.echo("queue  " + ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
    if {"stopped", "left"} & set(states):
        note("the time is over; the same command goes on from the last checkpoints")
    if "failed" in states:
        raise SystemExit(1)
