"""What a run gave, and how far two are apart: of one process and of two, which must be one (bench/conformance/processes.py)."""

import torch
from torch import Tensor

SMALLEST = 1e-6
"""Numbers below it are compared as if they were as large: a sum that cancels is rounding alone, such as the mean before a BatchNorm
of what another BatchNorm has centred."""

Answer = tuple[list[float], dict[str, Tensor], float]
"""Of a run: the loss of every step, the method's state at the end, FLOPs."""


def difference(one: Tensor, two: Tensor) -> float:
    """The largest difference relative to the largest number, or to SMALLEST."""
    if not one.is_floating_point():
        return 0.0 if torch.equal(one, two) else float("inf")
    scale = one.abs().max().clamp(min=SMALLEST) if one.numel() else 1.0
    return float((one - two).abs().max() / scale) if one.numel() else 0.0


def relative(one: float, two: float) -> float:
    """The difference of two losses over the first; infinite where only that is 0."""
    return 0.0 if one == two else abs(one - two) / abs(one) if one else float("inf")


def apart(one: Answer, other: Answer) -> dict[str, float]:
    """Relative differences of two runs: of the loss of each step, and of everything in their states at the end."""
    found = {}
    for step, (loss, value) in enumerate(zip(one[0], other[0], strict=True), 1):
        found[f"the loss of step {step} is {loss:.12g} in one process and {value:.12g} in two"] = relative(loss, value)
    for name, value in one[1].items():
        found[f"after {len(one[0])} steps {name} differs between one process and two"] = difference(value, other[1][name])
    return found
