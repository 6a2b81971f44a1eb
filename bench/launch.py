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
from dataclasses import dataclass
from pathlib import Path

import submitit

from bench.errors import UserError, unknown
from bench.spec import RunSpec

LAUNCHERS = ("debug", "local")
"""debug: in this process, one run after the other. local: a process per GPU, or per so many CPU cores."""

WEEK_IN_MINUTES = 7 * 24 * 60


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

    def __call__(self) -> list[tuple[int, str]]:
        """Execute every run that nobody else holds. Returns what went wrong: (2 for a mistake of the user's or 1, sentence)."""
        from bench.run import execute
        from bench.trainer import Interrupted

        problems = []
        for data in self.specs:
            spec = RunSpec.from_json(data)
            try:
                execute(spec, self.requests, self.place)
            except Interrupted as interrupted:
                handler = signal.getsignal(signal.SIGUSR2)
                if getattr(interrupted, "signal", None) == signal.SIGUSR2 and callable(handler):
                    # The checkpoint is written: now Submitit may requeue the job, which ends this process.
                    handler(signal.SIGUSR2, None)
                raise
            except (UserError, OSError) as error:
                problems.append((2 if isinstance(error, UserError) else 1, f"{spec.name} ({spec.id}): {error}"))
        return problems

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What Submitit submits again after a preemption or time-out: the same work; runs go on from their checkpoints."""
        return submitit.helpers.DelayedSubmission(self)


def workers_here(runs: int, threads: int) -> int:
    """Processes for `local`: one per GPU, or as many as have `threads` cores each; never more than there are runs."""
    import torch

    from bench.hardware import cores

    return max(1, min(torch.cuda.device_count() or cores() // threads, runs))


def launch(
    specs: tuple[RunSpec, ...], requests: tuple[str, ...], place, launcher: str, processes: int | None, watch: Callable | None
) -> list[tuple[int, str]]:
    """Execute the runs and wait for them. Returns what went wrong, as (exit code, sentence); raises KeyboardInterrupt once
    every worker has written its checkpoint. `watch` is called several times a second while runs are under way."""
    folder = place.scratch / "submitit"
    work = Work([spec.to_json() for spec in specs], requests, place)
    if require(launcher) == "debug":
        return in_this_process(work, folder, watch)
    count = min(processes or workers_here(len(specs), place.threads), len(specs))
    return in_processes(work, folder, count, watch)


def in_this_process(work: Work, folder: Path, watch: Callable | None) -> list[tuple[int, str]]:
    """Submitit's debug executor, with `watch` called from a thread of its own."""
    from bench.trainer import Interrupted

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
    gpus = torch.cuda.device_count()
    # Workers do not see a terminal's Ctrl-C: this process hands it on, and Submitit's controller gives no time for a checkpoint.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        jobs = [submit(work, folder, number % gpus if gpus else None) for number in range(count)]
    finally:
        signal.signal(signal.SIGINT, former)
    stopped = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    try:
        while not all(job.done() for job in jobs):
            try:
                time.sleep(0.2)
                if watch:
                    watch()
            except KeyboardInterrupt:
                stopped.append(signal.SIGINT)
            if stopped and len(stopped) < 3:
                stopped += [0, 0]  # once is enough
                for job in jobs:
                    # Submitit's controller hands SIGTERM to the worker, which writes its checkpoint and ends.
                    if not job.done():
                        job._process.send_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, former)
    if stopped:
        raise KeyboardInterrupt
    problems = []
    for job in jobs:
        error = job.exception()
        if error:
            problems.append((1, f"worker {job.job_id} ended early: {last_line(error)}; its log: {job.paths.stderr}"))
        else:
            problems += job.result()
    return problems


def submit(work: Work, folder: Path, gpu: int | None) -> submitit.Job:
    """One worker, with a GPU of its own or none."""
    executor = submitit.AutoExecutor(folder, cluster="local")
    executor.update_parameters(timeout_min=WEEK_IN_MINUTES)
    if gpu is not None:
        executor.update_parameters(gpus_per_node=1, local_visible_gpus=(gpu,))
    return executor.submit(work)


def last_line(error: BaseException) -> str:
    """The last line of an error that says something: where Submitit repeats a remote traceback, its end."""
    lines = [line for line in str(error).splitlines() if line.strip() and "You can check full logs" not in line]
    return lines[-1].strip() if lines else type(error).__name__
