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
    stop: Callable[[], bool] = lambda: False
    """Asked as often; True: write a checkpoint and raise Interrupted."""
