"""Intervals, paired comparisons and aggregates, as functions of arrays. The formulas and what they assume: docs/statistics.md.

    interval(values, correct)                     half width of the 95 % interval of a mean over seeds
    paired_difference(first, second, ...)         (difference, half width), paired by seed and by test image
    interquartile_mean(scores)                    one number for many tasks; bootstrap_interval says how sure it is

S seeds, n test images, T tasks. Accuracies and half widths are in percent.
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
FEWEST_SEEDS = 3
"""With fewer, the variance between seeds is anyone's guess and no interval is given."""

REPETITIONS = 2000
"""Bootstrap resamples, as in rliable's examples."""


def interval(values: np.ndarray, correct: np.ndarray | None = None) -> float | None:
    """Half width of the interval of the mean of `values` [S]; None for fewer than three seeds.

    `correct` [S, n] bool says which test images each seed got right; without it only seeds count as a source of chance.
    """
    images = None if correct is None else 100 * np.asarray(correct, dtype=np.float64).mean(axis=0)
    return _half_width(np.asarray(values, dtype=np.float64), images)


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    first_correct: np.ndarray | None = None,
    second_correct: np.ndarray | None = None,
) -> tuple[float, float | None]:
    """Mean of first - second, both [S] with row s of either from the same seed, and the half width of its interval.

    `first_correct`, `second_correct` [S, n] bool: the same test images in the same order. What makes a seed or an image
    easy for both methods cancels.
    """
    values = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    images = None
    if first_correct is not None and second_correct is not None:
        images = 100 * (np.asarray(first_correct, dtype=np.float64) - np.asarray(second_correct, dtype=np.float64)).mean(axis=0)
    return float(values.mean()), _half_width(values, images)


def indistinguishable(difference: float, half_width: float | None) -> bool:
    """Whether zero lies in the interval of a paired difference. False where there is no interval: nothing is known then."""
    return half_width is not None and abs(difference) <= half_width


def _half_width(values: np.ndarray, images: np.ndarray | None) -> float | None:
    """From one number per seed [S] and one per test image [n] (its mean over seeds)."""
    if len(values) < FEWEST_SEEDS:
        return None
    # Each source with its own t, not one t for both by Welch and Satterthwaite: their degrees of freedom are estimated too,
    # and three seeds that agree by luck then pass for a thousand.
    squares = _own_half_width(values) ** 2
    if images is not None and len(images) > 1:
        squares += _own_half_width(images) ** 2
    return float(np.sqrt(squares))


def _own_half_width(numbers: np.ndarray) -> float:
    """Of the t interval of the mean of independent numbers [k], k > 1."""
    return float(_quantile(len(numbers) - 1) * np.sqrt(numbers.var(ddof=1) / len(numbers)))


@functools.cache
def _quantile(freedom: int) -> float:
    """Of Student's t; scipy takes longer for it than a comparison takes for the rest."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def interquartile_mean(scores: np.ndarray) -> float:
    """Mean of the middle half of all scores [S, T]: a quarter is cut off at either end (Agarwal et al. 2021, arXiv:2108.13264)."""
    return float(stats.trim_mean(np.asarray(scores, dtype=np.float64), 0.25, axis=None))


def bootstrap_interval(
    scores: np.ndarray,
    aggregate: Callable[[np.ndarray], float] = interquartile_mean,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> tuple[float, float]:
    """(low, high) of a 95 % percentile interval of `aggregate`, by a bootstrap stratified by task: runs [S] are drawn with
    replacement within each task of scores [S, T], independently, so every task keeps its weight. Equal seed, equal answer."""
    scores = np.asarray(scores, dtype=np.float64)
    generator = np.random.default_rng(seed)
    picks = generator.integers(len(scores), size=(repetitions, *scores.shape))
    samples = [aggregate(np.take_along_axis(scores, pick, axis=0)) for pick in picks]
    low, high = np.quantile(samples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
