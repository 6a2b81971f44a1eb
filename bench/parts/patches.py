"""Square patches of images: where methods of patches place them, how they cut and normalise them.

A corner is the row and column of a patch's top left pixel. B images of this device, K patches of each, s pixels a side of a patch.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.parts.heads import whole_patches

if TYPE_CHECKING:
    from bench.encoders.encoder import Encoder

SMALLEST = 4
"""Pixels a side of a patch; fewer show no part of anything, and three strides of an encoder leave nothing of them."""


def patch_side(encoder: "Encoder", image_size: int, fraction: float, most: int) -> int:
    """Pixels a side of a patch as a fraction of the image's; for a ViT a whole number of its own patches. At most `most`: what the
    method has room for."""
    side = round(whole_patches(encoder, image_size, fraction) * image_size)
    if not SMALLEST <= side <= most:
        raise ValueError(
            f"patches of {fraction:g} of the side of an image of {image_size} pixels are {side} pixels wide with this encoder; at least "
            f"{SMALLEST} are needed, and there is room for {most}: take larger images, or another `patch`"
        )
    return side


def grid(count: int, pitch: int, device: torch.device | None = None) -> Tensor:
    """Corners of count x count places that are `pitch` pixels apart, row by row: int64 [count * count, 2]."""
    line = pitch * torch.arange(count, device=device)
    return torch.cartesian_prod(line, line)


def jittered_grid(batch, images: Tensor, count: int, side: int) -> Tensor:
    """Corners of patches at random places within the cells of a count x count grid, row by row: int64 [B, count * count, 2].

    The grid lies at random in the images [B, C, H, W], of which less than `count` pixels are left over. Two neighbours have twice the
    pixels between them that a cell has and its patch does not, at most, and half of that on average. batch: a bench.method.Batch, for
    its draws."""
    cell, left = divmod(images.shape[-1], count)
    start, jitter = batch.randint(left + 1, 1, 2), batch.randint(cell - side + 1, count * count, 2)
    return start + grid(count, cell, images.device) + jitter


def cut(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """The patches [B, K, C, s, s] of images [B, C, H, W] at corners [B, K, 2]."""
    pixel = torch.arange(side, device=images.device)
    rows, columns = corners[..., 0, None] + pixel, corners[..., 1, None] + pixel
    image = torch.arange(len(images), device=images.device)[:, None, None, None]
    # Channels last, as the images lie in memory.
    return images.movedim(1, 3)[image, rows[..., None], columns[..., None, :]].movedim(4, 2)


def standardised(patches: Tensor) -> Tensor:
    """Every channel of every patch [..., s, s] minus its mean, over its standard deviation; one without contrast is 0."""
    variance, mean = torch.var_mean(patches, dim=(-2, -1), keepdim=True, correction=0)
    return (patches - mean) * (variance + 1e-5).rsqrt()


def drop_colours(batch, patches: Tensor) -> Tensor:
    """Of every patch [B, K, 3, s, s] two channels become Gaussian noise, around 0 and of a hundredth of the third one's standard
    deviation: places cannot be told by how a lens shifts colours (arXiv:1505.05192). batch: a bench.method.Batch, for its draws."""
    kept = torch.arange(3, device=patches.device) == batch.randint(3, patches.shape[1], 1)
    spread = (patches.std((3, 4), correction=0) * kept).sum(2)[:, :, None, None, None]
    return torch.where(kept[..., None, None], patches, batch.randn(*patches.shape[1:]) * spread / 100)
