"""The one loop. It trains any method until its budget is spent, from its checkpoint if there is one.

The only things it knows of a method are the four calls of the contract (bench/method.py).
"""

import copy
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.compute import collectives
from bench.compute.precision import computing_in
from bench.compute.randomness import generator
from bench.data.source import Source
from bench.encoders.features import extract
from bench.machine.signals import Interrupted
from bench.method import Batch, Method
from bench.spec import RunSpec
from bench.training.batches import Batches
from bench.training.checkpoint import Checkpoints
from bench.training.cuda_graph import CapturedStep, NotRecordable, cuda_graph
from bench.training.loss_curve import Curve, Unread
from bench.training.meter import Meter, count_flops
from bench.training.optim import build_optimizer, clear_state, load_state_by_name, set_progress, state_by_name

AT_ONCE = 16
"""Steps that a GPU is given before the loss of the first of them is looked at."""


class Diverged(Exception):
    """The loss is not a number any more; the run ends and is recorded with its reason."""


@dataclass
class Controls:
    """How a run is watched, saved and stopped; none of it can change its outcome."""

    checkpoints: Checkpoints | None = None
    every: float = 60.0
    """Seconds between checkpoints."""
    report: Callable[["Trainer"], None] = lambda trainer: None
    """Called after every step; on a GPU after every few (`AT_ONCE`)."""
    stop: Callable[[], bool] = lambda: False
    """Asked as often; True: write a checkpoint and raise Interrupted."""


