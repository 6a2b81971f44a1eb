"""Dropout by a method's own draws. Torch's would draw for this device's rows alone, from a generator that a resumed run does not find as it
was."""

from collections.abc import Callable

from torch import Tensor


def dropout(batch, rate: float) -> Callable[[Tensor], Tensor]:
    """A function that sets each number of states [B, ...] to 0 with this probability, in [0, 1), and divides the others by the rest of 1,
    drawn anew at each call. batch: a bench.method.Batch, of whose items the states are."""

    def drop(states: Tensor) -> Tensor:
        stays = batch.rand(*states.shape[1:]) >= rate
        return states * stays.to(states.dtype).div_(1 - rate)

    return drop if rate else lambda states: states
