"""From stored images, of 256 levels, to what a network sees.

B images, H height, W width.
"""

import torch
from torch import Tensor

MEMORY_FORMAT = torch.channels_last
"""How images lie in memory, and so the weights of those networks that see them: what convolutions are fastest on."""


def unit_range(raw: Tensor) -> Tensor:
    """uint8 0..255, of any shape -> float32 in [0, 1], a new tensor."""
    return raw.to(torch.float32, copy=True).div_(255)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """[B, 1 or 3, H, W] in [0, 1] -> [B, 3, H, W], in MEMORY_FORMAT: grey repeated, minus mean, over std (each [3])."""
    images = (images.expand(-1, 3, -1, -1) - mean[:, None, None]).div_(std[:, None, None])
    return images.contiguous(memory_format=MEMORY_FORMAT)


def prepare(raw: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Stored images as a network sees them where no view changes them, uint8 [B, 1 or 3, H, W], or crops of them, float32 in [0, 1] ->
    float32 [B, 3, H, W], as `normalise`."""
    return normalise(unit_range(raw) if raw.dtype == torch.uint8 else raw, mean, std)
