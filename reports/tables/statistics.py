"""Intervals, quantiles of families of comparisons, and aggregates, as functions of arrays. What they assume: docs/statistics.md.

    interval(values, correct, draws)              half width of the 95 % interval of a mean over seeds
    of_repetition(pair, others, images)           of what a run and the same run made again differ by
    moderated(variances, freedom)                 each drawn towards all of them, as far as they look alike
    all_pairs(count, freedom), many_to_one(...)   how many standard errors a difference must have, so that a whole family errs in 5 %
    interquartile_mean(scores)                    one number for many tasks

S seeds, n test images, K draws of labels, T tasks. Accuracies and half widths are in percent.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special, stats

CONFIDENCE = 0.95
FEWEST_SEEDS = 3
"""With fewer, the variance between seeds is anyone's guess and no interval is given."""

_Z = np.linspace(-8.0, 8.0, 129)
_DENSITY = stats.norm.pdf(_Z) * (_Z[1] - _Z[0])
_PARTS, _WEIGHTS = special.roots_legendre(48)


def interval(
    values: np.ndarray, correct: np.ndarray | None = None, draws: np.ndarray | None = None, confidence: float = CONFIDENCE
) -> float | None:
    """Half width of the interval of the mean of `values` [S]; None for fewer than three seeds.

    `correct` [S, n] bool says which test images each seed got right, `draws` [S, K] what each draw of labels gave; without them only
    seeds count as a source of chance.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < FEWEST_SEEDS:
        return None
    # Each source with its own t, not one t for both by Welch and Satterthwaite: their degrees of freedom are estimated too,
    # and three seeds that agree by luck then pass for a thousand.
    return float(np.sqrt(_own_half_width(values, confidence) ** 2 + _beside_seeds(correct, draws, confidence)))


def of_images(correct: np.ndarray | None, draws: np.ndarray | None = None, confidence: float = CONFIDENCE) -> float | None:
    """Half width of the interval of what is the same at every seed, `correct` and `draws` as above: test images alone are drawn, and
    labels. None where it is not known which images were right."""
    if correct is None or correct.shape[1] < 2:
        return None
    return float(np.sqrt(_beside_seeds(correct, draws, confidence)))


def _beside_seeds(correct: np.ndarray | None, draws: np.ndarray | None, confidence: float) -> float:
    """What test images and draws of labels add to a squared half width, each where it is known."""
    squares = 0.0
    images = None if correct is None else 100 * np.asarray(correct).mean(axis=0, dtype=np.float64)
    if images is not None and len(images) > 1:
        squares += _own_half_width(images, confidence) ** 2
    if draws is not None:
        squares += _own_half_width(draws.mean(axis=0), confidence) ** 2
    return squares


def of_repetition(
    pair: tuple[float, float],
    others: np.ndarray,
    images: np.ndarray | None = None,
    constant: bool = False,
    confidence: float = CONFIDENCE,
) -> float | None:
    """Half width of the interval of what a run and the same run made again differ by: a comparison of two rows of one seed each. None for
    fewer than three seeds, unless no seed decides anything (constant).

    pair: both values. others [S - 1]: those of the setting's other seeds; the variance is the smaller of what either of the pair makes with
    them, so that neither widens its own interval. images [n]: of each test image by how much the second got it more right, in percent;
    without them seeds alone count.
    """
    squares = 0.0
    if not constant:
        if len(others) + 1 < FEWEST_SEEDS:
            return None
        variance = min(float(np.var([*others, value], ddof=1)) for value in pair)
        squares = student(len(others), confidence) ** 2 * 2 * variance
    if images is not None and len(images) > 1:
        squares += _own_half_width(np.asarray(images, dtype=np.float64), confidence) ** 2
    return float(np.sqrt(squares))


def _own_half_width(numbers: np.ndarray, confidence: float) -> float:
    """Of the t interval of the mean of independent numbers [k], k > 1."""
    return student(len(numbers) - 1, confidence) * float(np.sqrt(numbers.var(ddof=1) / len(numbers)))


@functools.cache
def student(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Quantile of Student's t; scipy takes longer for it than an interval takes for the rest."""
    return float(stats.t.ppf((1 + confidence) / 2, freedom))


def moderated(variances: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, float]:
    """Variances [R], each with its degrees of freedom [R], drawn towards their mean, and how many degrees of freedom the drawing adds
    to each: infinity where they differ no more than equal ones would, and then all are their mean.

    The model is Smyth's (2004, doi:10.2202/1544-6115.1027): true variances vary as an inverse chi-square, so estimated ones follow a
    scaled F. Its second degrees of freedom are those whose coefficient of variation is the one found. Smyth takes them from logarithms,
    which one small variance moves; a large one is what does harm."""
    variances, freedom = np.asarray(variances, dtype=np.float64), np.asarray(freedom, dtype=np.float64)
    mean = float(np.average(variances, weights=freedom))
    own = float(len(freedom) / (1 / freedom).sum())
    varied = own * float(variances.var(ddof=1)) / mean**2 if len(variances) > 1 and mean > 0 else 0.0
    if varied <= 2:  # what equal variances have
        return np.full(len(variances), mean), math.inf
    prior = (2 * own - 4 + 4 * varied) / (varied - 2)
    return (prior * mean + freedom * variances) / (prior + freedom), prior


@functools.cache
def all_pairs(count: int, freedom: float) -> float:
    """Standard errors of a difference that none of all pairs of `count` equal means exceeds in 95 % of cases: Tukey's studentized range
    over the root of 2. scipy.stats.studentized_range is the same, and takes a hundred times as long."""

    def within(scale: np.ndarray) -> np.ndarray:
        return count * (special.ndtr(_Z + scale * math.sqrt(2)) - special.ndtr(_Z)) ** (count - 1)

    return _quantile(within, freedom) if count > 1 else student(freedom)


@functools.cache
def many_to_one(count: int, freedom: float, correlation: float = 0.5) -> float:
    """The same of `count` differences from one reference, two-sided: Dunnett's. correlation: of two of them, 0.5 where the reference
    varies as they do, 0 where it is a constant. scipy.stats.dunnett takes samples alone, and its own variance of them."""
    shared, own = math.sqrt(correlation), math.sqrt(1 - correlation)

    def within(scale: np.ndarray) -> np.ndarray:
        return (special.ndtr((shared * _Z + scale) / own) - special.ndtr((shared * _Z - scale) / own)) ** count

    return _quantile(within, freedom)


def _quantile(within: Callable[[np.ndarray], np.ndarray], freedom: float) -> float:
    """Where the mean of `within` is 95 %, over a standard normal and over the estimated standard deviation, a chi of `freedom`."""
    chi = np.ones(1) if math.isinf(freedom) else np.sqrt(stats.chi2.ppf((_PARTS + 1) / 2, freedom) / freedom)
    weights = np.ones(1) if math.isinf(freedom) else _WEIGHTS / 2

    def chance(errors: float) -> float:
        return float(weights @ within(errors * chi[:, None]) @ _DENSITY) - CONFIDENCE

    return float(optimize.brentq(chance, 0.5, 1000, xtol=1e-6))


def interquartile_mean(scores: np.ndarray) -> float:
    """Mean of the middle half of all scores: a quarter is cut off at either end (Agarwal et al. 2021, arXiv:2108.13264)."""
    return float(stats.trim_mean(np.asarray(scores, dtype=np.float64).ravel(), 0.25))
