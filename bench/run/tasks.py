"""Several tasks of one SLURM job for one run: the first claims, checkpoints, evaluates and records; the others join it for training.

The first task writes where it waits into the run's folder, the others look there. When it is done with them it says so the same way.
bench/run/processes.py does the same for processes on one machine that the first one starts itself.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch.distributed import Store, TCPStore  # pyright: ignore[reportPrivateImportUsage]  # public by their documentation

from bench.machine.files import write
from bench.machine.signals import Interrupted
from bench.run.folder import RunFolder
from bench.run.processes import PATIENCE

LOOK = 0.2
"""Seconds between two looks at the run's folder."""


class TaskDied(Interrupted):
    """One of the tasks that share a run has died: the job goes back to the queue, and the run on from its checkpoint."""


@contextlib.contextmanager
def exchanging() -> Iterator[None]:
    """TaskDied where an exchange between tasks fails within the block, and not the method's own code."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        raise TaskDied(f"an exchange with the other tasks broke: {str(error).splitlines()[0]}") from error


def enter(store: Store, rank: int, tasks: int) -> None:
    """Take part in the group."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=tasks, timeout=PATIENCE)


@contextlib.contextmanager
def shared_by_tasks(tasks: int, job: dict, folder: RunFolder) -> Iterator[None]:
    """Within the block all tasks of this SLURM job share the run; this is the first of them. `job` is what the others are told.
    TaskDied where an exchange with them breaks."""
    if tasks == 1:
        yield
        return
    host = os.environ["SLURM_LAUNCH_NODE_IPADDR"]
    store = TCPStore(host, 0, tasks, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    write(folder.meeting, json.dumps({**job, "host": host, "port": store.port}))
    try:
        with exchanging():
            enter(store, 0, tasks)
            yield
    finally:
        with contextlib.suppress(Exception):  # after a broken exchange there may be nothing left to destroy
            dist.destroy_process_group()
        folder.meeting.unlink(missing_ok=True)


def end(folder: RunFolder) -> None:
    """Tell the other tasks that nothing is left for them to do."""
    with contextlib.suppress(OSError):
        write(folder.over, "{}")


def attend(folder: RunFolder, rank: int, tasks: int, train) -> None:
    """What a task other than the first does: join the first in training, whenever it asks, until it says that all is over.
    train(job, join): as bench.run.follower.train. TaskDied where an exchange breaks."""
    while not folder.over.exists():
        try:
            job = json.loads(folder.meeting.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(LOOK)
            continue
        with exchanging():
            train(job, lambda job=job: enter(TCPStore(job["host"], job["port"], tasks, timeout=PATIENCE), rank, tasks))
        while folder.meeting.exists():
            time.sleep(LOOK)
