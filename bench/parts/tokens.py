"""What methods of masked tokens share: patches as rows in the order of a ViT's tokens, their positions, which of them a mask hides.

B images of this device, L patches of S x S pixels (K of them chosen, or K rectangles of them), d features.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.compute.collectives import mean_of_batch
from bench.compute.precision import upcast

if TYPE_CHECKING:
    from bench.encoders.networks.vit import VisionTransformer


TRIES = 16
"""Rectangles that are drawn for a mask, of which some do not fit; three to five make it."""


def patchify(images: Tensor, size: int) -> Tensor:
    """[B, 3, h * S, w * S] -> [B, h * w, S * S * 3]: each patch's pixels, row by row, a pixel's colours together."""
    patches = images.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # [B, 3, h, S, w, S]
    return patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def grid_positions(side: int, dim: int) -> Tensor:
    """Fixed positions of the class token (zeros) and of a side x side grid of patches, row by row: [1 + side * side, d]. Half of the
    features tell the column and half the row, each as sines and cosines of falling frequency (util/pos_embed.py of
    facebookresearch/mae@efb2a80)."""
    frequencies = 10000 ** (-torch.arange(dim // 4) / (dim // 4))
    angles = torch.arange(side)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    grid = torch.cat([line.repeat(side, 1), line.repeat_interleave(side, 0)], dim=1)
    return torch.cat([torch.zeros(1, dim), grid])


def choose(rows: Tensor, which: Tensor) -> Tensor:
    """rows [B, L, n] at which int64 [B, K] -> [B, K, n]."""
    return rows.gather(1, which[..., None].expand(-1, -1, rows.shape[2]))


def among(which: Tensor, patches: int) -> Tensor:
    """Whether each of so many patches is among int64 [B, K]: bool [B, L]."""
    return torch.zeros(len(which), patches, dtype=torch.bool, device=which.device).scatter(1, which, True)


def patch_mean(encoder: "VisionTransformer", images: Tensor) -> Tensor:
    """The mean of an image's patch tokens, without the class token: [B, 3, H, W] -> [B, D], float32 or wider."""
    return upcast(encoder.tokens(images))[:, 1:].mean(1)


def show_patches(images: Tensor, seen: Tensor, size: int) -> Tensor:
    """Images [B, 3, h * S, w * S], 0 where a patch is not seen, bool [B, h * w]: for people."""
    grid = seen.view(len(images), 1, images.shape[2] // size, images.shape[3] // size)
    return images * grid.repeat_interleave(size, 2).repeat_interleave(size, 3)


def block_mask(batch, side: int, count: int | Tensor, least: int) -> Tensor:
    """BEiT's masks (beit/masking_generator.py of facebookresearch/data2vec_vision@6146726): rectangles at random places hide `count` of
    each image's side * side patches, or somewhat fewer where the last ones do not fit: bool [B, L], L = side * side.

    A rectangle has between `least` patches and those that are missing, and sides whose ratio is 0.3 to 1 / 0.3, evenly in its logarithm;
    one as long as the grid is not taken, nor one that would hide more than are missing. batch: a bench.method.Batch, for its draws. count:
    of all images, or of each, [B]."""
    draws = batch.rand(TRIES, 4)
    line = torch.arange(side, device=draws.device)
    hidden = torch.zeros(len(draws), side, side, dtype=torch.bool, device=draws.device)
    for size, shape, down, right in draws.permute(1, 2, 0):
        missing = count - hidden.sum((1, 2))
        area, ratio = least + size * (missing - least), ((2 * shape - 1) * -math.log(0.3)).exp()
        height, width = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        rows, columns = (
            (line >= start[:, None]) & (line < (start + long)[:, None])
            for start, long in (((place * (side - long + 1)).floor(), long) for place, long in ((down, height), (right, width)))
        )
        block = rows[:, :, None] & columns[:, None, :]
        new = (block & ~hidden).sum((1, 2))
        taken = (height < side) & (width < side) & (new <= missing)
        hidden = hidden | (block & taken[:, None, None])
    return hidden.flatten(1)


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of values [B, L] where mask, bool [B, L], over the global batch, however many each image has; 0 where there are none."""
    count = mean_of_batch(mask.sum(1).to(values.dtype).mean(), len(mask))
    return mean_of_batch((values * mask).sum(1).mean(), len(mask)) / count.clamp(min=1e-6)
