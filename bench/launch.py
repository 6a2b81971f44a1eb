"""Launching through Submitit: in this process (debug) or in processes of their own on this machine (local).

Every worker gets the whole list of runs and takes what nobody else holds: a run is held by a file lock in its scratch
folder, and left out once the store has it. So any number of workers, started at any time, do each run once.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import submitit

from bench.errors import UserError, unknown
from bench.interrupt import Interrupted, StopSignals
from bench.spec import RunSpec

LAUNCHERS = ("debug", "local")
"""debug: in this process, one run after the other. local: a process per GPU, or per so many CPU cores."""

WEEK_IN_MINUTES = 7 * 24 * 60

RESEND = 3.0
"""Seconds between two requests to stop."""


def require(launcher: str) -> str:
    """The launcher's name, or a UserError with the nearest one."""
    if launcher not in LAUNCHERS:
        raise unknown("launcher", launcher, LAUNCHERS)
    return launcher


@dataclass
class Work:
    """What a worker is given; it pickles, and after a preemption it is simply given again."""

    specs: list[dict]
    """RunSpec.to_json() of each run."""
    requests: tuple[str, ...]
    place: object
    """bench.run.Place"""
    gpu: str | None = None
    """This worker's entry of CUDA_VISIBLE_DEVICES."""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """A run that failed since then is left alone: the next launch tries it again, not the next worker."""

    def __call__(self) -> list[tuple[int, str]]:
        """Execute every run that nobody else holds. Returns what went wrong: (2 for a mistake of the user's or 1, sentence)."""
        if self.gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu
        from bench.run import RunFailed, execute
        from bench.store import ResultStore

        problems, store = [], ResultStore(self.place.results)
        try:
            with StopSignals() as signals:
                for data in self.specs:
                    spec = RunSpec.from_json(data)
                    signals.check()
                    if any(record.status == "failed" and record.finished >= self.started for record in store.parts(spec)):
                        continue
                    try:
                        execute(spec, self.requests, self.place, signals)
                    except (UserError, OSError, RunFailed) as error:
                        problems.append((2 if isinstance(error, UserError) else 1, f"{spec.name} ({spec.id}): {error}"))
                signals.check()
        except Interrupted:
            handler = signal.getsignal(signal.SIGUSR2)
            if signals.received == signal.SIGUSR2 and callable(handler):
                # The checkpoint is written: now Submitit may requeue the job, which ends this process.
                handler(signal.SIGUSR2, None)
            raise
        return problems

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What Submitit submits again after a preemption or time-out: the same work; runs go on from their checkpoints."""
        return submitit.helpers.DelayedSubmission(self)


def workers_here(runs: int, cores_each: int) -> int:
    """Workers for `local`: one per GPU, or as many as have `cores_each` cores; never more than there are runs."""
    import torch

    from bench.hardware import cores

    return max(1, min(torch.cuda.device_count() or cores() // cores_each, runs))


def launch(
    specs: tuple[RunSpec, ...], requests: tuple[str, ...], place, launcher: str, workers: int | None, watch: Callable | None
) -> list[tuple[int, str]]:
    """Execute the runs and wait for them. Returns what went wrong, as (exit code, sentence); raises KeyboardInterrupt once
    every worker has written its checkpoint. `watch` is called several times a second while runs are under way."""
    folder = place.scratch / "submitit"
    work = Work([spec.to_json() for spec in specs], requests, place)
    if require(launcher) == "debug":
        return in_this_process(work, folder, watch)
    count = min(workers or workers_here(len(specs), place.threads * place.processes), len(specs))
    return in_processes(work, folder, count, watch)


def in_this_process(work: Work, folder: Path, watch: Callable | None) -> list[tuple[int, str]]:
    """Submitit's debug executor, with `watch` called from a thread of its own."""
    executor = submitit.AutoExecutor(folder, cluster="debug")
    job = executor.submit(work)
    over = threading.Event()

    def watching():
        while not over.wait(0.2):
            watch()

    watcher = threading.Thread(target=watching, daemon=True)
    if watch:
        watcher.start()
    try:
        # Not job.result(): on an error Submitit's debug job would open a debugger.
        error = job.exception()
    finally:
        over.set()
        if watch:
            watcher.join()
    if isinstance(error, Interrupted):
        raise KeyboardInterrupt from error
    if error:
        raise error
    return job.submission().result()


def in_processes(work: Work, folder: Path, count: int, watch: Callable | None) -> list[tuple[int, str]]:
    """Submitit's local executor, `count` workers. SIGINT and SIGTERM are passed on, and every checkpoint waited for."""
    import torch

    logging.getLogger("submitit").setLevel(logging.ERROR)
    # A worker imports the code that this process runs, wherever it was started and whatever else is installed.
    here = str(Path(__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in (here, os.environ.get("PYTHONPATH")) if path)
    # The GPUs that this process may use, by the names it knows them by: numbers, UUIDs or MIG slices.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    gpus = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    gpus = gpus[: torch.cuda.device_count()]
    # Workers do not see a terminal's Ctrl-C: this process hands it on, and Submitit's controller gives no time for a checkpoint.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        jobs = [submit(replace(work, gpu=gpus[number % len(gpus)] if gpus else None), folder) for number in range(count)]
    finally:
        signal.signal(signal.SIGINT, former)
    stops, sent = [], 0.0
    former = {number: signal.signal(number, lambda number, frame: stops.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not all(job.done() for job in jobs):
            time.sleep(0.2)
            if watch:
                watch()
            # Sent again: a worker that was just starting, or between two runs, may not have heard it.
            if stops and time.monotonic() - sent > RESEND:
                sent = time.monotonic()
                for job in jobs:
                    # Submitit's controller hands SIGTERM to the worker, which writes its checkpoint and ends.
                    if not job.done():
                        job._process.send_signal(signal.SIGTERM)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if stops:
        raise KeyboardInterrupt
    problems = []
    for job in jobs:
        error = job.exception()
        if error:
            problems.append((1, f"worker {job.job_id} ended early: {last_line(error)}; its log: {job.paths.stderr}"))
        else:
            problems += job.result()
    return problems


def submit(work: Work, folder: Path) -> submitit.Job:
    """One worker."""
    executor = submitit.AutoExecutor(folder, cluster="local")
    executor.update_parameters(timeout_min=WEEK_IN_MINUTES)
    return executor.submit(work)


def last_line(error: BaseException) -> str:
    """The last line of an error that says something: where Submitit repeats a remote traceback, its end."""
    lines = [line for line in str(error).splitlines() if line.strip() and "You can check full logs" not in line]
    return lines[-1].strip() if lines else type(error).__name__
