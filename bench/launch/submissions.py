"""What was submitted to SLURM: one file a submission, <scratch>/submissions/<token>.json, written before anything is submitted.

A task's job is found by the array's name, which holds the token. So jobs are known even where the submitting process was killed
between their submission and the note of their number.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import UserError
from bench.launch import slurm
from bench.machine.files import write

UNASKED = "UNASKED"

FIRST_LOG = "_0_log.err"
"""How Submitit ends the name of a job's first log of errors, after the job's number."""


@dataclass
class Array:
    """One sbatch command."""

    name: str
    tasks: list[list[str]]
    """Ids of the runs of each task."""
    job: str | None = None
    """The number that SLURM gave it; None: not noted."""

    @property
    def runs(self) -> set[str]:
        """Ids of all its runs."""
        return {run for runs in self.tasks for run in runs}


@dataclass
class Submission:
    """One `run --launcher slurm`, or `retry`."""

    token: str
    suite: str
    arrays: list[Array] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Ids of the runs that somebody cancelled."""
    submitted: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, scratch: Path) -> None:
        folder = scratch / "submissions"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{self.token}.json", json.dumps(asdict(self)))

    def logs(self, scratch: Path) -> Path:
        """Where Submitit puts pickles and logs of this submission."""
        return (scratch / "submissions" / self.token).absolute()


def read_all(scratch: Path) -> list[Submission]:
    """Every submission from this scratch folder, oldest first."""
    found = []
    for path in (scratch / "submissions").glob("*.json"):
        with contextlib.suppress(OSError, json.JSONDecodeError, TypeError, KeyError):
            data = json.loads(path.read_text())
            arrays = [Array(**array) for array in data.pop("arrays")]
            found.append(Submission(**data, arrays=arrays))
    return sorted(found, key=lambda submission: (submission.submitted, submission.token))


@dataclass(frozen=True)
class Task:
    """Where a run was last submitted."""

    job: str | None
    """'12_3' or '12'; None: its submission was never finished."""
    state: str | None
    """What SLURM says of it: PENDING, RUNNING, ...; UNASKED where SLURM does not answer; None: SLURM does not know it any more."""
    reason: str
    cancelled: bool
    log: Path | None
    """Standard error of its first process; None: no job."""

    @property
    def logs(self) -> list[Path]:
        """Standard output and error of all its processes, where they have written any."""
        return sorted(self.log.parent.glob(self.log.name.replace(FIRST_LOG, "_*_log.*"))) if self.log else []


def tasks_of(ids: Iterable[str], scratch: Path, note=lambda text: None) -> dict[str, Task]:
    """The last task of each of these runs that was submitted. `note` hears why SLURM could not be asked."""
    wanted, submissions = set(ids), read_all(scratch)
    arrays = [(submission, array) for submission in submissions for array in submission.arrays if array.runs & wanted]
    known, absent = {}, None
    if arrays:
        try:
            # By name, in one question: an array's number may not have been noted. All jobs of the user's, where names are many.
            names = [array.name for _, array in arrays] if len(arrays) < 50 else ()
            known = {(job.name, job.task): job for job in slurm.queue(names)}
        except UserError as error:
            absent = UNASKED
            note(f"{error}; what is said is from records and heartbeats alone")
    found: dict[str, Task] = {}
    for submission, array in arrays:
        for number, runs in enumerate(array.tasks):
            queued = known.get((array.name, number))
            job = queued.job if queued else number_in(array, number)
            log = submission.logs(scratch) / f"{job}{FIRST_LOG}" if job else None
            for run in wanted.intersection(runs):
                # A task that is still queued says more than a later one that is over.
                if queued or absent or not (run in found and found[run].state):
                    state, reason = (queued.state, queued.reason) if queued else (absent, "")
                    found[run] = Task(job, state, reason, run in submission.cancelled, log)
    return found


def number_in(array: Array, task: int) -> str | None:
    """'12_3', or '12' for what was submitted alone."""
    if array.job is None:
        return None
    return f"{array.job}_{task}" if len(array.tasks) > 1 else array.job
