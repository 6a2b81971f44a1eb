"""What a run has spent: steps, images, FLOPs and seconds, and from them the share of its budget that is spent, in [0, 1].

FLOPs are measured, never declared: one step is counted by torch on a copy of the method, once for each combination of
phase and view shapes, and every hook is counted as it runs; what counts is in bench/compute/flops.py.
"""

import contextlib
import time
from collections.abc import Callable

import torch

from bench.compute import collectives
from bench.spec import Budget

COUNTERS = ("steps", "images", "flops", "seconds", "setup_seconds", "step_flops")
"""What a checkpoint keeps of a meter."""


class Meter:
    """The four counters; what they hold goes into the checkpoint and comes back, so they add up across requeues."""

    def __init__(self, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.steps, self.images, self.flops, self.seconds, self.setup_seconds = 0, 0, 0.0, 0.0, 0.0
        self.step_flops: dict[str, float] = {}
        self.running_since: float | None = None
        """When the clock was started that a charge left running."""
        self.cpu_since = self.own_cpu_seconds = 0.0
        """What this process's CPU time was when that clock was started, and its part of the charges since `add_up`."""
        self.cpu_seconds_before: float | None = 0.0
        """What `add_up` has added; None for ever after a checkpoint that does not say so."""

    def now(self) -> float:
        """Seconds by a clock that only runs forward, once the device has done what it was asked for."""
        # A GPU works behind the host's back: without this, its time would be charged to whoever waits for it next.
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextlib.contextmanager
    def charging(self, wait: bool = True):
        """The time inside is paid from the budget. Without wait the clock runs on until the next charge that waits for the device, or
        `settle`: what lies between is paid too, and a GPU need not stand still for the clock to be read."""
        if self.running_since is None:
            self.running_since, self.cpu_since = self.now(), time.process_time()
        try:
            yield
        finally:
            if wait:
                self.settle()

    def settle(self) -> None:
        """Stop the clock, once the device has done what it was asked for."""
        if self.running_since is not None:
            self.seconds += self.now() - self.running_since
            self.own_cpu_seconds += time.process_time() - self.cpu_since
            self.running_since = None

    @contextlib.contextmanager
    def setting_up(self):
        """The time inside is recorded and not charged."""
        self.settle()
        start = self.now()
        try:
            yield
        finally:
            self.setup_seconds += self.now() - start

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of what is charged: of all threads of the run's processes (of the others as of the last `add_up`)."""
        return None if self.cpu_seconds_before is None else self.cpu_seconds_before + self.own_cpu_seconds

    def add_up(self) -> None:
        """Every process of a run calls this at the same step: the CPU time of all of them becomes everybody's."""
        self.own_cpu_seconds = collectives.total(self.own_cpu_seconds)
        self.cpu_seconds_before, self.own_cpu_seconds = self.cpu_seconds, 0.0

    def flops_of_step(self, key: str, measure: Callable[[], float]) -> float:
        """FLOPs of a step of this kind; `measure` is called the first time, off the budget's clock."""
        if key not in self.step_flops:
            with self.setting_up():
                self.step_flops[key] = measure()
        return self.step_flops[key]

    def spent(self, budget: Budget) -> float:
        """How much is spent, in the budget's unit."""
        return getattr(self, budget.unit)

    def share(self, budget: Budget) -> float:
        """The share of the budget that is spent, in [0, 1]; 1 exactly when it is used up."""
        return min(1.0, self.spent(budget) / budget.amount)

    def state_dict(self) -> dict:
        return {name: getattr(self, name) for name in (*COUNTERS, "cpu_seconds")}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`; a missing counter is a KeyError, not a zero. Older checkpoints have no CPU time."""
        for name in COUNTERS:
            setattr(self, name, state[name])
        self.cpu_seconds_before, self.own_cpu_seconds = state.get("cpu_seconds"), 0.0
