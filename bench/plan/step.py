"""One step and one encoding of a method without numbers, on torch's meta device: what would fail in the first step of a run, or after its
last, and the memory that a step takes.

What a run keeps beside it, images and features, is in bench/plan/memory.py; what it does before an epoch in bench/plan/hook.py.
"""

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.compute.precision import dtype_of
from bench.compute.randomness import Draws, generator
from bench.method import Batch, LabelledBatch, Method
from bench.parts.budgets import Needed
from bench.plan.paper import TRIED, Unknown, told
from bench.spec import DatasetInfo, Recipe

STATES = {"sgd": 1, "lars": 1, "adam": 2, "adamw": 2}
"""Numbers that an optimizer keeps of each parameter, beside its gradient."""


@dataclass(frozen=True)
class Step:
    """What a training is known to take, in bytes; more is really taken, since temporary tensors are not counted."""

    state: int
    """Parameters and buffers, gradients and the optimizer's numbers."""
    activations: int
    """What is kept of the forward pass for the backward one, in float32."""
    hook: int = 0
    """Features of all images that `before_epoch` asks for (bench/plan/hook.py)."""

    def bytes(self, precision: str) -> int:
        """Together. Activations in bf16 have half the bytes."""
        return self.state + max(self.hook, self.activations // 2 if precision == "bf16" else self.activations)


def step_on_paper(method: Method, recipe: Recipe, data: DatasetInfo, num_classes: int, with_numbers: Callable[[], Method]) -> Step | None:
    """Loss, backward and after_step of one batch, in every phase of a method that was built `on_paper`, which is left as it was.

    with_numbers(): the same method on the CPU; a step that fails is tried on it, where the views are small, and only what fails twice does
    fail, but for a ValueError. Raises what the method raises. None where it cannot be told without numbers."""
    twin = copy.deepcopy(method).to("meta").train()
    try:
        kept = max(activations(twin, progress, recipe.batch_size, data, num_classes, "meta") for progress in (0.0, *twin.phases))
        return Step(state_bytes(twin, recipe), kept)
    except Unknown:
        return None
    except ValueError:  # as the contract says it, and BatchNorm: not of the device
        raise
    except Exception:  # whatever a method's own code can raise
        if batch_bytes(method, recipe, data) > TRIED:
            raise
    real = with_numbers().train()
    for progress in (0.0, *real.phases):
        activations(real, progress, recipe.batch_size, data, num_classes, "cpu")
    return None


def batch_bytes(method: Method, recipe: Recipe, data: DatasetInfo) -> int:
    """Of the views of a batch."""
    return sum(view.count * math.prod(view.shape(data)) for view in method.views) * dtype_of(data).itemsize * recipe.batch_size


def activations(method: Method, progress: float, size: int, data: DatasetInfo, num_classes: int, device: str) -> int:
    """Bytes that a step keeps for its backward pass, which is made too. Raises Unknown, or what the method raises."""
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        kept[storage(value)] = value  # held, so that no other tensor gets its number
        return value

    own = {storage(value) for value in (*method.parameters(), *method.buffers())}
    with torch.device(device), told():
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            loss = number(method.loss(batch_of(method, size, data, num_classes, device), progress), method)
        found = sum(value.untyped_storage().nbytes() for number, value in kept.items() if number not in own)
        loss.backward()
        method.after_step(progress)
    return found


def number(loss: object, method: Method) -> Tensor:
    """The loss itself; a TypeError, with the line of the method's `loss`, where there is nothing to be minimised in it."""
    if isinstance(loss, Tensor) and loss.numel() == 1 and loss.requires_grad:
        return loss
    what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
    what = "a number that depends on no parameter" if isinstance(loss, Tensor) and loss.numel() == 1 else what
    raise TypeError(f"loss returned {what}; expected a tensor of one number that gradients reach ({line_of(type(method).loss)})")


def encode_on_paper(method: Method, data: DatasetInfo, with_numbers: Callable[[], Method]) -> None:
    """What is evaluated, of two images, by a method that was built `on_paper`: an `encode` that fails would be found after the training.

    with_numbers: as of `step_on_paper`. Raises what the method raises, and a TypeError for what is no features."""
    try:
        features(copy.deepcopy(method).to("meta"), data, "meta")
    except Exception:  # whatever a method's own code can raise
        if 2 * math.prod(data.shape) * dtype_of(data).itemsize <= TRIED:
            features(with_numbers(), data, "cpu")


def features(method: Method, data: DatasetInfo, device: str) -> None:
    """Every encoding of two images that is evaluated, as after a training."""
    with torch.device(device), torch.no_grad():
        for name, encode in {"encode": method.eval().encode, **method.encode_also()}.items():
            found = encode(torch.zeros(2, *data.shape, dtype=dtype_of(data)))
            if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != 2:
                what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
                raise TypeError(f"{name} of 2 images returned {what}; expected a tensor [2, D] ({line_of(encode)})")


def task_on_paper(method: Method, batch_size: int, with_numbers: Callable[[], Method]) -> tuple[Needed, ...]:
    """What a method that was built `on_paper` needs of a budget. Its chance loss is asked for too: a record holds both after the training.

    with_numbers: as of `step_on_paper`. Raises what the method raises, and a TypeError for what is neither."""
    try:
        return told_of_task(method, batch_size)
    except Exception:  # whatever a method's own code can raise
        return told_of_task(with_numbers(), batch_size)


def told_of_task(method: Method, batch_size: int) -> tuple[Needed, ...]:
    """`needed`, and a TypeError where that or `chance_loss` is not what the contract says."""
    needed, chance = method.needed(batch_size), method.chance_loss(batch_size)
    if not isinstance(needed, tuple) or not all(isinstance(each, Needed) for each in needed):
        raise TypeError(f"needed returned {needed!r}; expected a tuple of bench.parts.Needed ({line_of(method.needed)})")
    if not isinstance(chance, int | float | None):
        raise TypeError(f"chance_loss returned {chance!r}; expected a number or None ({line_of(method.chance_loss)})")
    return needed


def line_of(function: Callable) -> str:
    """'mine.py:12', where it begins; its type where it is no function of Python's."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else type(function).__name__


def storage(value: Tensor) -> int:
    """What two tensors have in common where one is a view of the other."""
    return value.untyped_storage()._cdata


def batch_of(method: Method, size: int, data: DatasetInfo, num_classes: int, device: str) -> Batch:
    """A batch of grey views, or without numbers."""
    shapes = [view.shape(data) for view in method.views for _ in range(view.count)]
    draws = Draws("plan", total=size, device=device, take=(lambda *key, device: None) if device == "meta" else generator)
    views = tuple(draws.randint(data.kinds, *shape) if data.kinds else draws.randn(*shape) for shape in shapes)
    index = torch.arange(size) % data.num_images
    if method.uses_labels:
        return LabelledBatch(views, index, draws, index % num_classes)
    return Batch(views, index, draws)


def state_bytes(method: nn.Module, recipe: Recipe) -> int:
    """Of parameters and buffers, and of each trainable parameter once more its gradient and the optimizer's numbers."""
    everything = sum(value.nbytes for value in (*method.parameters(), *method.buffers()))
    return everything + sum(value.nbytes for value in method.parameters() if value.requires_grad) * (1 + STATES[recipe.optimizer])
