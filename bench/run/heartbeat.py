"""A small file beside a run's checkpoints that says how the run is getting on: written by whoever runs it, read by `status`
and the progress bars. Its "progress" is the share of the budget that is spent, as theirs.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine.files import write
from bench.run.folder import run_folder
from bench.spec import RunSpec

INTERVAL = 0.5
"""Seconds between two writes, at least."""


class Heartbeat:
    """The heartbeat of one run; the folder must exist."""

    def __init__(self, scratch: Path, spec: RunSpec, launch: str = ""):
        """launch: as bench.run.place.Place has it."""
        self.launch = launch
        self.path, self.spec, self.last = run_folder(scratch, spec.id).heartbeat, spec, 0.0
        self.begun = own_logs()

    def write(self, state: str, trainer=None, doing: str = "") -> None:
        """state: starting, training, evaluating; or how it ended. doing: what of it, 'finetune 40%'. In training, and where something
        is being done, a write may be left out, a change of state never."""
        if (state == "training" or doing) and time.monotonic() - self.last < INTERVAL:
            return
        self.last = time.monotonic()
        beat = {"id": self.spec.id, "name": self.spec.name, "state": state, "pid": os.getpid(), "time": time.time()}
        beat |= {"launch": self.launch, "log": own_log()}
        beat |= {"logs": {path: [self.begun.get(path, 0), size] for path, size in own_logs().items()}}
        if doing:
            beat["doing"] = doing
        if trainer:
            meter, share = trainer.meter, trainer.share
            beat |= {
                "progress": share,
                "spent": getattr(meter, self.spec.budget.unit),
                "images_per_second": meter.images / meter.seconds if meter.seconds else 0.0,
                "loss": trainer.loss,
                "seconds_left": meter.seconds / share * (1 - share) if share else None,
            }
        write(self.path, json.dumps(beat))

    def of_evaluation(self, trainer=None) -> Callable[[str, float], None]:
        """What is told at which evaluator the run is, and which share of that is done, and says so here: 'finetune 40%'."""
        return lambda request, done: self.write("evaluating", trainer, f"{request} {done:.0%}")


def own_log() -> str | None:
    """The file that this process's standard error goes to; None where it is a terminal or a pipe."""
    return file_behind(2)


def own_logs() -> dict[str, int]:
    """The files that this process's standard output and error go to, and how much is in them now: a worker's are of several runs."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    paths = dict.fromkeys(path for descriptor in (1, 2) if (path := file_behind(descriptor)))
    return {path: os.path.getsize(path) for path in paths}


def file_behind(descriptor: int) -> str | None:
    """Its path; None where it is a terminal, a pipe, or a file that is gone."""
    with contextlib.suppress(OSError):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        return path if os.path.isfile(path) else None
    return None


def read_heartbeat(scratch: Path, run_id: str) -> dict | None:
    """The last heartbeat of a run; None where there is none."""
    with contextlib.suppress(OSError, json.JSONDecodeError):
        return json.loads(run_folder(scratch, run_id).heartbeat.read_text())
    return None
