"""Rules of the shape along an axis: it rises, or it has its peak inside. S seeds."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from reports.claims.contrasts import Contrast, common_seeds, contrast
from reports.claims.points import Place, Points
from reports.claims.rule import CONTRADICTED, REPRODUCED, UNDECIDED, Outcome, Rule, by, together

PAGE_LEVEL = 0.025
"""Each way."""

PAGE_PLACES = (3, 8)
"""Fewest and most places of Page's test: of two it is no trend, and of more than eight its exact distribution takes minutes."""


@dataclass(frozen=True)
class Rises(Rule):
    """The measure rises from the first place to the last: a trend, not that each step is one.

    Page's exact test says so, seeds as its blocks, and so does the interval of the straight line's rise, since Page's test knows nothing
    of test images: of arms that are alike it is beyond its level where the images favour one at every seed."""

    along: tuple[Place, ...]
    measure: str | None = None

    def __post_init__(self) -> None:
        fewest, most = PAGE_PLACES
        if not fewest <= len(self.along) <= most:
            raise ValueError(f"Rises needs {fewest} to {most} places, and has {len(self.along)}")

    def places(self) -> tuple[Place, ...]:
        return self.along

    def words(self) -> str:
        return f"It rises along {', '.join(map(str, self.along))}{by(self.measure)}. Contradicted if it falls."

    def judge(self, points: Points) -> Outcome:
        found = [points.of(place, self.measure) for place in self.along]
        steps = np.arange(len(found)) - (len(found) - 1) / 2
        # The rise of the least squares' straight line from the first place to the last, each a step apart.
        line = contrast(list(zip(steps / (steps @ steps) * (len(found) - 1), found, strict=True)))
        values = np.array([[point.values[seed] for point in found] for seed in common_seeds(found)])
        verdict, chances = line.beyond(), (page(values), page(values[:, ::-1]))
        agree = {REPRODUCED: chances[0], CONTRADICTED: chances[1]}.get(verdict, 1.0) <= PAGE_LEVEL
        way, chance = ("rise", chances[0]) if line.estimate >= 0 else ("fall", chances[1])
        words = f"{line} from {self.along[0]} to {self.along[-1]} along a straight line{by(self.measure)}, p of the {way} {chance:.2g}"
        return Outcome(verdict if agree else UNDECIDED, words, line.estimate, line.interval)


@dataclass(frozen=True)
class Peak(Rule):
    """The mean of the places inside is above both ends."""

    ends: tuple[Place, Place]
    inside: tuple[Place, ...]
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return self.ends[0], *self.inside, self.ends[1]

    def words(self) -> str:
        mean = "the mean of " * (len(self.inside) > 1) + ", ".join(map(str, self.inside))
        ends = " and ".join(map(str, self.ends))
        return f"{mean[0].upper()}{mean[1:]} is above both {ends}{by(self.measure)}. Contradicted if it is below one of them."

    def judge(self, points: Points) -> Outcome:
        inside = [(1 / len(self.inside), points.of(place, self.measure)) for place in self.inside]
        over = [contrast([*inside, (-1, points.of(end, self.measure))], comparisons=len(self.ends)) for end in self.ends]
        words = ", ".join(f"over {end} {difference}" for end, difference in zip(self.ends, over, strict=True))
        return outcome_of(over, f"inside{by(self.measure)} {words}")


def outcome_of(parts: list[Contrast], words: str) -> Outcome:
    """Of differences that must all be above 0: all are, or one is below, and the one that is least sure stands for them."""
    verdict = together(part.beyond() for part in parts)
    least = min(parts, key=lambda part: part.interval)
    return Outcome(verdict, words, least.estimate, least.interval)


def page(values: np.ndarray) -> float:
    """The chance that values [S, places], each seed's in a random order, rise as much as they do: Page's exact test (1963).

    Its distribution is that of values without ties, and ties are broken against the rise: the true p is no larger."""
    ranks = stats.rankdata(values[:, ::-1], axis=1, method="ordinal")[:, ::-1]
    return float(stats.page_trend_test(ranks, ranked=True, method="exact").pvalue)
