"""One step of any method: loss, backward, update, after_step; what it costs; and a captured one, played for the others of its phase.

B images.
"""

import copy
import math
import warnings

import torch
from torch import Tensor

from bench.compute import collectives
from bench.compute.flops import count_flops
from bench.compute.precision import computing_in
from bench.method import Batch, Method
from bench.spec import Recipe, RunSpec, settled
from bench.training.batches import Batches
from bench.training.cuda_graph import CapturedStep, NotCapturable, cuda_graph
from bench.training.meter import Meter
from bench.training.optim import set_progress


def make_step(method: Method, optimizer: torch.optim.Optimizer | None, batch: Batch, progress: float, spec: RunSpec) -> Tensor:
    """A whole step. Returns the loss [], on the device. Without an optimizer nothing is updated."""
    loss = gradients(method, batch, progress, settled(spec.precision))
    update(method, optimizer, progress, settled(spec.recipe))
    return loss


def gradients(method: Method, batch: Batch, progress: float, precision: str) -> Tensor:
    """Loss and backward. Returns the loss [], on the device."""
    with computing_in(precision, batch.index.device):
        loss = method.loss(batch, progress)
    loss.backward()
    return loss.detach()


def update(method: Method, optimizer: torch.optim.Optimizer | None, progress: float, recipe: Recipe) -> None:
    """Update and after_step, of the gradients that are there."""
    collectives.average_gradients(method)
    if optimizer:
        if recipe.clip_grad:
            torch.nn.utils.clip_grad_norm_(method.parameters(), recipe.clip_grad)
        set_progress(optimizer, recipe, progress)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    method.after_step(progress)


def phase_of(method: Method, progress: float) -> str:
    """'phase 0' until the first of the method's phases begins, ... In a phase every step costs the same: view shapes and batch size are
    fixed in a run."""
    return f"phase {sum(progress >= start for start in method.phases)}"


def measure_step(method: Method, batch: Batch, progress: float, spec: RunSpec) -> float:
    """FLOPs of the step of this batch, without its views; made by a copy of the method, which is itself left as it was."""
    twin = copy.deepcopy(method)
    return count_flops(lambda: make_step(twin, None, batch, progress, spec))


class CapturedSteps:
    """The step of a run's phase that stands for all of them, made when it is first asked for; each phase has its own."""

    def __init__(self, method: Method, batches: Batches, spec: RunSpec):
        self.method, self.batches, self.spec = method, batches, spec
        self.capture = cuda_graph if batches.source.device.type == "cuda" else None
        """What captures a function (bench.training.cuda_graph.cuda_graph); None: steps are made one by one."""
        self.phase: str | None = None
        self.captured: CapturedStep | None = None

    def of(self, step: int, progress: float, meter: Meter) -> CapturedStep | None:
        """What plays this step, made off the clock where its phase has none; None where steps are made one by one."""
        phase = phase_of(self.method, progress)
        if self.phase != phase:
            with meter.setting_up():
                self.phase, self.captured = phase, self.make(step, progress)
        return self.captured

    def make(self, first: int, progress: float) -> CapturedStep | None:
        """The first step of a phase, captured; None on a CPU, on several devices, and with a warning where it cannot be."""
        if self.capture is None or collectives.size() > 1:
            return None

        def run_at(progress):
            def run(step, index, images, take):
                self.method.zero_grad(set_to_none=True)
                return gradients(self.method, self.batches.show(step, index, images, take), progress, settled(self.spec.precision))

            return run

        end = min((phase for phase in self.method.phases if phase > progress), default=1.0)
        try:
            captured = CapturedStep(self.method, run_at(progress), first, self.batches.images(first), self.capture)
            captured.require_same(run_at(math.nextafter(end, 0.0)), first + 1, self.batches.images(first + 1))
        except NotCapturable as reason:
            warnings.warn(f"{self.spec.name}: its steps are not recorded as a CUDA graph, and take longer: {reason}", stacklevel=2)
            captured = None
        self.method.zero_grad(set_to_none=True)
        return captured

    def forget(self) -> None:
        """Give back the memory of a whole step that a captured one keeps; the next step captures anew."""
        self.phase, self.captured = None, None

    def forget_if_moved(self) -> None:
        """The same where the method's state no longer lies where it lay when the step was captured."""
        if self.captured and not self.captured.holds():
            self.forget()
