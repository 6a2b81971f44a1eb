"""A training's own clock: `progress`, by which schedules, phases and methods go, over the part of the budget that is left for steps.

The share of the budget that is spent (meter.py) is another number where hooks before an epoch are charged: a hook may cost half of a budget
before the first step is made, whose progress is 0 all the same. In a budget of steps or images, and without such a hook, the two are one.
"""

from bench.spec import Budget
from bench.training.meter import Meter

COUNTERS = ("hooks", "last_hook", "steps", "left")
"""What a checkpoint keeps of a clock."""


def left_for_steps(left: float, step: float, until_hook: int, steps_per_epoch: int, hook: float) -> float:
    """How much of the budget that is left goes to steps, each so much, with a hook after `until_hook` of them and one an epoch.

    step, hook: what one costs, as `left` in the budget's unit."""
    now = until_hook * step
    if left <= now:
        return left
    epoch = steps_per_epoch * step
    epochs, rest = divmod(left - now, hook + epoch)
    return now + epochs * epoch + max(0.0, rest - hook)


class Clock:
    """progress = what steps have spent / (the budget - what hooks have spent - what those to come are foreseen to spend).

    Each hook to come is taken to cost what the last one did, each step to come the mean of those made, and no hook begins after the budget
    is spent. Where that turns out otherwise, what is left of progress is shared out anew over the steps to come: it never goes back, and
    is 1 when the budget is spent."""

    def __init__(self, meter: Meter, budget: Budget, steps_per_epoch: int):
        self.meter, self.budget, self.steps_per_epoch = meter, budget, steps_per_epoch
        self.hooks = self.last_hook = 0.0
        """What hooks have spent, and the last of them, in the budget's unit."""
        self.steps, self.left = 0.0, 1.0
        """What steps had spent when `look` was last called, and what was left of progress then."""

    def charge_hook(self, cost: float) -> None:
        """A hook has spent so much of the budget."""
        self.hooks, self.last_hook = self.hooks + cost, cost

    def progress(self, hooked_epoch: int) -> float:
        """Of the step that begins now, in [0, 1]. hooked_epoch: number of the epoch whose hook was the last one, -1 before the first."""
        spent, left = self.meter.spent(self.budget), self.budget.amount - self.meter.spent(self.budget)
        if not self.hooks or left <= 0:
            return self.meter.share(self.budget)
        by_steps = spent - self.hooks
        since = by_steps - self.steps
        if since <= 0:
            return 1 - self.left
        until_hook = (hooked_epoch + 1) * self.steps_per_epoch - self.meter.steps
        ahead = left_for_steps(left, by_steps / self.meter.steps, until_hook, self.steps_per_epoch, self.last_hook)
        return 1 - self.left * ahead / (since + ahead)

    def look(self, hooked_epoch: int) -> float:
        """`progress`, from which that of the next step is reckoned."""
        now = self.progress(hooked_epoch)
        self.steps, self.left = self.meter.spent(self.budget) - self.hooks, 1 - now
        return now

    def state_dict(self) -> dict:
        return {name: getattr(self, name) for name in COUNTERS}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`; a missing counter is a KeyError, not a zero."""
        for name in COUNTERS:
            setattr(self, name, state[name])
