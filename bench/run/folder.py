"""What lies in a run's folder, <scratch>/<run id>/, and under which name: no other file spells these.

Two kinds are named where they are written and read, in rooms that know no run: checkpoints, step-000000012.pt, by
bench/training/checkpoint.py, and leases, lease-0000001.json, by bench/machine/lease.py.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.machine.job import job_here

HEARTBEAT = "heartbeat.json"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; it need not be there yet."""

    path: Path

    @property
    def heartbeat(self) -> Path:
        """How the run is getting on (bench/run/heartbeat.py)."""
        return self.path / HEARTBEAT

    @property
    def weights(self) -> Path:
        """What the training ended with (bench/run/weights.py)."""
        return self.path / "weights.safetensors"

    @property
    def asked(self) -> Path:
        """What the run is, and for which results and evaluators it was begun last (bench/run/execute.py), for a status of a folder."""
        return self.path / "asked.json"

    @property
    def traceback(self) -> Path:
        """Of the exception that ended the run, where one did when it was last tried (bench/run/crash.py)."""
        return self.path / "traceback.txt"

    @property
    def given_back(self) -> Path:
        """How often a job gave the run back to the queue without one step more (bench/launch/worker.py)."""
        return self.path / "given-back.json"

    @property
    def meeting(self) -> Path:
        """Where the tasks of this start of this SLURM job meet (bench/run/tasks.py)."""
        return self.of_this_start("meeting")

    @property
    def over(self) -> Path:
        """Says that nothing is left for the tasks of this start of this SLURM job to do."""
        return self.of_this_start("over")

    def of_this_start(self, what: str) -> Path:
        """meeting-12_3-0.json: of job 12_3, which was not requeued."""
        job, restarts = job_here()
        return self.path / f"{what}-{job}-{restarts}.json"

    def log(self, rank: int) -> Path:
        """What a further process of the run writes, rank 1 and up (bench/run/processes.py)."""
        return self.path / f"rank-{rank}.log"

    def logs(self) -> list[Path]:
        """Those that are there."""
        return sorted(self.path.glob("rank-*.log"))


def run_folder(scratch: Path, run_id: str) -> RunFolder:
    """The folder of the run with this id."""
    return RunFolder(scratch / run_id)


def begun(scratch: Path) -> set[str]:
    """Ids of the runs that have begun from this scratch folder."""
    return {path.parent.name for path in scratch.glob(f"*/{HEARTBEAT}")}


def done_with(log: Path) -> Path:
    """The file beside a process's log that says that its job is done, where the process is kept for another."""
    return log.with_suffix(".done")
