"""The one loop. It trains any method until its budget is spent, from its checkpoint if there is one.

The only things it knows of a method are the four calls of the contract (bench/method.py).
"""

import math
import time

import torch
from torch import Tensor

from bench.compute import collectives
from bench.data.source import Source
from bench.encoders import features
from bench.machine.signals import Interrupted
from bench.method import Batch, Method
from bench.spec import RunSpec, settled
from bench.training.batches import Batches
from bench.training.clock import Clock
from bench.training.controls import Controls
from bench.training.cuda_graph import CapturedStep
from bench.training.divergence import Diverged, linear_algebra_told, require_finite
from bench.training.hook import has_hook, retake_statistics, run_hook
from bench.training.loss_curve import Curve, Unread
from bench.training.meter import Meter
from bench.training.optim import build_optimizer, clear_state, load_state_by_name, state_by_name
from bench.training.snapshots import Snapshots
from bench.training.step import CapturedSteps, make_step, measure_step, phase_of, update

AT_ONCE = 16
"""Steps that a GPU is given before the loss of the first of them is looked at."""


class Trainer:
    """A run in progress: the method, its optimizer, its meter. `run()` ends when the budget is spent."""

    def __init__(self, method: Method, source: Source, spec: RunSpec, controls: Controls | None = None):
        self.method, self.spec, self.controls = method, spec, controls or Controls()
        self.recipe, self.batches = settled(spec.recipe), Batches(method, source, spec)
        self.meter, self.curve, self.snapshots = Meter(source.device), Curve(), Snapshots(self.controls.snapshots)
        self.clock = Clock(self.meter, spec.budget, self.batches.steps_per_epoch)
        # In a budget of seconds the clock decides the next step's learning rate, so every step is waited for.
        self.unread, self.at_once = Unread(), AT_ONCE if source.device.type == "cuda" and spec.budget.unit != "seconds" else 1
        self.captured_steps = CapturedSteps(method, self.batches, spec)
        self.optimizer = build_optimizer(method, self.recipe)
        self.images_at_once = features.IMAGES_AT_ONCE
        """Images per forward pass where the method's hook asks for features; they do not depend on it beyond rounding."""
        self.hooked_epoch, self.retaken, self.loss = -1, False, math.nan
        self.saved_at, self.saved = time.monotonic(), None
        self.origin: dict = {}
        """Hardware and environment that the training began with; kept in the checkpoint for the record."""

    @property
    def source(self) -> Source:
        return self.batches.source

    @property
    def epoch(self) -> int:
        """Passes over the training set that are complete; images that do not fill a batch wait for the next order."""
        return self.meter.steps // self.batches.steps_per_epoch

    @property
    def share(self) -> float:
        """Of the budget that is spent, hooks included."""
        return self.meter.share(self.spec.budget)

    @property
    def progress(self) -> float:
        """Of the step that begins now (clock.py): what methods, schedules and phases go by."""
        return self.clock.progress(self.hooked_epoch)

    def run(self) -> None:
        """Train until the budget is spent. Raises Diverged or Interrupted."""
        self.method.train()
        self.meet()
        self.snapshots.look(self)
        while self.share < 1:
            if self.epoch > self.hooked_epoch:  # the hook may use up the budget: look again
                before = self.meter.spent(self.spec.budget)
                with self.meter.charging():
                    self.before_epoch()
                self.meet()
                self.clock.charge_hook(self.meter.spent(self.spec.budget) - before if has_hook(self.method) else 0.0)
                continue
            progress = self.clock.look(self.hooked_epoch)
            with linear_algebra_told(self.method, self.meter.steps, self.read_losses):
                flops = self.meter.flops_of_step(phase_of(self.method, progress), lambda p=progress: self.measure_step(p))
                if flops == 0 and self.spec.budget.unit == "flops":
                    raise ValueError("a step costs no FLOPs, so a budget in FLOPs would never end; take another unit")
                captured = self.captured_steps.of(self.meter.steps, progress, self.meter)
                with self.meter.charging(wait=len(self.unread) + 1 >= self.at_once):
                    loss = self.play(captured, progress) if captured else self.step(self.method, self.optimizer, self.batch(), progress)
            self.meter.steps += 1
            self.meter.images += self.recipe.batch_size
            self.meter.flops += flops
            self.unread.add(self.meter.steps, self.share, loss)
            goes_on = self.share < 1 and self.epoch == self.hooked_epoch and not self.snapshots.due(self.share)
            if len(self.unread) < self.at_once and goes_on:
                continue
            self.read_losses()
            self.snapshots.look(self)
            asked = self.agree()
            self.controls.report(self)
            self.save_if_due(*asked)
        self.snapshots.look(self)
        self.save()
        # The last update may have broken what no later loss could show.
        require_finite(self.method, self.meter.steps)

    def read_losses(self) -> None:
        """Those of the steps since the last reading go into the curve. Raises Diverged at the first that is not a number."""
        self.meter.settle()
        for step, share, loss in self.unread.read():
            self.loss = loss
            if not math.isfinite(loss):
                self.meter.add_up()
                raise Diverged(f"loss is {loss} at step {step}")
            self.curve.add(share, loss)

    def before_epoch(self) -> None:
        """The method's hook, with its FLOPs counted as it runs. Raises Diverged where features of the training set are not finite."""

        def look(found: Tensor) -> None:
            if not found.isfinite().all():
                raise Diverged(f"features of the training set are not finite after step {self.meter.steps}")

        if has_hook(self.method):
            flops, named = run_hook(self.method, self.source, self.spec, self.epoch, look, self.images_at_once)
            clear_state(self.optimizer, tuple(named))
            self.meter.flops += flops
            self.captured_steps.forget_if_moved()
        self.hooked_epoch = self.epoch

    def retake_statistics(self) -> None:
        """After the last step, once, in the run's first process: BatchNorm's statistics of whole images, where the method has seen none."""
        if not self.retaken and not self.method.sees_whole_images:
            with self.meter.charging():
                self.meter.flops += retake_statistics(self.method, self.source, self.spec)
            self.retaken = True
            self.save()

    def step(self, method: Method, optimizer: torch.optim.Optimizer | None, batch: Batch, progress: float) -> Tensor:
        """A step of this run's recipe and precision (bench/training/step.py). Returns the loss [], on the device."""
        return make_step(method, optimizer, batch, progress, self.spec)

    def play(self, captured: CapturedStep, progress: float) -> Tensor:
        """The run's next step, from the captured one of its phase. Returns the loss [], on the device."""
        loss = captured.play(self.meter.steps, self.batches.images(self.meter.steps))
        update(self.method, self.optimizer, progress, self.recipe)
        return loss

    def batch(self) -> Batch:
        """This device's rows of the batch of the current step."""
        return self.batches.batch(self.meter.steps)

    def measure_step(self, progress: float) -> float:
        """FLOPs of the step that begins at `progress`, without its views; the run itself is left as it was. Those of one device
        with the whole batch: a budget in FLOPs ends at the same step for any number of devices."""
        with collectives.alone():
            flops = measure_step(self.method, self.batch(), progress, self.spec)
        self.meet()
        return flops

    def meet(self) -> None:
        """Wait for every device, off the clock, and take the first one's seconds: what is spent is one number on all of them."""
        (self.meter.seconds,) = collectives.agree([self.meter.seconds])

    def agree(self) -> tuple[bool, bool]:
        """The first device's clock and wishes become everybody's: whether to stop, and whether a checkpoint is due."""
        wishes = float(self.controls.stop()), float(time.monotonic() - self.saved_at >= self.controls.every)
        self.meter.seconds, stop, due = collectives.agree([self.meter.seconds, *wishes])
        return bool(stop), bool(due)

    def save_if_due(self, stop: bool, due: bool) -> None:
        """A checkpoint every so many seconds, written while the training goes on; and one when asked to stop."""
        if stop and self.share < 1:
            self.save()
            raise Interrupted(f"stopped at {self.share:.0%} of the budget")
        if due:
            self.save(wait=False)

    def save(self, wait: bool = True) -> None:
        """A checkpoint of this very state, unless there is one. wait: it is on disk when this returns."""
        self.meter.add_up()
        state, checkpoints = (self.meter.steps, self.hooked_epoch, self.retaken), self.controls.checkpoints
        if checkpoints and self.saved != state:
            (checkpoints.save if wait else checkpoints.begin)(self.meter.steps, self.state_dict())
        elif checkpoints and wait:
            checkpoints.settle()
        self.saved_at, self.saved = time.monotonic(), state

    def state_dict(self) -> dict:
        """Everything that decides how the run goes on."""
        return {
            "method": self.method.state_dict(),
            "optimizer": state_by_name(self.optimizer),
            "meter": self.meter.state_dict(),
            "clock": self.clock.state_dict(),
            "hooked_epoch": self.hooked_epoch,
            "retaken": self.retaken,
            "snapshots": self.snapshots.state_dict(),
            "curve": [self.curve.points, self.curve.total, self.curve.count],
            "threads": self.controls.threads,
            "origin": self.origin,
        }

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`; strict."""
        self.method.load_state_dict(state["method"])
        load_state_by_name(self.optimizer, state["optimizer"])
        self.meter.load_state_dict(state["meter"])
        self.clock.load_state_dict(state.get("clock", self.clock.state_dict()))  # an older checkpoint is of a run without charged hooks
        self.curve = Curve([tuple(point) for point in state["curve"][0]], *state["curve"][1:])
        self.hooked_epoch, self.retaken = state["hooked_epoch"], state.get("retaken", False)  # older checkpoints do not say so
        self.snapshots.load_state_dict(state.get("snapshots", {"passed": self.share, "taken": []}))  # older checkpoints have none
        self.origin, self.saved = state["origin"], (self.meter.steps, self.hooked_epoch, self.retaken)
