"""The losses of a run: of every step, read back a few steps at a time, and their mean over each hundredth of the budget.

Reading a loss waits for the device. On a GPU that would leave it idle between steps, so there losses stay where they are for some steps.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

CURVE_POINTS = 100
"""Points of the recorded loss curve."""


@dataclass
class Curve:
    """Mean loss over each hundredth of the budget."""

    points: list[tuple[float, float]] = field(default_factory=list)
    total: float = 0.0
    count: int = 0

    def add(self, share: float, loss: float) -> None:
        self.total, self.count = self.total + loss, self.count + 1
        if share >= 1 or math.floor(share * CURVE_POINTS) > math.floor((self.points[-1][0] if self.points else 0) * CURVE_POINTS):
            self.points.append((share, self.total / self.count))
            self.total, self.count = 0.0, 0


@dataclass
class Unread:
    """Losses that are still on the device, each with its step and with the share of the budget that is spent after it."""

    steps: list[tuple[int, float, Tensor]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, share: float, loss: Tensor) -> None:
        self.steps.append((step, share, loss))

    def read(self) -> Iterator[tuple[int, float, float]]:
        """(step, share, loss) of every step since the last reading; waits for the device once."""
        steps, self.steps = self.steps, []
        losses = torch.stack([loss for *_, loss in steps]).tolist() if steps else []
        yield from ((step, share, loss) for (step, share, _), loss in zip(steps, losses, strict=True))
