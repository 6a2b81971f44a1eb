"""In how many bits a network computes, and where a number is worth more of them: losses and features in float32, also under autocast."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def upcast(value: Tensor) -> Tensor:
    """bfloat16 and float16 to float32; float32, float64 and whole numbers as they are.

    Not `.float()`: that would cut a float64 run, in which devices are compared, down to float32."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value


@contextlib.contextmanager
def computing_in(precision: str, device: torch.device | str) -> Iterator[None]:
    """Within the block networks compute in "bf16", by torch's autocast, or "float32"."""
    kind = torch.device(device).type
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"))
        if precision == "bf16" and kind == "cpu":
            stack.enter_context(AttentionInFloat32())
        yield


class AttentionInFloat32(TorchFunctionMode):
    """Attention alone is computed in float32, forward and backward, and its output is bfloat16 again: the backward pass of torch's
    attention in bfloat16 on a CPU takes 3 to 12 times as long, and made up three fifths of a small ViT's step (torch 2.15)."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is not F.scaled_dot_product_attention or not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        as_float32 = [upcast(value) if isinstance(value, Tensor) else value for value in (*args, *kwargs.values())]
        with torch.autocast("cpu", enabled=False):
            attended = function(*as_float32[: len(args)], **dict(zip(kwargs, as_float32[len(args) :], strict=True)))
        return attended.to(torch.bfloat16)
