"""What a run has written: its traceback where it crashed, its processes' output and errors, on this machine or under SLURM."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError
from bench.launch.submissions import read_all, tasks_of
from bench.run.folder import begun, run_folder
from bench.run.heartbeat import read_heartbeat

MOST = 2**20
"""Bytes of a log's end that are read."""


@dataclass(frozen=True)
class Log:
    """One file, or the part of it that a run wrote."""

    path: Path
    lines: list[str]
    whole: bool
    """Whether the file is this run's alone, and all of it is here."""


def runs_from(scratch: Path) -> set[str]:
    """Ids of all runs that were begun or submitted from this scratch folder."""
    submitted = {run for submission in read_all(scratch) for array in submission.arrays for run in array.runs}
    return submitted | begun(scratch)


def the_run(beginning: str, known: set[str], where: str) -> str:
    """The id that begins so; a UserError where none does, or several do. where: what was looked in."""
    found = sorted(run for run in known if run.startswith(beginning)) if beginning else []
    if len(found) == 1:
        return found[0]
    said = ", ".join(found[:3] or ["none"]) + ", ..." * (len(found) > 3)
    how_many = f"{len(found) or 'no'} run{'s' * (len(found) != 1)}"
    raise UserError(f"{where} has {how_many} whose id begins with '{beginning}' ({said}); expected an id that `status` shows")


def logs_of(run_id: str, scratch: Path, note=lambda text: None) -> list[Log]:
    """What is not empty, the traceback last. `note` hears why SLURM could not be asked."""
    task, beat, folder = tasks_of([run_id], scratch, note).get(run_id), read_heartbeat(scratch, run_id), run_folder(scratch, run_id)
    parts: dict[Path, tuple[int, int | None]] = dict.fromkeys((*(task.logs if task else ()), *folder.logs()), (0, None))
    if beat:
        if beat.get("log"):
            parts.setdefault(Path(beat["log"]), (0, None))
        for path, (begin, end) in beat.get("logs", {}).items():
            # Under SLURM a log is of one job, whose earlier starts are of interest too.
            parts[Path(path)] = (0, None) if task else (begin, end if beat["state"] in ENDED else None)
    read = [log for path, (begin, end) in sorted(parts.items()) if (log := part_of(path, begin, end))]
    crash = part_of(folder.traceback, 0, None)
    return [log for log in (*read, crash) if log]


ENDED = ("done", "failed", "diverged", "interrupted")
"""States of a heartbeat after which the run writes nothing more."""


def part_of(path: Path, begin: int, end: int | None) -> Log | None:
    """From this byte to that; None where nothing is there."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, 2)
        until = size if end is None else min(end, size)
        start = max(begin if begin <= size else 0, until - MOST)
        file.seek(start)
        lines = file.read(until - start).decode(errors="replace").splitlines()
        if any(line.strip() for line in lines):
            return Log(path, lines, start == 0 and until == size)
    return None
