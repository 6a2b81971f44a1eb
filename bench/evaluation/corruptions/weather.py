"""The four weathers of ImageNet-C, of which frost has a picture of its own. Every function gives float [B, C, H, W] in 0..255."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.random import RandomState

from bench.evaluation.corruptions.blur import enlarging, moved
from bench.evaluation.corruptions.parts import Randoms, clipped, shares

FROST_SIDE = 512
"""Least height and width of the picture of frost, of which every image gets a part."""

FROST_MEAN, FROST_DEVIATION = (146.0, 167.0, 179.0), 28.0
"""Levels of red, green and blue: the means and the deviation of the five photographs that the authors draw from."""


def snow(
    images: np.ndarray,
    randoms: Randoms,
    mean: float,
    deviation: float,
    enlarged: float,
    threshold: float,
    radius: int,
    sigma: float,
    kept: float,
) -> np.ndarray:
    """Enlarged noise above a threshold, blurred as it falls; twice, once upside down. kept: share of the image that is not whitened."""
    height, width = images.shape[2:]
    noise = np.stack([random.normal(size=(height, width), loc=mean, scale=deviation) for random in randoms])
    flakes = enlarging(height, enlarged) @ noise @ enlarging(width, enlarged).T
    flakes = np.clip(np.where(flakes < threshold, 0, flakes), 0, 1)[:, None]
    fallen = moved(flakes, radius, sigma, [random.uniform(-135, -45) for random in randoms])
    fallen = shares(np.round(fallen * 255).astype(np.uint8))
    x = shares(images)
    white = np.maximum(x, grey(x) * 1.5 + 0.5)
    return clipped(kept * x + (1 - kept) * white + fallen + fallen[:, :, ::-1, ::-1])


def grey(x: np.ndarray) -> np.ndarray:
    """[B, C, H, W] -> [B, 1, H, W], by ITU-R 601's shares."""
    return x if x.shape[1] == 1 else np.tensordot(x, (0.299, 0.587, 0.114), axes=(1, 0))[:, None]


def frost(
    images: np.ndarray, pictures: Sequence[np.ndarray], places: Sequence[tuple[int, int, int]], kept: float, frosted: float
) -> np.ndarray:
    """The images behind parts of pictures [C, H, W] of frost; places: of every image the picture's number, first row and first column.

    The authors' pictures are photographs whose makers they do not name, so they are not here, and `frost_made` has one of its own."""
    height, width = images.shape[2:]
    parts = [pictures[number][:, top : top + height, left : left + width] for number, top, left in places]
    return kept * images + frosted * np.stack(parts)


def frost_made(images: np.ndarray, randoms: Randoms, kept: float, frosted: float) -> np.ndarray:
    """`frost` with a picture made here, in place of the authors' photographs."""
    height, width = images.shape[2:]
    picture = frost_picture(max(FROST_SIDE, 2 * (1 << (max(height, width) - 1).bit_length())), images.shape[1])
    places = [(0, random.randint(picture.shape[1] - height), random.randint(picture.shape[2] - width)) for random in randoms]
    return frost(images, [picture], places, kept, frosted)


@functools.lru_cache(maxsize=4)
def frost_picture(side: int, colours: int) -> np.ndarray:
    """The bright veins of a height map, where it crosses its middle: float64 [C, side, side] of the photographs' means and deviation."""
    height = plasma([RandomState(0)], side, 1.7)[0]
    veins = -np.sqrt(np.abs(height - np.median(height)))
    veins = (veins - veins.mean()) / veins.std()
    means = FROST_MEAN if colours == 3 else (float(np.mean(FROST_MEAN)),)
    return np.clip(np.array(means)[:, None, None] + FROST_DEVIATION * veins, 0, 255)


def fog(images: np.ndarray, randoms: Randoms, strength: float, decay: float) -> np.ndarray:
    height, width = images.shape[2:]
    x = shares(images)
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    clouds = plasma(randoms, 1 << (max(height, width, images.shape[1]) - 1).bit_length(), decay)[:, None, :height, :width]
    return clipped((x + strength * clouds) * brightest / (brightest + strength))


def plasma(randoms: Randoms, side: int, decay: float) -> np.ndarray:
    """Height maps by the diamond-square algorithm, on a torus, each scaled to 0..1: float64 [B, side, side], side a power of two."""
    uniform = np.stack([random.random_sample(side**2 - 1) for random in randoms])
    maps = np.zeros((len(randoms), side, side))
    step, wobble, used = side, 100.0, 0

    def wobbled(total: np.ndarray) -> np.ndarray:
        nonlocal used
        count = total[0].size
        draws = uniform[:, used : used + count].reshape(total.shape)
        used += count
        return total / 4 + wobble * (-wobble + 2 * wobble * draws)

    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=1)
        maps[:, half::step, half::step] = wobbled(pairs + np.roll(pairs, -1, axis=2))
        middles = maps[:, half::step, half::step]
        beside = middles + np.roll(middles, 1, axis=1)
        maps[:, ::step, half::step] = wobbled(beside + corners + np.roll(corners, -1, axis=2))
        above = middles + np.roll(middles, 1, axis=2)
        maps[:, half::step, ::step] = wobbled(above + corners + np.roll(corners, -1, axis=1))
        step, wobble = half, wobble / decay
    maps -= maps.min(axis=(1, 2), keepdims=True)
    return maps / maps.max(axis=(1, 2), keepdims=True)


def brightness(images: np.ndarray, _: Randoms, more: float) -> np.ndarray:
    """Added to the value of hue, saturation and value: what scales an image's channels together."""
    x = shares(images)
    value = x.max(axis=1, keepdims=True)
    brighter = np.clip(value + more, 0, 1)
    return clipped(np.where(value == 0, brighter, x * brighter / np.where(value == 0, 1, value)))
