"""A weighted sum of points, with its interval over seeds and test images: what most rules look at.

    difference = contrast([(1, a), (-1, b)])       paired by seed and by image
    difference.estimate, difference.half_width     of the 95 % interval

The interval is the one of docs/statistics.md, of the weighted sums in the place of a method's values. S seeds, n images.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.claims.points import Point
from reports.claims.rule import CONTRADICTED, REPRODUCED, UNDECIDED
from reports.tables.statistics import CONFIDENCE, interval, of_images
from reports.tables.table import ROUNDING


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of points."""

    values: np.ndarray
    """[S] of each seed, in the order of the seeds."""
    estimate: float
    """Their mean."""
    half_width: float
    """Of its 95 % interval."""
    joint: float
    """The same of an interval so wide that of all comparisons that may contradict a rule one in 5 % is beyond its own by chance."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 %"""
        return self.estimate - self.half_width, self.estimate + self.half_width

    def beyond(self, level: float = 0.0) -> str:
        """reproduced where the whole interval is above the level, contradicted where it is below, all comparisons taken together; else
        undecided."""
        if self.estimate - self.half_width > level + ROUNDING:
            return REPRODUCED
        return CONTRADICTED if self.estimate + self.joint < level - ROUNDING else UNDECIDED

    def __str__(self) -> str:
        return f"{signed(self.estimate, self.half_width)} ± {number(self.half_width, self.half_width)}"


def contrast(terms: Sequence[tuple[float, Point]], comparisons: int = 1) -> Contrast:
    """The sum of weight times point over the seeds that all have; comparisons: of how many this is one, each of which may contradict.
    ValueError with fewer than three seeds.

    Where one of several contradicts, each has its share of the 5 %, as Bonferroni has it. Where it is not known of every point which
    images were right, only seeds count as a source of chance."""
    seeds = common_seeds([point for _, point in terms])
    values = np.array([[point.values[seed] for seed in seeds] for _, point in terms])
    sums = np.array([weight for weight, _ in terms]) @ values
    joint = 1 - (1 - CONFIDENCE) / comparisons
    half, wide = (_half_width(sums, terms, seeds, confidence) for confidence in (CONFIDENCE, joint))
    return Contrast(sums, float(sums.mean()), half, wide)


def _half_width(sums: np.ndarray, terms: Sequence[tuple[float, Point]], seeds: Sequence[int], confidence: float) -> float:
    of_seeds = interval(sums, confidence=confidence)
    if of_seeds is None:
        raise ValueError(f"an interval needs three seeds that all points have, and here are {len(sums)}")
    squares = of_seeds**2
    if with_images(terms):
        for weighted in _by_image(terms, seeds).values():
            squares += (of_images(weighted, confidence=confidence) or 0.0) ** 2
    return math.sqrt(squares)


def with_images(terms: Sequence[tuple[float, Point]]) -> bool:
    """Whether it is known of every point which images were right."""
    return all(point.correct is not None for _, point in terms)


def common_seeds(points: Sequence[Point]) -> list[int]:
    """Those that all have, in order."""
    return sorted(set.intersection(*(set(point.values) for point in points)))


def _by_image(terms: Sequence[tuple[float, Point]], seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Which images -> the weighted sum [S, n] of which of them were right. Images of another set are others that are drawn: their part
    of the variance is added."""
    sums: dict[str, np.ndarray] = {}
    for weight, point in terms:
        place = {seed: row for row, seed in enumerate(point.values)}
        chosen = point.correct[[place[seed] for seed in seeds]]  # pyright: ignore[reportOptionalSubscript]
        sums[point.images] = sums.get(point.images, 0.0) + weight * chosen.astype(np.float64)
    return sums


def signed(value: float, scale: float) -> str:
    """'+2.9'; -0.0 is +0.0."""
    return f"{float(number(value, scale)) + 0.0:+.{_decimals(scale)}f}"


def number(value: float, scale: float) -> str:
    """With one decimal, or, where what it is written beside is smaller than a tenth, with so many that two digits of that are seen."""
    return f"{value:.{_decimals(scale)}f}"


def _decimals(scale: float) -> int:
    return 1 if not math.isfinite(scale) or scale >= 0.1 or scale <= 1e-9 else 1 - math.floor(math.log10(scale))
