"""What the corruptions have in common. Images are uint8 [B, C, H, W]."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import RandomState

Randoms = Sequence[RandomState]
"""One for each image: NumPy keeps what it draws the same in every version."""


def shares(levels: np.ndarray) -> np.ndarray:
    """0..255 -> 0..1, float64"""
    return levels / 255


def clipped(x: np.ndarray) -> np.ndarray:
    """0..1 -> 0..255"""
    return np.clip(x, 0, 1) * 255


def drawn(randoms: Randoms, images: np.ndarray, draw: Callable[[RandomState, np.ndarray], np.ndarray]) -> np.ndarray:
    """draw(random, an image [H, W, C] in 0..1) for every image, which is the authors' order of axes: [B, C, H, W]."""
    last = shares(images).transpose(0, 2, 3, 1)
    return np.stack([draw(random, image) for random, image in zip(randoms, last, strict=True)]).transpose(0, 3, 1, 2)
