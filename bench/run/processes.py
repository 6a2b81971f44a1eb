"""Several processes for one run: the first is whoever called, the others are started here and follow it to the end of training.

    with shared_by_processes(2, job, run_folder(scratch, run_id)):
        ...    # bench.compute.collectives now knows of two devices

The first process claims, checkpoints, evaluates and records; a follower trains its share and leaves. They find each other through a file
and talk over this machine's loopback. A follower that dies breaks the first process's next exchange within moments; a follower whose
first process is gone is ended by the kernel, or notices.
"""

import atexit
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]  # public by its documentation

from bench.defaults import ROOT
from bench.run.folder import RunFolder, done_with

PATIENCE = timedelta(minutes=30)
"""The longest that one process waits for another in training: more than any step, less than a night. A death is noticed at once."""

TO_DIE, TO_END = 10.0, 60.0
"""Seconds that a follower is given to die of a broken exchange, and to end once training has."""

ON_PARENTS_DEATH = 1
"""Linux's PR_SET_PDEATHSIG."""


class FollowerDied(RuntimeError):
    """One of a run's processes ended early; the message says what its log ends with."""


def join(rendezvous: Path, rank: int, processes: int, alive=lambda: None) -> None:
    """Take part in the group whose processes find each other through this file; returns when all have come. `alive` is called while
    it waits."""
    store = FileStore(str(rendezvous.absolute()), processes)
    store.set(f"here-{rank}", "yes")
    while not store.check([f"here-{number}" for number in range(processes)]):
        alive()
        time.sleep(0.05)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=PATIENCE)


def join_as_follower(job: dict) -> None:
    """Take part as the process that `shared_by_processes` started with this job; it does not outlive the one that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ON_PARENTS_DEATH, signal.SIGKILL)

    def alive() -> None:
        if os.getppid() != job["parent"]:
            sys.exit("the process that began the run is gone")

    alive()
    join(Path(job["rendezvous"]), job["rank"], job["processes"], alive)


def start(entry: str, log: Path, *words: str, **options) -> subprocess.Popen:
    """A process that runs the module `entry` with these words, its output in the log."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    # -P: this code, and not a folder of the same name in the working directory. In a session of its own: a
    # terminal's Ctrl-C is for the first process, which tells the others when to stop.
    command, environment = [sys.executable, "-P", "-m", entry, *words], {**os.environ, "PYTHONPATH": path}
    with log.open("w") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True, **options)


class Kept:
    """A follower that goes from one job to the next, because to start one takes seconds: to `shared_by_processes` it is a process
    that ends with its job.

    The module `entry` hands each job on with `serve`. A follower that fails ends, and the next job gets a new one."""

    def __init__(self, entry: str):
        self.entry = entry
        self.process: subprocess.Popen | None = None
        atexit.register(self.stop)

    def begin(self, text: str, log: Path) -> "Kept":
        """The job, as JSON, goes to the follower, which is started where there is none."""
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self.process = start(self.entry, log, stdin=subprocess.PIPE, text=True)
        self.done = done_with(log)
        self.done.unlink(missing_ok=True)
        with contextlib.suppress(BrokenPipeError):  # it has just died, as `poll` will say
            print(json.dumps([text, str(log.absolute())]), file=self.process.stdin, flush=True)
        return self

    @property
    def begun(self) -> subprocess.Popen:
        """The process that has the job."""
        assert self.process, "there is none before `begin`"
        return self.process

    def poll(self) -> int | None:
        return 0 if self.done.exists() else self.begun.poll()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def kill(self) -> None:
        """The end of the job; of the follower too, where it has not done it."""
        if self.poll() != 0:
            self.begun.kill()

    def wait(self) -> None:
        if self.poll() != 0:
            self.begun.wait()

    def stop(self) -> None:
        """End the follower, if there is one."""
        if self.process:
            self.process.kill()
            self.process.wait()
            if self.process.stdin:
                with contextlib.suppress(BrokenPipeError):
                    self.process.stdin.close()
            self.process = None


def serve(work: Callable[[str], None]) -> None:
    """Do the jobs that `Kept` sends to this process, each with its output in its own log. What goes wrong ends the process."""
    for line in sys.stdin:
        text, log = json.loads(line)
        with open(log, "a") as output:
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
        work(text)
        done_with(Path(log)).touch()


@contextlib.contextmanager
def shared_by_processes(
    processes: int, job: dict, folder: RunFolder, entry: str = "bench.run.follower", kept: Kept | None = None
) -> Iterator[None]:
    """Within the block `processes` processes share the run; one is this one. `job` goes to the module `entry` as JSON, the
    followers' output into the run's folder. kept: the one follower of a run of two. FollowerDied where one ends early."""
    if processes == 1:
        yield
        return
    followers, logs = [], [folder.log(rank) for rank in range(1, processes)]
    with tempfile.TemporaryDirectory(prefix="sslbench-") as temporary:
        rendezvous = Path(temporary) / "rendezvous"
        try:
            for rank, log in enumerate(logs, start=1):
                text = json.dumps({**job, "rendezvous": str(rendezvous), "rank": rank, "processes": processes, "parent": os.getpid()})
                followers.append(kept.begin(text, log) if kept else start(entry, log, text))

            def alive() -> None:
                if any(follower.poll() is not None for follower in followers):
                    raise FollowerDied(f"a process of the run ended before it began: {last_words(logs)}")

            join(rendezvous, 0, processes, alive)
            try:
                yield
            except RuntimeError as error:
                if wait(followers, TO_DIE, any):
                    raise FollowerDied(f"a process of the run ended early: {last_words(logs)}") from error
                raise
            if not wait(followers, TO_END, all) or any(follower.returncode for follower in followers):
                raise FollowerDied(f"a process of the run failed at its end: {last_words(logs)}")
        finally:
            with contextlib.suppress(Exception):  # after a broken exchange there may be nothing left to destroy
                dist.destroy_process_group()
            for follower in followers:
                follower.kill()
                follower.wait()


def wait(followers: list[subprocess.Popen | Kept], seconds: float, enough) -> bool:
    """Until `enough` (any or all) of them have ended, at most so long; whether they have."""
    deadline = time.monotonic() + seconds
    while not enough([follower.poll() is not None for follower in followers]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return enough([follower.poll() is not None for follower in followers])


def last_words(logs: list[Path]) -> str:
    """The last line that each follower wrote."""
    said = [f"{log.name}: {lines[-1].strip()}" for log in logs if (lines := log.read_text(errors="replace").strip().splitlines())]
    return "; ".join(said) or "its processes wrote nothing"
