"""The three noises of ImageNet-C. Every function gives float [B, C, H, W] in 0..255."""

import numpy as np

from bench.evaluation.corruptions.parts import Randoms, clipped, drawn, shares


def gaussian_noise(images: np.ndarray, randoms: Randoms, scale: float) -> np.ndarray:
    return clipped(shares(images) + drawn(randoms, images, lambda random, image: random.normal(size=image.shape, scale=scale)))


def shot_noise(images: np.ndarray, randoms: Randoms, photons: float) -> np.ndarray:
    """photons: at the highest level."""
    return clipped(drawn(randoms, images, lambda random, image: random.poisson(image * photons)) / photons)


def impulse_noise(images: np.ndarray, randoms: Randoms, amount: float) -> np.ndarray:
    """amount: share of values that become 0 or 255, in equal parts."""
    hit, salt = (drawn(randoms, images, lambda random, image: random.random_sample(image.shape)) for _ in range(2))
    return np.where(hit <= amount, np.where(salt <= 0.5, 255.0, 0.0), images)
