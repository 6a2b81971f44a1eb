"""How a training is watched, saved and stopped by who runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.training.checkpoint import Checkpoints

if TYPE_CHECKING:
    from bench.training.trainer import Trainer


@dataclass
class Controls:
    """None of it can change a run's outcome."""

    checkpoints: Checkpoints | None = None
    every: float = 60.0
    """Seconds between checkpoints."""
    threads: int = 1
    """CPU threads that the run computes with: a checkpoint keeps them, and the run goes on with as many."""
    report: Callable[["Trainer"], None] = lambda trainer: None
    """Called after every step; on a GPU after every few (`AT_ONCE`)."""
    snapshots: tuple[float, ...] = ()
    """Shares of the budget, in (0, 1] and increasing, at which the run is looked at on its way: the same in all of its processes."""
    snapshot: Callable[["Trainer", float], dict | None] | None = None
    """What looks, in the first process: handed the share that was asked for, it says what it found, or None where it was interrupted and
    `stop` will say so. It leaves the trainer as it is."""
    stop: Callable[[], bool] = lambda: False
    """Asked as often; True: write a checkpoint and raise Interrupted."""
