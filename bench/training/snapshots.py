"""Looks at a run on its way: at which shares of its budget they are due, and what was seen so far.

A look changes nothing of the run. Those that were taken are in its checkpoint, so none is taken twice, and one that an interruption cut
short is taken when the run goes on, before its next step.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.training.trainer import Trainer


class Snapshots:
    """Of one training; in each of its processes, of which the first one looks and the others wait."""

    def __init__(self, shares: tuple[float, ...] = ()):
        self.shares = shares
        """At which they are asked for, in (0, 1], increasing."""
        self.passed = 0.0
        """The share of the budget up to which all that were due are taken."""
        self.taken: list[dict] = []
        """Fields of a bench.records.record.Snapshot each."""

    def due(self, share: float) -> float | None:
        """The one that is due where so much is spent; of several that one step passed, the last. None where none is."""
        return max((asked for asked in self.shares if self.passed < asked <= share), default=None)

    def look(self, trainer: "Trainer") -> None:
        """Take the one that is due, between two steps and off the clock; every process of the run calls this at the same step."""
        if not self.shares:
            self.passed = trainer.share
            return
        trainer.meet()  # in a budget of seconds each process has spent another share until then
        asked = self.due(trainer.share)
        if asked is not None and trainer.controls.snapshot:
            found = trainer.controls.snapshot(trainer, asked)
            if found is None:  # asked to stop: `passed` stays, and with it what is due
                return
            self.taken.append(found)
            trainer.saved_at, trainer.saved = -math.inf, None  # a checkpoint is due, also where there is one of this step
        self.passed = trainer.share
        if asked is not None:
            trainer.meet()

    def state_dict(self) -> dict:
        return {"passed": self.passed, "taken": self.taken}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        self.passed, self.taken = state["passed"], [*state["taken"]]
