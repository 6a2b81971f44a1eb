"""What the records say of each arm: a point is a measure's value at every seed, and where it is an accuracy which test images were right.

    points = Points.given("linear", {"0.1": {0: 90.2, 1: 91.0, 2: 89.7}, ...})     for tests, and for published values
    points.of("0.1").values                                                        {seed: value}
    points.of(At("0.1", "knn"))                                                    by another measure than the figure's own

S seeds, n test images. Accuracies are in percent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np


@dataclass(frozen=True)
class At:
    """An arm by a measure of its own, wherever a rule takes an arm: At("whole", "projection:linear"), At("jigsaw", "stages:2")."""

    arm: str
    measure: str

    def __str__(self) -> str:
        return f"{self.arm} by {self.measure}"


Place = str | At
"""What a rule sets against another: an arm by the rule's measure, or by one of its own."""


@dataclass(frozen=True)
class Point:
    """One arm by one measure."""

    values: Mapping[int, float]
    """Seed -> value."""
    correct: np.ndarray | None = None
    """bool [S, n], rows in the order of `values`: which images were right; None where the measure is no share of images that were, or it
    is not known of which."""
    images: str = ""
    """Which images those are: two points of the same ones are compared image by image."""


@dataclass(frozen=True)
class Points:
    """Points by arm and measure."""

    measure: str
    """The figure's own."""
    find: Callable[[str, str], Point]
    """Arm, measure -> its point; without values where nothing was measured."""
    floors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Arm -> the untrained encoders that it is set against, by the names that `find` knows them by."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Arm -> measure, of arms that are judged by one of their own in place of the figure's."""
    problems: tuple[str, ...] = ()
    """Why these runs cannot be set against each other, a sentence for each reason; empty where they can."""

    @classmethod
    def given(
        cls,
        measure: str,
        values: Mapping[str | tuple[str, str], Mapping[int, float] | Point],
        floors: Mapping[str, Sequence[str]] | None = None,
    ) -> "Points":
        """From values by arm, or by (arm, measure) where it is not `measure`."""
        found = {(key, measure) if isinstance(key, str) else key: value for key, value in values.items()}
        points = {key: value if isinstance(value, Point) else Point(dict(value)) for key, value in found.items()}
        return cls(measure, lambda arm, by: points.get((arm, by), Point({})), floors or {})

    def of(self, place: Place, measure: str | None = None) -> Point:
        """An arm's point: by the measure of the place, else by this one, else by the arm's own, else by the figure's."""
        return self.find(*self.key(place, measure))

    def key(self, place: Place, measure: str | None = None) -> tuple[str, str]:
        """Arm and measure of a place."""
        return (place.arm, place.measure) if isinstance(place, At) else (place, measure or self.own.get(place, self.measure))

    def floor(self, place: Place, measure: str | None = None) -> tuple[str, Point] | None:
        """The better of the untrained encoders that an arm is set against, by the same measure, and its name; None where there are none.

        Better by their means on the same images that the arm is measured on: of two that are alike the luckier one, which asks a
        little more of the arm."""
        arm, by = self.key(place, measure)
        found = [(name, self.find(name, by)) for name in self.floors.get(arm, ())]
        known = [(name, point) for name, point in found if point.values]
        return max(known, key=lambda named: fmean(named[1].values.values())) if known else None
