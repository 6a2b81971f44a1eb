"""What a worker does, wherever it was launched: it takes each of its runs that nobody else holds, and leaves out what the store has.

So any number of workers, started at any time by anyone, do each run once. A worker under SLURM is told before its time is over or it is
preempted (SIGUSR2): it writes its checkpoint and gives its job back to the queue, and goes on from there when it is started again.
"""

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import submitit

from bench.errors import UserError
from bench.launch import slurm
from bench.machine import lease
from bench.machine.files import write
from bench.machine.job import job_here
from bench.machine.signals import Interrupted, StopSignals
from bench.machine.users import share_with_group
from bench.run.aim import serves
from bench.run.folder import RunFolder, run_folder
from bench.run.heartbeat import read_heartbeat
from bench.run.place import Place
from bench.spec import RunSpec

FRUITLESS = 10
"""How often a job goes back to the queue without one step more in its checkpoint before it ends with an error."""

OTHERS_CHECKPOINT = 30.0
"""Seconds that the first of several packed workers waits for the others' checkpoints before it gives the job back."""


LOOK = 1.0
"""Seconds between two looks at a run that somebody else has."""


@dataclass
class Work:
    """What a worker is given; it pickles, and after a preemption it is simply given again."""

    specs: list[dict]
    """RunSpec.to_json() of each run."""
    requests: tuple[str, ...]
    place: Place
    gpu: str | None = None
    """This worker's entry of CUDA_VISIBLE_DEVICES."""

    def __call__(self) -> list[tuple[int, str]]:
        """Execute every run that nobody else holds. Returns what went wrong: (2 for a mistake of the user's or 1, sentence)."""
        number, tasks = number_in_job()
        share_with_group(self.place.results, self.place.scratch)
        if self.gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu
        elif self.place.tasks and (visible := os.environ.get("CUDA_VISIBLE_DEVICES")):
            os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[int(os.environ["SLURM_LOCALID"])]
        specs = [RunSpec.from_json(data) for data in self.specs]
        if self.place.tasks and number:
            return self.attend(specs, number, tasks)
        signals, problems = StopSignals(), []
        try:
            with signals:
                # Packed workers each begin with another run, and stay until all are done: the first one speaks for the job.
                for spec in specs[number:] + specs[:number]:
                    problems += self.one(spec, signals)
                while tasks > 1 and not self.place.tasks and any(lease.holder(self.folder(spec).path) for spec in specs):
                    signals.check()
                    time.sleep(1)
        except Interrupted as reason:
            self.give_back(specs, reason, signals.received, number)
            raise
        finally:
            self.dismiss(specs)
        return problems

    def folder(self, spec: RunSpec) -> RunFolder:
        """Where this run is made."""
        return run_folder(self.place.scratch, spec.id)

    def one(self, spec: RunSpec, signals: StopSignals) -> list[tuple[int, str]]:
        """One run, if it is to be done; what went wrong."""
        from bench.run.execute import RunFailed, execute

        signals.check()
        beat = read_heartbeat(self.place.scratch, spec.id) or {}
        if beat.get("state") == "failed" and beat.get("launch") == self.place.launch:
            return []
        if under_slurm():
            lease.wait_for_a_sign(self.folder(spec).path)
        try:
            while execute(spec, self.requests, self.place, signals) is None and self.held_for_others(spec, signals):
                signals.check()
        except (UserError, OSError, RunFailed) as error:
            problem = f"{spec.name} ({spec.id}): {error}"
            if under_slurm():
                print(f"error: {problem}", file=sys.stderr, flush=True)  # nobody waits for what this returns
            signals.check()
            return [(2 if isinstance(error, UserError) else 1, problem)]
        signals.check()
        return []

    def held_for_others(self, spec: RunSpec, signals: StopSignals) -> bool:
        """Where somebody has the run for another folder of results, or for fewer evaluators: wait until it is free, then True. Its
        checkpoints are in this scratch folder too, so nothing is trained twice."""
        folder, said = self.folder(spec).path, False
        while (facts := lease.holder(folder)) and not serves(facts, self.place.results, self.requests):
            if not said:
                print(f"waiting for {spec.name} ({spec.id}): {lease.describe(facts)} has it", file=sys.stderr, flush=True)
            said = True
            signals.check()
            time.sleep(LOOK)
        return said

    def attend(self, specs: list[RunSpec], rank: int, tasks: int) -> list[tuple[int, str]]:
        """The share of a task that is not the first in the runs of this job, which all its tasks share: its number is its rank."""
        from bench.run.follower import train
        from bench.run.tasks import TaskDied, attend

        try:
            for spec in specs:
                self.folder(spec).path.mkdir(parents=True, exist_ok=True)
                attend(self.folder(spec), rank, tasks, train)
        except TaskDied:
            # The first task may be the one that died.
            requeue_this_job()
            raise
        return []

    def dismiss(self, specs: list[RunSpec]) -> None:
        """Let the other tasks of this job go."""
        from bench.run.tasks import end

        for spec in specs if self.place.tasks else ():
            end(self.folder(spec))

    def give_back(self, specs: list[RunSpec], reason: Interrupted, received: int | None, number: int) -> None:
        """Where it was not the user who stopped it: the job goes back to the queue, which ends this process."""
        from bench.run.tasks import TaskDied

        if not (isinstance(reason, TaskDied) or received == signal.SIGUSR2):
            return
        if number:
            # The first worker gives the job back for all of them.
            time.sleep(OTHERS_CHECKPOINT)
            return
        if under_slurm():
            deadline = time.monotonic() + OTHERS_CHECKPOINT
            while any(lease.holder(self.folder(spec).path) for spec in specs) and time.monotonic() < deadline:
                time.sleep(0.2)
            if fruitless(self.place.scratch, specs) >= FRUITLESS:
                raise UserError(
                    f"the job was requeued {FRUITLESS} times without one step more: its time, less the warning before its end, is too "
                    "short for a step and an evaluation, or something ends it each time (see its log)"
                ) from reason
        handler = signal.getsignal(signal.SIGUSR2)
        if isinstance(reason, TaskDied):
            requeue_this_job()
        elif callable(handler):
            handler(signal.SIGUSR2, None)  # Submitit's: it submits `checkpoint()` again

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What Submitit submits again after a preemption or time-out: the same work; runs go on from their checkpoints."""
        return submitit.helpers.DelayedSubmission(self)


def under_slurm() -> bool:
    """Whether this process is a task of a job that Submitit submitted."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def number_in_job() -> tuple[int, int]:
    """(number of this task, number of tasks) of a SLURM job; (0, 1) elsewhere."""
    return (int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])) if under_slurm() else (0, 1)


def requeue_this_job() -> None:
    """Back to the queue; another task of this job may already have said so."""
    with contextlib.suppress(UserError):
        job, _ = job_here()
        assert job, "only a job goes back to the queue"
        slurm.requeue(job)


def fruitless(scratch: Path, specs: list[RunSpec]) -> int:
    """How many times in a row these runs were given back at the same steps, this time included; kept beside the first's checkpoints."""
    from bench.training.checkpoint import Checkpoints

    newest = [Checkpoints(scratch, spec.id).paths()[:1] for spec in specs]
    steps = ["".join(path.name for path in paths) for paths in newest]
    path = run_folder(scratch, specs[0].id).given_back
    try:
        before = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        before = {"steps": None, "times": 0}
    times = before["times"] + 1 if before["steps"] == steps else 1
    write(path, json.dumps({"steps": steps, "times": times}))
    return times
