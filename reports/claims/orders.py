"""Rules of orders: whether two measures order the arms alike, and whether two encoders do.

What varies in them is which arms there are, so the interval is a bootstrap over arms; what seeds do to an arm's mean is in it as far as it
makes arms differ. M arms, S seeds, R resamples.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.claims.contrasts import common_seeds
from reports.claims.measures import best
from reports.claims.points import At, Place, Points
from reports.claims.rule import CONTRADICTED, REPRODUCED, UNDECIDED, Outcome, Rule
from reports.tables.columns import goodness, said
from reports.tables.rank_correlation import FEWEST, Statistic, correlation, counts_of, of_resamples, quantiles, resamples, tau
from reports.tables.statistics import interval

FEWEST_GROUPS = 3
"""Of an interval over groups of arms, as of one over seeds."""


@dataclass(frozen=True)
class Agrees(Rule):
    """Two measures order the arms alike, the better by the one being the better by the other (reports/claims/measures.py says which way
    that is): their rank correlation over the arms is above the level.

    over: arms, or several groups of them (the settings of one method each), within each of which the correlation is taken; then the mean
    over groups is judged, by the t interval of as many numbers as there are groups, since those are what is independent."""

    over: tuple[str, ...] | tuple[tuple[str, ...], ...]
    first: str
    second: str
    level: float = 0.0
    statistic: Statistic = "spearman"

    def __post_init__(self) -> None:
        groups = self.groups()
        if (len(groups) == 1 and len(groups[0]) < FEWEST) or 1 < len(groups) < FEWEST_GROUPS:
            raise ValueError(f"Agrees needs {FEWEST} arms, or {FEWEST_GROUPS} groups of them, and has {[len(arms) for arms in groups]}")
        for measure in (self.first, self.second):
            if best(measure) is None:
                raise ValueError(f"Agrees needs measures of which some values are better than others, and {measure} is none")

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The lists of arms."""
        return (self.over,) if isinstance(self.over[0], str) else self.over  # pyright: ignore[reportReturnType]

    def places(self) -> tuple[Place, ...]:
        return tuple(At(arm, by) for group in self.groups() for arm in group for by in (self.first, self.second))

    def words(self) -> str:
        first, second = _named(self.first), _named(self.second)
        where = (
            f"over {len(self.groups()[0])} arms" if len(self.groups()) == 1 else f"within {len(self.groups())} groups of arms, on average,"
        )
        alike = f"{first} and {second} order the arms alike"
        name = self.statistic.capitalize()
        return f"{alike}: {name}'s correlation {where} is above {self.level:g}. Contradicted if it is below."

    def judge(self, points: Points) -> Outcome:
        groups = [self._means(points, arms) for arms in self.groups()]
        found = [float(correlation(*both, self.statistic)) for both in groups]
        if len(groups) == 1:
            low, high = quantiles(of_resamples(*groups[0], self.statistic))
            where = f"over {len(groups[0][0])} arms"
        else:
            half = interval(np.array(found)) or np.inf
            low, high = np.mean(found) - half, np.mean(found) + half
            where = f"within {len(groups)} groups of arms: {', '.join(f'{value:.2f}' for value in found)}; mean"
        return outcome(
            float(np.mean(found)),
            low,
            high,
            self.level,
            f"{self.first} and {self.second}, {self.statistic.capitalize()}'s correlation {where}",
        )

    def _means(self, points: Points, arms: Sequence[str]) -> np.ndarray:
        """[2, M] of both measures, over seeds; more is better."""
        both = [[np.mean(list(points.of(At(arm, by)).values.values())) for arm in arms] for by in (self.first, self.second)]
        return np.stack([goodness(np.array(means), _best(by)) for means, by in zip(both, (self.first, self.second), strict=True)])


def _best(measure: str) -> float:
    found = best(measure)
    assert found is not None, "refused before"
    return found


def _named(measure: str) -> str:
    """With which way it counts, where that is not by more."""
    return f"{measure}{told}," if (told := said(best(measure))) else measure


@dataclass(frozen=True)
class Reorders(Rule):
    """Methods are ordered less alike with two encoders than by two seeds of one.

    encoders: of each encoder its arms, in the same order of methods."""

    encoders: tuple[tuple[str, ...], ...]
    measure: str | None = None

    def __post_init__(self) -> None:
        counts = [len(arms) for arms in self.encoders]
        if len(counts) < 2 or len(set(counts)) > 1 or counts[0] < FEWEST:
            raise ValueError(f"Reorders needs two encoders with the same {FEWEST} methods or more, and has {counts}")

    def places(self) -> tuple[Place, ...]:
        return tuple(arm for arms in self.encoders for arm in arms)

    def words(self) -> str:
        by = f" by {self.measure}" if self.measure else ""
        return (
            f"The order of {len(self.encoders[0])} methods{by} is less alike across {len(self.encoders)} encoders than across seeds of one "
            f"(Kendall's tau-b). Contradicted if it is more alike."
        )

    def judge(self, points: Points) -> Outcome:
        found = [[points.of(arm, self.measure) for arm in arms] for arms in self.encoders]
        seeds = common_seeds([point for arms in found for point in arms])
        orders = [[np.array([point.values[seed] for point in arms]) for seed in seeds] for arms in found]
        methods = len(self.encoders[0])
        # How often each method is drawn, the first time once each.
        counts = np.vstack([np.ones((1, methods)), counts_of(resamples(methods))])
        # Never the same seed: what it does to the data of both would make them more alike.
        within = [np.mean([tau(one, other, counts) for one, other in itertools.combinations(encoder, 2)], axis=0) for encoder in orders]
        across = [
            tau(one, other, counts)
            for first, second in itertools.combinations(orders, 2)
            for (seed, one), (another, other) in itertools.product(enumerate(first), enumerate(second))
            if seed != another
        ]
        of_one = np.mean([alike(one, other) for one, other in itertools.combinations(within, 2)], axis=0)
        of_two = np.mean(across, axis=0)
        less = of_one - of_two
        words = f"tau {of_one[0]:.2f} between seeds, {of_two[0]:.2f} between encoders, {methods} methods; difference"
        return outcome(float(less[0]), *quantiles(less[1:]), 0.0, words)


def outcome(estimate: float, low: float, high: float, level: float, words: str) -> Outcome:
    """Of an interval beside a level."""
    verdict = REPRODUCED if low > level else CONTRADICTED if high < level else UNDECIDED
    beside = f", {level:g} asked for" if level else ""
    return Outcome(verdict, f"{words} {estimate:.2f} [{low:.2f}, {high:.2f}]{beside}", estimate, (float(low), float(high)))


def alike(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What tau two encoders would have if they ordered methods alike, from the tau between seeds of either: [R].

    Noise lowers a correlation by the root of each side's reliability, so it is their geometric mean; of tau as a correlation of normal
    values, sin(pi tau / 2). Their plain mean is larger, the more so the less alike the two are, and would call that a new order."""
    correlations = [np.sin(np.pi / 2 * np.clip(its, 0, 1)) for its in (first, second)]
    return 2 / np.pi * np.arcsin(np.sqrt(correlations[0] * correlations[1]))
