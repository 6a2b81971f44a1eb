"""How strong each corruption is at severities 1 to 5, by the images' size: what its function takes, in its order.

From the authors' scripts (hendrycks/robustness at 8190fe3, ImageNet-C/create_c): make_cifar_c.py, make_tinyimagenet_c.py and
make_imagenet_c.py; elastic_transform of ImageNet-C as imagecorruptions 1.1.2 has it for images of any size.
"""

import numpy as np
from PIL.Image import Resampling

Strengths = dict[str, tuple[tuple, ...]]


def each(*values: float) -> tuple[tuple[float], ...]:
    """Five severities of a corruption that takes one number."""
    return tuple((value,) for value in values)


def factors(*grids: tuple[float, float]) -> tuple[tuple[tuple[float, ...]], ...]:
    """(end, step) of five grids from 1: what images are enlarged by."""
    return tuple((tuple(np.arange(1, end, step).tolist()),) for end, step in grids)


def back(filter_: Resampling, *shares: float) -> tuple[tuple[float, int], ...]:
    return tuple((share, int(filter_)) for share in shares)


CIFAR: Strengths = {
    "gaussian_noise": each(0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": each(500, 250, 100, 75, 50),
    "impulse_noise": each(0.01, 0.02, 0.03, 0.05, 0.07),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "zoom_blur": factors((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "snow": (
        *((0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9)),
        *((0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
    ),
    "frost_made": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    "brightness": each(0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": each(0.75, 0.5, 0.4, 0.3, 0.15),
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    "pixelate": back(Resampling.BOX, 0.95, 0.9, 0.85, 0.75, 0.65),
    "jpeg_compression": each(80, 65, 58, 50, 40),
}
"""CIFAR-10-C's, for 32 pixels."""

TINY: Strengths = {
    "gaussian_noise": each(0.04, 0.08, 0.12, 0.15, 0.18),
    "shot_noise": each(250, 100, 50, 30, 15),
    "impulse_noise": each(0.01, 0.02, 0.05, 0.08, 0.14),
    "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    "motion_blur": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    "zoom_blur": CIFAR["zoom_blur"],
    "snow": (
        *((0.1, 0.2, 1, 0.6, 8, 3, 0.8), (0.1, 0.2, 1, 0.5, 10, 4, 0.8), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7)),
        *((0.25, 0.3, 2.25, 0.6, 12, 6, 0.65), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6)),
    ),
    "frost_made": ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    "fog": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    "brightness": each(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": each(0.4, 0.3, 0.2, 0.1, 0.05),
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    "pixelate": back(Resampling.BOX, 0.9, 0.8, 0.7, 0.6, 0.5),
    "jpeg_compression": each(65, 58, 50, 40, 25),
}
"""Tiny ImageNet-C's, for 64 pixels."""

IMAGENET: Strengths = {
    "gaussian_noise": each(0.08, 0.12, 0.18, 0.26, 0.38),
    "shot_noise": each(60, 25, 12, 5, 3),
    "impulse_noise": each(0.03, 0.06, 0.09, 0.17, 0.27),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": factors((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "snow": (
        *((0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7)),
        *((0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)),
    ),
    "frost_made": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    "brightness": each(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": each(0.4, 0.3, 0.2, 0.1, 0.05),
    "elastic_transform": tuple((250 * share * 0.005, 0.01, None) for share in (0.05, 0.065, 0.085, 0.1, 0.12)),
    "pixelate": back(Resampling.NEAREST, 0.6, 0.5, 0.4, 0.3, 0.25),
    "jpeg_compression": each(25, 18, 15, 10, 7),
}
"""ImageNet-C's, for 224 pixels."""

BY_SIZE: tuple[tuple[int, Strengths], ...] = ((32, CIFAR), (64, TINY), (224, IMAGENET))


def of(side: int) -> Strengths:
    """Those whose size is nearest to `side` pixels as a ratio: CIFAR-10-C's up to 45, Tiny ImageNet-C's up to 119, ImageNet-C's above."""
    return min(BY_SIZE, key=lambda pair: abs(np.log(side / pair[0])))[1]
