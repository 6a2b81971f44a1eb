"""The fifteen corruptions of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261), each a function of a batch of images.

    corrupt("fog", 3, images, indices)    uint8 [B, C, H, W] -> the same shape, at the strengths for the images' size

What each does is what the authors' code does (hendrycks/robustness at 8190fe3, ImageNet-C/create_c) and the package imagecorruptions
1.1.2 after it (bethgelab/imagecorruptions at c959e65): drawn in the same order from NumPy's RandomState, cut to whole levels as there.
frost_made stands for frost, whose pictures are not ours to give (weather.py). Of a grey image the one channel is corrupted.
"""

import zlib

import numpy as np
from numpy.random import RandomState

from bench.evaluation.corruptions import blur, digital, noise, strengths, weather

SEVERITIES = (1, 2, 3, 4, 5)

CORRUPTIONS = {
    function.__name__: function
    for function in (
        *(noise.gaussian_noise, noise.shot_noise, noise.impulse_noise),
        *(blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur),
        *(weather.snow, weather.frost_made, weather.fog, weather.brightness),
        *(digital.contrast, digital.elastic_transform, digital.pixelate, digital.jpeg_compression),
    )
}
"""In the order of the paper's tables."""

_STATES: list[RandomState] = []
"""Made once and seeded anew: to make one takes ten times as long as to seed it."""


def corrupt(name: str, severity: int, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """uint8 [B, C, H, W] corrupted. What is drawn for an image follows from its index, int64 [B], the corruption and the severity alone."""
    randoms = _STATES[: len(indices)] + [RandomState(0) for _ in range(len(indices) - len(_STATES))]
    _STATES[:] = randoms if len(randoms) > len(_STATES) else _STATES
    for random, index in zip(randoms, indices, strict=True):
        random.seed((zlib.crc32(name.encode()), severity, int(index)))
    return whole(CORRUPTIONS[name](images, randoms, *strengths.of(images.shape[-1])[name][severity - 1]))


def whole(levels: np.ndarray) -> np.ndarray:
    """Whole levels, cut and not rounded, as the authors': uint8."""
    return np.clip(levels, 0, 255).astype(np.uint8)
