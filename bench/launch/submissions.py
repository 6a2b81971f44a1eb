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
from bench.machine.users import me, name_of

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
    refused: bool = False
    """Whether sbatch said that it is not submitted."""

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
    results: str | None = None
    """Folder of the records that its runs are for; None: not noted, as in files of earlier versions."""
    evals: list[str] | None = None
    """Evaluators that its runs are for."""
    user: str | None = None
    """Who submitted it."""
    submitted: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, scratch: Path) -> None:
        folder = scratch / "submissions"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{self.token}.json", json.dumps(asdict(self)))

    def is_for(self, results: Path | None) -> bool:
        """Whether its records go to this folder."""
        return self.results is None or results is None or self.results == str(results.resolve())

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
    user: str | None = None
    """Who submitted it."""
    evals: frozenset[str] | None = None
    """Evaluators that it was submitted for; None: not known."""
    runs: tuple[str, ...] = ()
    """Ids of all runs of the task."""
    token: str = ""
    """Of its submission."""

    def serves(self, requests: Iterable[str]) -> bool:
        """Whether these evaluators are among its own."""
        return self.evals is None or self.evals.issuperset(requests)

    @property
    def logs(self) -> list[Path]:
        """Standard output and error of all its processes, where they have written any."""
        return sorted(self.log.parent.glob(self.log.name.replace(FIRST_LOG, "_*_log.*"))) if self.log else []


def tasks_of(
    ids: Iterable[str], scratch: Path, note=lambda text: None, results: Path | None = None, requests: Iterable[str] = ()
) -> dict[str, Task]:
    """The task of each of these runs that says most: one in the queue before one that is over, one for all of these evaluators before
    one for fewer, else the last. results: submissions for other folders do not count. `note` hears why SLURM could not be asked."""
    wanted, requests = set(ids), frozenset(requests)
    submissions = [submission for submission in read_all(scratch) if submission.is_for(results)]
    arrays = [(submission, array) for submission in submissions for array in submission.arrays if array.runs & wanted]
    known, silent = {}, False
    if arrays:
        try:
            # By name: an array's number may not have been noted, and it may be anybody's.
            known = {(job.name, job.task): job for job in slurm.queue({array.name for _, array in arrays})}
        except UserError as error:
            silent = True
            note(f"{error}; what is said is from records and heartbeats alone")
    found: dict[str, Task] = {}
    rank = lambda task: (task.state is not None, task.serves(requests))  # noqa: E731
    for submission, array in arrays:
        user, evals = submission.user, None if submission.evals is None else frozenset(submission.evals)
        another = user not in (None, me())
        for number, runs in enumerate(array.tasks):
            queued = known.get((array.name, number))
            if array.refused and not queued:
                continue
            job = queued.job if queued else number_in(array, number)
            log = submission.logs(scratch) / f"{job}{FIRST_LOG}" if job else None
            state, reason = (queued.state, queued.reason) if queued else (None, "")
            if not queued and (silent or (another and slurm.hides_jobs_of_others())):
                state, reason = UNASKED, "SLURM does not answer" if silent else "SLURM shows nobody the jobs of others (PrivateData)"
            whose = name_of(queued.uid) if queued else user
            for run in wanted.intersection(runs):
                task = Task(job, state, reason, run in submission.cancelled, log, whose, evals, tuple(runs), submission.token)
                if run not in found or rank(task) >= rank(found[run]):
                    found[run] = task
    return found


def number_in(array: Array, task: int) -> str | None:
    """'12_3', or '12' for what was submitted alone."""
    if array.job is None:
        return None
    return f"{array.job}_{task}" if len(array.tasks) > 1 else array.job
