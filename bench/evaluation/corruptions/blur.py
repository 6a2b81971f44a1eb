"""The four blurs of ImageNet-C. Every function gives float [B, C, H, W] in 0..255.

Where the authors call ImageMagick's motion blur this is the package imagecorruptions' own, which needs no such program.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage, signal

from bench.evaluation.corruptions.parts import Randoms, clipped, shares


def defocus_blur(images: np.ndarray, _: Randoms, radius: float, alias: float) -> np.ndarray:
    kernel = disk(radius, alias)
    reach = len(kernel) // 2
    padded = np.pad(shares(images), ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")
    return clipped(signal.fftconvolve(padded, kernel[None, None], mode="valid", axes=(2, 3)))


def disk(radius: float, alias: float) -> np.ndarray:
    """Of such a radius in pixels, of sum 1, its edge softened by a Gaussian of deviation `alias`: float64 [n, n], n odd, without its
    border of zeros."""
    half, soft = (8, 1) if radius <= 8 else (radius, 2)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    sharp = (x**2 + y**2 <= radius**2).astype(float)
    kernel = ndimage.gaussian_filter(sharp / sharp.sum(), alias, mode="mirror", radius=soft)
    empty = next(border for border in range(len(kernel)) if kernel[border].any())
    return kernel[empty : len(kernel) - empty, empty : len(kernel) - empty]


def glass_blur(images: np.ndarray, randoms: Randoms, sigma: float, reach: int, rounds: int) -> np.ndarray:
    """Pixels take the place of others `reach` away at most, between two Gaussian blurs. The authors mean to swap two pixels; what their
    line does is to copy one, in order from the last pixel to the first."""
    blurred = ndimage.gaussian_filter(shares(images), (0, 0, sigma, sigma), mode="nearest")
    levels = (blurred * 255).astype(np.uint8)
    height, width = images.shape[2:]
    inner_y, inner_x = np.arange(height - reach, reach, -1), np.arange(width - reach, reach, -1)
    here = (inner_y[:, None] * width + inner_x).ravel()
    for _ in range(rounds):
        moves = np.stack([random.randint(-reach, reach, size=(len(here), 2)) for random in randoms])
        source = np.tile(np.arange(height * width), (len(images), 1))
        source[:, here] += moves[..., 1] * width + moves[..., 0]
        # A pixel after this one has been written already: what is there by then is copied, wherever that came from.
        written = np.zeros(height * width, dtype=bool)
        written[here] = True
        later = written[source] & (source > np.arange(height * width))
        while later.any():
            source, later = (
                np.where(later, np.take_along_axis(source, source, axis=1), source),
                later & np.take_along_axis(later, source, axis=1),
            )
        flat = levels.reshape(*levels.shape[:2], -1)
        levels = np.take_along_axis(flat, source[:, None], axis=2).reshape(levels.shape)
    return clipped(ndimage.gaussian_filter(shares(levels), (0, 0, sigma, sigma), mode="nearest"))


def motion_blur(images: np.ndarray, randoms: Randoms, radius: int, sigma: float) -> np.ndarray:
    return moved(images, radius, sigma, [random.uniform(-45, 45) for random in randoms])


def moved(images: np.ndarray, radius: int, sigma: float, angles: Sequence[float]) -> np.ndarray:
    """Images [B, C, H, W] blurred to one side along their angles, in degrees, by half a Gaussian; the edge's pixels go on beyond it."""
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    height, columns = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (width, width), (width, width)), mode="edge")
    blurred = np.zeros(images.shape)
    for number, angle in enumerate(angles):
        along = width * np.sin(np.deg2rad(angle)), width * np.cos(np.deg2rad(angle))
        length = math.hypot(*along)
        for tap, weight in enumerate(weights):
            down, right = (-math.ceil(tap * part / length - 0.5) for part in along)
            if abs(down) >= height or abs(right) >= columns:
                break
            blurred[number] += weight * padded[number, :, width - down : width - down + height, width - right : width - right + columns]
    return blurred


@functools.lru_cache(maxsize=256)
def enlarging(side: int, factor: float) -> np.ndarray:
    """Takes `side` pixels of a row to its middle enlarged so much, by linear interpolation: float64 [side, side]."""
    kept = math.ceil(side / factor)
    first = (side - kept) // 2
    rows = np.asarray(ndimage.zoom(np.eye(side)[first : first + kept], (factor, 1), order=1))
    trim = (len(rows) - side) // 2
    return rows[trim : trim + side]


def zoom_blur(images: np.ndarray, _: Randoms, factors: tuple[float, ...]) -> np.ndarray:
    height, width = images.shape[2:]
    x = shares(images).astype(np.float32)
    total = x.copy()
    for factor in factors:
        total += enlarging(height, factor).astype(np.float32) @ x @ enlarging(width, factor).T.astype(np.float32)
    return clipped(total / (len(factors) + 1))
