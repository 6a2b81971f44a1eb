"""The command `queue`: a file of runs and benchmarks, worked through in order within some minutes."""

import contextlib
import signal
import time
from pathlib import Path

import click

from bench.commands.console import Stopped, note
from bench.defaults import COMMAND, ROOT
from bench.errors import UserError, unknown


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
    for entry in entries:
        require_sound(entry)
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


def require_sound(entry) -> None:
    """A UserError where `run`, or the benchmarks, would refuse the entry by its words alone. Else that came out when its turn came, perhaps
    hours later, on a card that is lent."""
    from bench import suites
    from bench.commands import figure_together, grid
    from bench.commands.options import DESCRIBED
    from bench.commands.run import run
    from bench.data.catalogue import DataSets

    said = f"the entry '{entry.what}' cannot be run: "
    try:
        if entry.benchmarks:
            for name in entry.benchmarks:
                require_benchmark(name)
            return
        given = run.make_context("run", list(entry.run)).params
        suite, described = given["suite"], options_of(DESCRIBED)
        if others := [name for name in described - {"seeds"} if given[name] not in (None, ())]:
            raise UserError(f"the suite '{suite}' describes its runs itself; leave out --{min(others).replace('_', '-')}")
        with contextlib.chdir(ROOT):  # where it is run
            if figure_together.TRIALS.search(suite):
                suites.load(suite.rpartition("@")[0])  # its trials are completed, for which the data must be there
            else:
                grid.of_suite(suite, figure_together.load(suite, DataSets()).runs, given["method"], given["seeds"])
    except click.UsageError as error:
        raise UserError(f"{said}{error.format_message()}") from error
    except UserError as error:
        raise UserError(f"{said}{error}") from error


def options_of(decorate) -> set[str]:
    """The names of the options that a decorator adds."""
    return {parameter.name for parameter in click.command()(decorate(lambda **given: None)).params if parameter.name}


def require_benchmark(name: str) -> None:
    """A UserError where there is no benchmark of this name."""
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef rows(" in path.read_text(encoding="utf-8")}
    if name not in there:
        raise unknown("benchmark", name, there)
