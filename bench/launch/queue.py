"""A queue: commands in order of worth, worked through on this machine in so many minutes. What `queue` does, and `make gpu`.

    entries = load("benchmarks/gpu.toml")
    outcomes = work(entries, seconds=900, say=print)

A queue is a file, in which each entry says what it is for, what is run and about how long that takes. Each is a process of its own, and is
begun as long as there is time for anything at all: near the end of the time it is asked to stop, runs write their checkpoints, and the same
queue goes on from there when it is started again; what is in the store is not repeated. What has not ended when the time is over is killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from bench import suites
from bench.budget import STRICT
from bench.defaults import COMMAND, ROOT, data_root, scratch_root
from bench.errors import UserError
from bench.spec import one_line
from bench.suites._shrunk import ENDING, RESULTS

RESERVE = 60.0
"""Seconds before the end at which an entry is asked to stop: a checkpoint takes some, and so does the evaluation that is under way. At
most a tenth of the time."""

WAITED = 0.8
"""Of that, after which it is killed: what is left is for the end itself, on a machine that is busy."""

LOOK = 0.5
"""Seconds between two looks at an entry."""

KEPT = ("results", "docs/performance.json", "docs/performance.md")
"""What entries write, in the checkout: records, and the tables of speed."""


@checked(frozen=True, config=STRICT, kw_only=True)
class Entry:
    """One of the two: arguments of `run`, the suite first; or names of benchmarks."""

    what: str
    minutes: float
    """About, on the machine that the queue is for."""
    run: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()

    def __post_init__(self):
        if bool(self.run) == bool(self.benchmarks):
            raise UserError(f"the entry '{self.what}' must have either run or benchmarks")
        if self.run and not (suites.is_path(self.run[0]) or "@" in self.run[0]):
            suites.SUITES.require(self.run[0])
        if not self.minutes > 0:
            raise UserError(f"the entry '{self.what}' has minutes = {self.minutes:g}; expected more than 0")

    def command(self, tiny: Path | None = None) -> list[str]:
        """What is started. tiny: a folder, for the same on this machine's processor in seconds: suites made tiny, whose records and
        checkpoints go there, two workers at most and no compiling; benchmarks with --quick, which write nothing."""
        if self.benchmarks:
            return [sys.executable, "-m", "benchmarks", *self.benchmarks, *["--quick"] * (tiny is not None)]
        suite, *options = [word for option in self.run for word in (option.split("=", 1) if option.startswith("--") else [option])]
        if tiny is not None:
            options = [option for option in options if option != "--compile"]
            if "--workers" in options:
                at = options.index("--workers") + 1
                options[at] = str(min(2, int(options[at])))
            if "--seeds" in options:  # of a tiny suite there is one
                at = options.index("--seeds")
                del options[at : at + 2]
            suite, options = suite + ENDING, [*options, "--results", str(tiny / RESULTS), "--scratch", str(tiny / "scratch")]
        return [sys.executable, "-m", "run_bench", "run", suite, "--no-estimate", *options]

    def words(self) -> str:
        """What a person would type."""
        return " ".join(["python -m benchmarks", *self.benchmarks] if self.benchmarks else [COMMAND, "run", *self.run])


ENTRIES = TypeAdapter(list[Entry])


@dataclass(frozen=True)
class Outcome:
    """What became of an entry."""

    entry: Entry
    state: str
    """done | failed | stopped, where its time was over | left, where there was none for it"""
    seconds: float = 0.0


def load(path: str | Path) -> list[Entry]:
    """The entries of a queue; a UserError that names what is wrong with the file."""
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no queue '{path}'; expected a TOML file of entries, as benchmarks/gpu.toml") from None
    except (OSError, ValueError) as error:
        raise UserError(f"the queue '{path}' cannot be read: {error}") from error
    try:
        entries = ENTRIES.validate_python(found.pop("entry", []))
    except ValidationError as error:
        raise one_line(error, f"the queue '{path}'") from error
    if found or not entries:
        raise UserError(f"the queue '{path}' has {f'an unknown {next(iter(found))}' if found else 'no entry'}; expected [[entry]]")
    return entries


def work(
    entries: list[Entry], seconds: float, say: Callable[[str], None], tiny: Path | None = None, out: Path | None = None
) -> list[Outcome]:
    """Work through the queue, for at most so many seconds. out: a folder that gets every record as soon as it is written, and every table
    of speed. An entry that fails is no reason not to begin the next. KeyboardInterrupt once the entry under way has stopped."""
    began, reserve = time.monotonic(), min(RESERVE, seconds / 10)
    kept = Kept(tiny or ROOT, out)
    outcomes = []
    for entry in entries:
        left = seconds - (time.monotonic() - began)
        if left <= reserve:
            outcomes.append(Outcome(entry, "left"))
            continue
        say(f"begin  {entry.what}: {entry.words()}")
        start = time.monotonic()
        state = one(entry.command(tiny), left - reserve, reserve, kept.carry)
        outcomes.append(Outcome(entry, state, time.monotonic() - start))
        say(f"{state:<6} {entry.what}, after {outcomes[-1].seconds:.0f} s")
    return outcomes


def one(command: list[str], seconds: float, reserve: float, look: Callable[[], None]) -> str:
    """Run a command for so many seconds at most, and `reserve` more in which it may stop; how it ended, as Outcome.state. `look` is called
    while it goes on, and once when it has ended."""
    # It runs in the checkout, wherever the queue was started.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "SSLBENCH_DATA": str(data_root().absolute()),
        "SSLBENCH_SCRATCH": str(scratch_root().absolute()),
    }
    # A session of its own: what it has started can be ended with it, and a terminal's Ctrl-C comes from here.
    process = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)
    begun, stop_by = time.monotonic(), None
    try:
        while process.poll() is None:
            now = time.monotonic()
            if stop_by is None and now - begun > seconds:
                stop_by = now + WAITED * reserve
                process.terminate()
            if stop_by is not None and now > stop_by:
                end(process)
            look()
            time.sleep(LOOK)
    except BaseException:
        # Once: whoever asks twice does not want to wait.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(reserve)
        raise
    finally:
        end(process)
        look()
    if stop_by is not None:
        return "stopped"
    return "failed" if process.returncode else "done"


def end(process: subprocess.Popen) -> None:
    """Kill the process and all that it has started and left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Kept:
    """What entries write below a folder, carried to another one as it comes."""

    def __init__(self, root: Path, out: Path | None):
        if out is not None and any(out.resolve().is_relative_to((root / name).resolve()) for name in KEPT):
            raise UserError(f"'{out}' (--out) lies in what is carried there from '{root}'; expected another folder")
        self.root, self.out = root, out
        self.there = self.found() if out else {}

    def found(self) -> dict[Path, int]:
        """Files below KEPT that are whole -> when they were written, in nanoseconds."""
        paths = [path for name in KEPT for path in (self.root / name, *(self.root / name).rglob("*"))]
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file() and not path.name.startswith(".")}

    def carry(self) -> None:
        """Copy what is new since the last look."""
        if self.out is None:
            return
        found = self.found()
        for path in (path for path, written in found.items() if self.there.get(path) != written):
            target = self.out / path.relative_to(self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        self.there = found