class Trainer:
    """A run in progress: the method, its optimizer, its meter. `run()` ends when the budget is spent."""

    def __init__(self, method: Method, source: Source, spec: RunSpec, controls: Controls | None = None):
        self.method, self.spec, self.controls = method, spec, controls or Controls()
        self.recipe, self.batches = spec.recipe, Batches(method, source, spec)
        self.meter, self.curve = Meter(source.device), Curve()
        # In a budget of seconds the clock decides the next step's learning rate, so every step is waited for.
        self.unread, self.at_once = Unread(), AT_ONCE if source.device.type == "cuda" and spec.budget.unit != "seconds" else 1
        self.recorder = cuda_graph if source.device.type == "cuda" else None
        self.recorded: tuple[str | None, CapturedStep | None] = (None, None)
        self.optimizer = build_optimizer(method, self.recipe)
        self.hooked_epoch, self.loss = -1, math.nan
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
    def progress(self) -> float:
        return self.meter.progress(self.spec.budget)

    def run(self) -> None:
        """Train until progress is 1. Raises Diverged or Interrupted."""
        self.method.train()
        self.meet()
        while (progress := self.progress) < 1:
            if self.epoch > self.hooked_epoch:  # the hook may use up the budget: look again
                with self.meter.charging():
                    self.before_epoch()
                self.meet()
                continue
            flops = self.meter.flops_of_step(self.kind_of_step(progress), lambda p=progress: self.measure_step(p))
            if flops == 0 and self.spec.budget.unit == "flops":
                raise ValueError("a step costs no FLOPs, so a budget in FLOPs would never end; take another unit")
            recording = self.recording(progress)
            with self.meter.charging(wait=len(self.unread) + 1 >= self.at_once):
                loss = self.play(recording, progress) if recording else self.step(self.method, self.optimizer, self.batch(), progress)
            self.meter.steps += 1
            self.meter.images += self.recipe.batch_size
            self.meter.flops += flops
            self.unread.add(self.meter.steps, self.progress, loss)
            if len(self.unread) < self.at_once and self.progress < 1 and self.epoch == self.hooked_epoch:
                continue
            self.read_losses()
            asked = self.agree()
            self.controls.report(self)
            self.save_if_due(*asked)
        self.save()
        # The last update may have broken what no later loss could show.
        broken = [name for name, value in self.method.state_dict().items() if value.is_floating_point() and not value.isfinite().all()]
        if broken:
            raise Diverged(f"{broken[0]} is not finite after step {self.meter.steps}")

    def read_losses(self) -> None:
        """Those of the steps since the last reading go into the curve. Raises Diverged at the first that is not a number."""
        self.meter.settle()
        for step, progress, loss in self.unread.read():
            self.loss = loss
            if not math.isfinite(loss):
                raise Diverged(f"loss is {loss} at step {step}")
            self.curve.add(progress, loss)

    def before_epoch(self) -> None:
        """The method's hook, with its FLOPs counted as it runs."""
        source, epoch, shared = self.source, self.epoch, []

        def features(function, count=None):
            def own_part():
                images = source.images[:count]
                rows.append(extract(self.method, function, images, source.mean, source.std, self.spec.precision, shared=True))

            rows = []
            shared.append(count_flops(own_part))
            if not rows[0].isfinite().all():
                raise Diverged(f"features of the training set are not finite after step {self.meter.steps}")
            return rows[0]

        def hook():
            draws = generator(self.spec.seed, "before_epoch", epoch, device=source.device)
            clear_state(self.optimizer, tuple(self.method.before_epoch(features, draws)))

        # Counting costs time, so a method without a hook is spared it.
        if type(self.method).before_epoch is not Method.before_epoch:
            # What every device does for itself counts once, what they share counts as a whole: the same for any number of devices.
            everything = count_flops(hook)
            self.meter.flops += everything - sum(shared) + collectives.total(sum(shared))
            if self.recorded[1] and not self.recorded[1].holds():
                self.recorded = (None, None)
        self.hooked_epoch = epoch

    def recording(self, progress: float) -> CapturedStep | None:
        """Of the steps of this phase, made when it is first asked for, off the clock; None where they are made one by one."""
        kind = self.kind_of_step(progress)
        if self.recorded[0] != kind:
            with self.meter.setting_up():
                self.recorded = kind, self.record(progress)
        return self.recorded[1]

    def play(self, recording: CapturedStep, progress: float) -> Tensor:
        """The run's next step from its recording. Returns the loss, on the device."""
        loss = recording.play(self.meter.steps, self.batches.images(self.meter.steps))
        self.update(self.method, self.optimizer, progress)
        return loss

    def record(self, progress: float) -> CapturedStep | None:
        """A recording of the steps of this phase; None on a CPU, on several devices, and with a warning where they cannot be recorded."""
        if self.recorder is None or collectives.size() > 1:
            return None

        def run_at(progress):
            def run(step, index, images, take):
                self.method.zero_grad(set_to_none=True)
                return self.gradients(self.method, self.batches.show(step, index, images, take), progress)

            return run

        first, end = self.meter.steps, min((phase for phase in self.method.phases if phase > progress), default=1.0)
        try:
            recording = CapturedStep(self.method, run_at(progress), first, self.batches.images(first), self.recorder)
            recording.require_same(run_at(math.nextafter(end, 0.0)), first + 1, self.batches.images(first + 1))
        except NotRecordable as reason:
            warnings.warn(f"{self.spec.name}: its steps are not recorded as a CUDA graph, and take longer: {reason}", stacklevel=2)
            recording = None
        self.method.zero_grad(set_to_none=True)
        return recording

    def step(self, method: Method, optimizer: torch.optim.Optimizer | None, batch: Batch, progress: float) -> Tensor:
        """Loss, backward, update, after_step. Returns the loss, on the device. Without an optimizer nothing is updated."""
        loss = self.gradients(method, batch, progress)
        self.update(method, optimizer, progress)
        return loss

    def gradients(self, method: Method, batch: Batch, progress: float) -> Tensor:
        """Loss and backward."""
        with computing_in(self.spec.precision, self.source.device):
            loss = method.loss(batch, progress)
        loss.backward()
        return loss.detach()

    def update(self, method: Method, optimizer: torch.optim.Optimizer | None, progress: float) -> None:
        """Update and after_step, of the gradients that are there."""
        collectives.average_gradients(method)
        if optimizer:
            if self.recipe.clip_grad:
                torch.nn.utils.clip_grad_norm_(method.parameters(), self.recipe.clip_grad)
            set_progress(optimizer, self.recipe, progress)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        method.after_step(progress)

    def batch(self) -> Batch:
        """This device's rows of the batch of the current step."""
        return self.batches.batch(self.meter.steps)

    def kind_of_step(self, progress: float) -> str:
        """Steps of one kind have the same graph: the number of the phase (view shapes and batch size are fixed in a run)."""
        return f"phase {sum(progress >= start for start in self.method.phases)}"

    def measure_step(self, progress: float) -> float:
        """FLOPs of the step that begins at `progress`, without its views; on a copy, so the run itself is left as it was. Those
        of one device with the whole batch: a budget in FLOPs ends at the same step for any number of devices."""
        with collectives.alone():
            twin, batch = copy.deepcopy(self.method), self.batch()
            flops = count_flops(lambda: self.step(twin, None, batch, progress))
        self.meet()
        return flops

    def meet(self) -> None:
        """Wait for every device, off the clock, and take the first one's clock: progress is one number on all of them."""
        (self.meter.seconds,) = collectives.agree([self.meter.seconds])

    def agree(self) -> tuple[bool, bool]:
        """The first device's clock and wishes become everybody's: whether to stop, and whether a checkpoint is due."""
        wishes = float(self.controls.stop()), float(time.monotonic() - self.saved_at >= self.controls.every)
        self.meter.seconds, stop, due = collectives.agree([self.meter.seconds, *wishes])
        return bool(stop), bool(due)

    def save_if_due(self, stop: bool, due: bool) -> None:
        """A checkpoint every so many seconds, written while the training goes on; and one when asked to stop."""
        if stop and self.progress < 1:
            self.save()
            raise Interrupted(f"stopped at {self.progress:.0%} of the budget")
        if due:
            self.save(wait=False)

    def save(self, wait: bool = True) -> None:
        """A checkpoint of this very state, unless there is one. wait: it is on disk when this returns."""
        state, checkpoints = (self.meter.steps, self.hooked_epoch), self.controls.checkpoints
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
            "hooked_epoch": self.hooked_epoch,
            "curve": [self.curve.points, self.curve.total, self.curve.count],
            "threads": torch.get_num_threads(),
            "origin": self.origin,
        }

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`; strict."""
        self.method.load_state_dict(state["method"])
        load_state_by_name(self.optimizer, state["optimizer"])
        self.meter.load_state_dict(state["meter"])
        self.hooked_epoch = state["hooked_epoch"]
        points, total, count = state["curve"]
        self.curve = Curve([tuple(point) for point in points], total, count)
        self.origin, self.saved = state["origin"], (self.meter.steps, self.hooked_epoch)


def fit(method: Method, source: Source, spec: RunSpec) -> Meter:
    """What is not trained looks at the training images by its `before_epoch`, once, where it has one. -> what that cost."""
    meter = Meter(source.device)

    def features(function, count=None):
        return extract(method, function, source.images[:count], source.mean, source.std, spec.precision)

    def hook():
        method.before_epoch(features, generator(spec.seed, "before_epoch", 0, device=source.device))

    if type(method).before_epoch is not Method.before_epoch:
        method.eval()
        with meter.charging():
            meter.flops += count_flops(hook)
    return meter
