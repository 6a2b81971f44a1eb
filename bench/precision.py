"""Where a number is worth more bits than the network's: losses and features in float32, also under bfloat16 autocast."""

import torch
from torch import Tensor


def upcast(value: Tensor) -> Tensor:
    """bfloat16 and float16 to float32; float32, float64 and whole numbers as they are.

    Not `.float()`: that would cut a float64 run, in which devices are compared, down to float32."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
