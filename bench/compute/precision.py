"""In how many bits a network computes, and where a number is worth more of them: losses and features in float32, also under autocast."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from bench.spec import DatasetInfo


def upcast(value: Tensor) -> Tensor:
    """bfloat16 and float16 to float32; float32, float64 and whole numbers as they are.

    Not `.float()`: that would cut a float64 run, in which devices are compared, down to float32."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value


def dtype_of(data: DatasetInfo) -> torch.dtype:
    """Of items as a network sees them."""
    return torch.int64 if data.kinds else torch.float32


@contextlib.contextmanager
def computing_in(precision: str, device: torch.device | str) -> Iterator[None]:
    """Within the block networks compute in "bf16", by torch's autocast, or "float32"."""
    kind, bf16 = torch.device(device).type, precision == "bf16"
    attention = AttentionInFloat32() if bf16 and kind == "cpu" else contextlib.nullcontext()
    with torch.autocast(kind, torch.bfloat16, enabled=bf16), attention:
        yield


class AttentionInFloat32(TorchFunctionMode):
    """Attention alone is computed in float32, forward and backward, and its output is bfloat16 again: the backward pass of torch's
    attention in bfloat16 on a CPU takes 3 to 12 times as long, and made up three fifths of a small ViT's step (torch 2.15)."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is not F.scaled_dot_product_attention or not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)

        def upcast_tensor(value):
            return upcast(value) if isinstance(value, Tensor) else value

        with torch.autocast("cpu", enabled=False):
            attended = function(*map(upcast_tensor, args), **{name: upcast_tensor(value) for name, value in kwargs.items()})
        return attended.to(torch.bfloat16)
