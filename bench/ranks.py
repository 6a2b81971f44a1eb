"""Several processes for one run: the first is whoever called, the others are started here and follow it to the end of training.

    with ranks(processes=2, job=job, folder=scratch / run_id):
        ...    # bench.distributed now knows of two devices

The first process claims, checkpoints, evaluates and records; a follower trains its share and leaves. They meet through a file, so no port
is taken. A follower that dies breaks the first process's next exchange within moments, and so the other way round.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

PATIENCE = timedelta(minutes=30)
"""The longest that one process waits for another: more than any step, less than a night. One that dies is noticed at once."""


def join(meeting: Path, rank: int, processes: int, alive=lambda: None) -> None:
    """Take part in the group that meets at this file; returns when all have come. `alive` is called while waiting."""
    store = dist.FileStore(str(meeting.absolute()), processes)
    store.set(f"here-{rank}", "yes")
    while not store.check([f"here-{number}" for number in range(processes)]):
        alive()
        time.sleep(0.05)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=PATIENCE)


class FollowerDied(RuntimeError):
    """One of a run's processes ended early; the message says what its log ends with."""


@contextlib.contextmanager
def ranks(processes: int, job: dict, folder: Path, entry: str = "bench.follower") -> Iterator[None]:
    """Within the block `processes` processes share the run; one is this one. `job` goes to the module `entry` as JSON, the
    followers' output to <folder>/rank-N.log. FollowerDied where one ends early."""
    if processes == 1:
        yield
        return
    meeting = folder / f"meeting-{uuid.uuid4().hex}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])}
    followers, logs = [], [folder / f"rank-{rank}.log" for rank in range(1, processes)]
    try:
        for rank, log in enumerate(logs, start=1):
            text = json.dumps({**job, "meeting": str(meeting), "rank": rank, "processes": processes})
            with log.open("w") as output:
                # In a session of its own: a terminal's Ctrl-C is for the first process, which tells the others when to stop.
                command = [sys.executable, "-m", entry, text]
                followers.append(subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True))

        def alive() -> None:
            if any(follower.poll() is not None for follower in followers):
                raise FollowerDied(f"a process of the run ended before it began: {last_words(logs)}")

        join(meeting, 0, processes, alive)
        try:
            yield
        except RuntimeError as error:
            time.sleep(0.5)  # whoever broke the exchange is about to end
            died = any(follower.poll() for follower in followers)
            raise (FollowerDied(f"a process of the run ended early: {last_words(logs)}") if died else error) from None
        if any(follower.wait() for follower in followers):
            raise FollowerDied(f"a process of the run failed at its end: {last_words(logs)}")
    finally:
        with contextlib.suppress(Exception):  # after a broken exchange there may be nothing left to destroy
            dist.destroy_process_group()
        for follower in followers:
            if follower.poll() is None:
                follower.kill()
            follower.wait()
        meeting.unlink(missing_ok=True)


def last_words(logs: list[Path]) -> str:
    """The last line that each follower wrote."""
    said = [f"{log.name}: {lines[-1].strip()}" for log in logs if (lines := log.read_text(errors="replace").strip().splitlines())]
    return "; ".join(said) or "its processes wrote nothing"
