"""The one loop. It trains any method until its budget is spent, from its checkpoint if there is one.

The only things it knows of a method are the four calls of the contract (bench/method.py).
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench import distributed
from bench.checkpoint import Checkpoints
from bench.features import extract
from bench.interrupt import Interrupted
from bench.meter import Meter, count_flops
from bench.method import Batch, LabelledBatch, Method
from bench.optim import build_optimizer, clear_state, load_state_by_name, set_progress, state_by_name
from bench.packed import Ahead, PackedImages
from bench.randomness import Draws, generator
from bench.spec import DatasetInfo, RunSpec
from bench.views import render_views

CURVE_POINTS = 100
"""Points of the recorded loss curve."""


class Diverged(Exception):
    """The loss is not a number any more; the run ends and is recorded with its reason."""


@dataclass(frozen=True)
class Source:
    """The images that a run is trained on, on its device; packed ones come there batch by batch."""

    images: Tensor | PackedImages
    """uint8 [N, C, H, W]"""
    labels: Tensor | None
    """int64 [N] for a Reference, None for everything else."""
    info: DatasetInfo
    mean: Tensor
    """float32 [3]"""
    std: Tensor

    @property
    def device(self) -> torch.device:
        return self.images.device


@dataclass
class Controls:
    """How a run is watched, saved and stopped; none of it can change its outcome."""

    checkpoints: Checkpoints | None = None
    every: float = 60.0
    """Seconds between checkpoints."""
    report: Callable[["Trainer"], None] = lambda trainer: None
    """Called after every step."""
    stop: Callable[[], bool] = lambda: False
    """Asked after every step; True: write a checkpoint and raise Interrupted."""


@dataclass
class Curve:
    """Mean loss over each hundredth of the budget."""

    points: list[tuple[float, float]] = field(default_factory=list)
    total: float = 0.0
    count: int = 0

    def add(self, progress: float, loss: float) -> None:
        self.total, self.count = self.total + loss, self.count + 1
        if progress >= 1 or math.floor(progress * CURVE_POINTS) > math.floor((self.points[-1][0] if self.points else 0) * CURVE_POINTS):
            self.points.append((progress, self.total / self.count))
            self.total, self.count = 0.0, 0


class Trainer:
    """A run in progress: the method, its optimizer, its meter. `run()` ends when the budget is spent."""

    def __init__(self, method: Method, source: Source, spec: RunSpec, controls: Controls | None = None):
        self.method, self.source, self.spec, self.controls = method, source, spec, controls or Controls()
        self.recipe, self.views = spec.recipe, method.views
        self.steps_per_epoch = len(source.images) // self.recipe.batch_size
        self.meter, self.curve, self.ahead = Meter(source.device), Curve(), Ahead(source.images)
        self.optimizer = build_optimizer(method, self.recipe)
        self.hooked_epoch, self.loss = -1, math.nan
        self.saved_at, self.saved, self.order = time.monotonic(), None, (-1, None)
        self.origin: dict = {}
        """Hardware and environment that the training began with; kept in the checkpoint for the record."""

    @property
    def epoch(self) -> int:
        """Passes over the training set that are complete; images that do not fill a batch wait for the next order."""
        return self.meter.steps // self.steps_per_epoch

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
            with self.meter.charging():
                self.loss = self.step(self.method, self.optimizer, self.batch(), progress)
            self.meter.steps += 1
            self.meter.images += self.recipe.batch_size
            self.meter.flops += flops
            if not math.isfinite(self.loss):
                raise Diverged(f"loss is {self.loss} at step {self.meter.steps}")
            asked = self.agree()
            self.curve.add(self.progress, self.loss)
            self.controls.report(self)
            self.save_if_due(*asked)
        self.save()
        # The last update may have broken what no later loss could show.
        broken = [name for name, value in self.method.state_dict().items() if value.is_floating_point() and not value.isfinite().all()]
        if broken:
            raise Diverged(f"{broken[0]} is not finite after step {self.meter.steps}")

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
            self.meter.flops += everything - sum(shared) + distributed.total(sum(shared))
        self.hooked_epoch = epoch

    def step(self, method: Method, optimizer: torch.optim.Optimizer | None, batch: Batch, progress: float) -> float:
        """Loss, backward, update, after_step. Returns the loss. Without an optimizer nothing is updated."""
        with torch.autocast(self.source.device.type, torch.bfloat16, enabled=self.spec.precision == "bf16"):
            loss = method.loss(batch, progress)
        loss.backward()
        distributed.average_gradients(method)
        if optimizer:
            if self.recipe.clip_grad:
                torch.nn.utils.clip_grad_norm_(method.parameters(), self.recipe.clip_grad)
            set_progress(optimizer, self.recipe, progress)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        method.after_step(progress)
        return loss.item()

    def batch(self) -> Batch:
        """This device's rows of the batch of the current step: a function of (seed, step) alone."""
        seed, step, size, source = self.spec.seed, self.meter.steps, self.recipe.batch_size, self.source
        rows = distributed.rows_of(size)
        index = self.index(step)
        images = self.ahead.take(index, lambda: self.index(step + 1))
        views = render_views(
            self.views,
            images,
            source.info,
            source.mean,
            source.std,
            lambda number: Draws(seed, "view", step, number, total=size, rows=rows, device=source.device),
        )
        draws = Draws(seed, "loss", step, total=size, rows=rows, device=source.device)
        if self.method.uses_labels:
            return LabelledBatch(views, index, draws, source.labels[index])
        return Batch(views, index, draws)

    def index(self, step: int) -> Tensor:
        """Which images this device's rows of a step's batch are: int64 [B]."""
        epoch, number = divmod(step, self.steps_per_epoch)
        if self.order[0] != epoch:
            permutation = torch.randperm(len(self.source.images), generator=generator(self.spec.seed, "order", epoch))
            self.order = (epoch, permutation.to(self.source.device))
        size = self.recipe.batch_size
        return self.order[1][number * size : (number + 1) * size][distributed.rows_of(size)]

    def kind_of_step(self, progress: float) -> str:
        """Steps of one kind have the same graph: the number of the phase (view shapes and batch size are fixed in a run)."""
        return f"phase {sum(progress >= start for start in self.method.phases)}"

    def measure_step(self, progress: float) -> float:
        """FLOPs of the step that begins at `progress`, without its views; on a copy, so the run itself is left as it was. Those
        of one device with the whole batch: a budget in FLOPs ends at the same step for any number of devices."""
        with distributed.alone():
            twin, batch = copy.deepcopy(self.method), self.batch()
            flops = count_flops(lambda: self.step(twin, None, batch, progress))
        self.meet()
        return flops

    def meet(self) -> None:
        """Wait for every device, off the clock, and take the first one's clock: progress is one number on all of them."""
        (self.meter.seconds,) = distributed.agree([self.meter.seconds])

    def agree(self) -> tuple[bool, bool]:
        """The first device's clock and wishes become everybody's: whether to stop, and whether a checkpoint is due."""
        wishes = float(self.controls.stop()), float(time.monotonic() - self.saved_at >= self.controls.every)
        self.meter.seconds, stop, due = distributed.agree([self.meter.seconds, *wishes])
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
