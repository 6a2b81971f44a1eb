"""One of the further processes of a run (bench/ranks.py): it trains its share of every batch and leaves when training ends.

python -m bench.follower '{"spec": ..., "rank": 1, "processes": 2, "meeting": ..., "scratch": ..., "data_root": ..., "threads": 1}'
"""

import json
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from bench.checkpoint import Checkpoints
from bench.interrupt import STOPS, Interrupted
from bench.memory import keep_freed_memory
from bench.ranks import join_as_follower
from bench.run import build_method, load_source, make_trainer
from bench.spec import RunSpec


def train(job: dict, join) -> None:
    """Train this process's share of a run, as the first process says. join: takes part in the group; called when all is ready, so
    that nobody's clock runs while this process gets ready."""
    spec = RunSpec.from_json(job["spec"])
    torch.set_num_threads(job["threads"])
    keep_freed_memory()
    source, num_classes = load_source(spec, Path(job["data_root"]) if job["data_root"] else None)
    method = build_method(spec, source, num_classes)
    state = Checkpoints(Path(job["scratch"]), spec.id).read(job["step"]) if job["step"] is not None else None
    trainer = make_trainer(method, source, spec, state)
    join()
    try:
        trainer.run()
    except Interrupted:
        return
    finally:
        dist.destroy_process_group()


def main(text: str) -> None:
    """A process that bench.ranks started."""
    job = json.loads(text)
    # The first process hears signals, and everybody stops at the same step.
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    train(job, lambda: join_as_follower(job))


if __name__ == "__main__":
    main(sys.argv[1])
