"""Images without a data set: pieces of the two photographs that scikit-learn ships, of which a piece's class says which one it is from."""

import functools
import math

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

SIDE = 32
"""Pixels; a multiple of 8, so that half-sized views of a ViT are whole patches."""


@functools.cache
def photographs(count: int = 64) -> tuple[Tensor, Tensor]:
    """64 pieces of two photographs, or so many more that there are `count`: uint8 [64, 3, 32, 32], and which photograph each is from:
    int64 [64]."""
    photos = [torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in load_sample_images().images]
    # 4 x 8 windows of 96 pixels fit into 427 x 640; every third pixel of them leaves 32. Further ones are others' neighbours.
    corners = [
        ((top + 23 * shift) % 332, (left + 17 * shift) % 545)
        for shift in range(math.ceil(count / 64))
        for top in range(0, 322, 107)
        for left in range(0, 540, 77)
    ]
    pieces = [photo[:, top : top + 96 : 3, left : left + 96 : 3] for top, left in corners for photo in photos]
    return torch.stack(pieces).contiguous(), torch.arange(len(pieces)) % len(photos)
