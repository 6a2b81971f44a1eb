"""Launching through Submitit on this machine: in this process (debug) or in processes of their own (local). SLURM: submit.py."""

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import submitit

from bench.defaults import ROOT
from bench.launch.worker import Work
from bench.machine.signals import Interrupted
from bench.run.place import Place
from bench.spec import RunSpec

WEEK_IN_MINUTES = 7 * 24 * 60

EXECUTOR = "SUBMITIT_EXECUTOR"
"""By which a worker knows what it was launched by. A debug run in a job that somebody submitted by Submitit is no task of it: it would
take itself for one of the job's packed workers, wait for the others, and give the job back to the queue in its name."""

RESEND = 3.0
"""Seconds between two requests to stop."""


def workers_here(runs: int, cores_each: int) -> int:
    """Workers for `local`: one per GPU, or as many as have `cores_each` cores; never more than there are runs."""
    import torch

    from bench.machine.hardware import cores

    return max(1, min(torch.cuda.device_count() or cores() // cores_each, runs))


def launch(
    specs: tuple[RunSpec, ...], requests: tuple[str, ...], place: Place, launcher: str, workers: int | None, watch: Callable | None
) -> list[tuple[int, str]]:
    """Execute the runs and wait for them. Returns what went wrong, as (exit code, sentence); raises KeyboardInterrupt once
    every worker has written its checkpoint. `watch` is called several times a second while runs are under way."""
    folder = place.scratch / "submitit"
    work = Work([spec.to_json() for spec in specs], requests, replace(place, launch=uuid.uuid4().hex))
    if launcher == "debug":
        return in_this_process(work, folder, watch)
    count = min(workers or workers_here(len(specs), place.threads * place.processes), len(specs))
    return in_processes(work, folder, count, watch)


def in_this_process(work: Work, folder: Path, watch: Callable | None) -> list[tuple[int, str]]:
    """Submitit's debug executor, with `watch` called from a thread of its own."""
    executor = submitit.AutoExecutor(folder, cluster="debug")
    job = executor.submit(work)
    former = os.environ.get(EXECUTOR)
    os.environ[EXECUTOR] = "debug"
    over = threading.Event()

    def watching(look: Callable):
        while not over.wait(0.2):
            look()

    watcher = threading.Thread(target=watching, args=(watch,), daemon=True)
    if watch:
        watcher.start()
    try:
        # Not job.result(): on an error Submitit's debug job would open a debugger.
        error = job.exception()
    finally:
        os.environ.pop(EXECUTOR) if former is None else os.environ.update({EXECUTOR: former})
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
    here = str(ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in (here, os.environ.get("PYTHONPATH")) if path)
    os.environ["PYTHONSAFEPATH"] = "1"  # nor a file of the working directory that happens to be called bench
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
                        # Submitit's own: a local job has no public way to be told of a signal.
                        job._process.send_signal(signal.SIGTERM)  # pyright: ignore[reportAttributeAccessIssue]
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
