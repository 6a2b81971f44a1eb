"""Rank correlations of two lists of numbers, Spearman's and Kendall's, with an interval by a bootstrap over their entries.

    agreement([40, 42, ...], [51, 50, ...], "kendall")      0.64 [0.21, 0.93] over so many entries

The same numbers give the same interval. M entries, R resamples.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from reports.tables.statistics import CONFIDENCE
from reports.tables.table import Cell

Statistic = Literal["spearman", "kendall"]

RESAMPLES = 2000
FEWEST = 8
"""Entries of an interval by a bootstrap over them: with fewer it errs too often (docs/statistics.md)."""


@dataclass(frozen=True)
class Agreement:
    """Of two lists."""

    entries: int
    correlation: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.correlation:.2f} [{self.low:.2f}, {self.high:.2f}]"


def agreement(first: np.ndarray, second: np.ndarray, statistic: Statistic) -> Agreement | None:
    """Of two lists [M]; None of fewer than FEWEST entries."""
    if len(first) < FEWEST:
        return None
    return Agreement(len(first), correlation(first, second, statistic), *quantiles(of_resamples(first, second, statistic)))


def between_seeds(cells: Sequence[Cell | None], statistic: Statistic) -> float | None:
    """Mean correlation between two seeds' orders of those cells that have both; None where no two seeds have enough of them."""
    there = [cell for cell in cells if cell]
    found = []
    for one, other in itertools.combinations(sorted({seed for cell in there for seed in cell.values}), 2):
        both = np.array([[cell.values[one], cell.values[other]] for cell in there if {one, other} <= cell.values.keys()]).T
        if both.size >= 2 * FEWEST:
            found.append(correlation(*both, statistic))
    return float(np.mean(found)) if found else None


def resamples(count: int) -> np.ndarray:
    """[R, count] places, drawn with replacement; always the same, or a page would differ from one run to the next."""
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count))


def quantiles(numbers: np.ndarray) -> tuple[float, float]:
    """Ends of the 95 % percentile interval."""
    low, high = np.quantile(numbers, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def correlation(first: np.ndarray, second: np.ndarray, statistic: Statistic) -> float:
    """Rank correlation of two lists [M]; 0 where one of them is constant."""
    return float((tau(first, second, np.ones((1, len(first)))) if statistic == "kendall" else rho(first, second))[..., 0])


def of_resamples(first: np.ndarray, second: np.ndarray, statistic: Statistic) -> np.ndarray:
    """The same of each resample of the entries: [R]."""
    drawn = resamples(len(first))
    return tau(first, second, counts_of(drawn)) if statistic == "kendall" else rho(first[drawn], second[drawn])


def counts_of(drawn: np.ndarray) -> np.ndarray:
    """How often each of M places stands in each row of [R, M] places: [R, M]."""
    return (drawn[:, :, None] == np.arange(drawn.shape[1])).sum(axis=1)


def rho(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation of arrays [R, M] or [M], row by row: [R]; 0 where one of the two is constant."""
    ranks = [stats.rankdata(np.atleast_2d(numbers), axis=-1) for numbers in (first, second)]
    one, other = (its - its.mean(axis=-1, keepdims=True) for its in ranks)
    scale = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.divide((one * other).sum(axis=-1), scale, out=np.zeros(scale.shape), where=scale > 0)


def tau(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Kendall's tau-b [R] of two lists [M] in which each entry stands so often as counts [R, M] says; 0 where one of them is constant."""
    one, other = (np.sign(numbers[:, None] - numbers) for numbers in (first, second))
    alike, untied, other_untied = (
        np.einsum("rm,mk,rk->r", counts, pairs, counts, optimize=True) for pairs in (one * other, one**2, other**2)
    )
    scale = np.sqrt(untied * other_untied)
    return np.divide(alike, scale, out=np.zeros(scale.shape), where=scale > 0)
