"""One of the further processes of a run (bench/run/processes.py): it trains its share of every batch and leaves when training ends.

python -m bench.run.follower '{"spec": ..., "rank": 1, "processes": 2, "rendezvous": ..., "scratch": ..., "data_root": ..., "threads": 1}'
"""

import json
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from bench.data import catalogue
from bench.data.source import load_source
from bench.machine.memory import keep_freed_memory
from bench.machine.signals import STOPS, Interrupted
from bench.run.build import build_method, make_trainer
from bench.run.place import Place
from bench.run.processes import join_as_follower
from bench.spec import RunSpec
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls


def job_of(spec: RunSpec, place: Place, state: dict | None, threads: int) -> dict:
    """What such a process is told. state: of the checkpoint that the run goes on from."""
    return {
        "spec": spec.to_json(),
        "scratch": str(place.scratch),
        "data_root": None if place.data_root is None else str(place.data_root),
        "threads": threads,
        "step": state and state["step"],
        "snapshots": place.snapshots,
    }


def train(job: dict, join) -> None:
    """Train this process's share of a run, as the first process says. join: takes part in the group; called when all is ready, so
    that nobody's clock runs while this process gets ready."""
    spec = RunSpec.from_json(job["spec"])
    torch.set_num_threads(job["threads"])
    keep_freed_memory()
    data = catalogue.require(spec.dataset, Path(job["data_root"]) if job["data_root"] else None)
    source, num_classes = load_source(spec, data, job["threads"])
    method = build_method(spec, source, num_classes)
    state = Checkpoints(Path(job["scratch"]), spec.id).read(job["step"]) if job["step"] is not None else None
    trainer = make_trainer(method, source, spec, state, Controls(snapshots=tuple(job["snapshots"])))
    join()
    try:
        trainer.run()
    except Interrupted:
        return
    finally:
        dist.destroy_process_group()


def main(text: str) -> None:
    """A process that bench.run.processes started."""
    job = json.loads(text)
    # The first process hears signals, and everybody stops at the same step.
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    train(job, lambda: join_as_follower(job))


if __name__ == "__main__":
    main(sys.argv[1])
