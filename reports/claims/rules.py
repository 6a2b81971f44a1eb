"""Rules that judge a claim, as frozen data: fixed before a run, each judged by the statistics of the leaderboard.

    Above("0.1", "0.05")                                      the first is better
    Within("32", "2048", margin=3)                            both are alike
    Rises(("0", "0.9", "0.99", "0.999"))                      from the first place to the last
    Peak(ends=("0.05", "1"), inside=("0.1", "0.5"))           better inside than at either end
    Shrinks(("labels 1x", "ssl 1x"), ("labels 2x", "ssl 2x")) the first two are further apart than the second two
    Collapses("no stop-gradient", "whole")                    nothing is learned without it
    Agrees(over=(...), first="linear", second="transfer:X")   two measures order the arms alike
    Reorders((resnet8's, vit_nano's))                         two encoders order the methods less alike than two seeds do

Wherever an arm stands At(arm, measure) may stand, which is judged by that measure.
"""

from dataclasses import dataclass

from reports.claims.contrasts import contrast
from reports.claims.orders import Agrees, Reorders
from reports.claims.points import At, Place, Points
from reports.claims.rule import CONTRADICTED, NO_VERDICT, OUT_OF_REACH, REPRODUCED, UNDECIDED, VERDICTS, Outcome, Rule, by
from reports.claims.shapes import Peak, Rises

__all__ = [
    "CONTRADICTED",
    "NO_VERDICT",
    "OUT_OF_REACH",
    "REPRODUCED",
    "UNDECIDED",
    "VERDICTS",
    "Above",
    "Agrees",
    "At",
    "Collapses",
    "Outcome",
    "Peak",
    "Reorders",
    "Rises",
    "Rule",
    "Shrinks",
    "Within",
]


@dataclass(frozen=True)
class Above(Rule):
    """a is better than b by more than the margin."""

    a: Place
    b: Place
    margin: float = 0.0
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return self.a, self.b

    def words(self) -> str:
        more = f" by more than {self.margin:g}" if self.margin else ""
        less = f"not even {self.margin:g} above it" if self.margin else "below it"
        return f"{self.a} is above {self.b}{more}{by(self.measure)}. Contradicted if it is {less}."

    def judge(self, points: Points) -> Outcome:
        difference = contrast([(1, points.of(self.a, self.measure)), (-1, points.of(self.b, self.measure))])
        return Outcome(
            difference.beyond(self.margin),
            f"{self.a} over {self.b}{by(self.measure)} {difference}",
            difference.estimate,
            difference.interval,
        )


@dataclass(frozen=True)
class Within(Rule):
    """a and b are no further apart than the margin."""

    a: Place
    b: Place
    margin: float = 3.0
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return self.a, self.b

    def words(self) -> str:
        return f"{self.a} is within {self.margin:g} of {self.b}{by(self.measure)}. Contradicted if they are further apart."

    def judge(self, points: Points) -> Outcome:
        difference = contrast([(1, points.of(self.a, self.measure)), (-1, points.of(self.b, self.measure))])
        low, high = difference.interval
        verdict = REPRODUCED if -self.margin < low and high < self.margin else UNDECIDED
        verdict = CONTRADICTED if high < -self.margin or low > self.margin else verdict
        return Outcome(verdict, f"{self.a} beside {self.b}{by(self.measure)} {difference}", difference.estimate, difference.interval)


@dataclass(frozen=True)
class Shrinks(Rule):
    """first[0] - first[1] is larger than second[0] - second[1]."""

    first: tuple[Place, Place]
    second: tuple[Place, Place]
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return *self.first, *self.second

    def words(self) -> str:
        before, after = (" over ".join(map(str, pair)) for pair in (self.first, self.second))
        return f"The lead of {before} is larger than that of {after}{by(self.measure)}. Contradicted if it is smaller."

    def judge(self, points: Points) -> Outcome:
        leads = [
            [(sign, points.of(place, self.measure)) for sign, place in zip((1, -1), pair, strict=True)]
            for pair in (self.first, self.second)
        ]
        shrunk = contrast([*leads[0], *((-weight, point) for weight, point in leads[1])])
        first, second = (contrast(lead) for lead in leads)
        words = f"lead of {' over '.join(map(str, self.first))} {first}, of {' over '.join(map(str, self.second))} {second}: {shrunk}"
        return Outcome(shrunk.beyond(), words, shrunk.estimate, shrunk.interval)


@dataclass(frozen=True)
class Collapses(Rule):
    """Nothing is learned without something: `without` is below `with_`, not above the better untrained encoder, and `sign`, where one is
    named, is at most `at_most` in every seed of it. By kNN, since a standardised linear probe does not see a collapse."""

    without: str
    with_: str
    measure: str | None = "knn"
    sign: str | None = None
    """A measure that says that the output is one point: projection:rankme, projection:feature_std, loss."""
    at_most: float = 2.0

    def places(self) -> tuple[Place, ...]:
        return (self.without, self.with_, *((At(self.without, self.sign),) if self.sign else ()))

    def words(self) -> str:
        sign = f", and {self.sign} is at most {self.at_most:g} in every seed of it" if self.sign else ""
        return (
            f"{self.without} is below {self.with_} and not above untrained features{by(self.measure)}{sign}. "
            f"Contradicted if it is above either."
        )

    def judge(self, points: Points) -> Outcome:
        """Of published points, which have no floor and no sign, the difference alone."""
        without, with_ = (points.of(arm, self.measure) for arm in (self.without, self.with_))
        floor = points.floor(self.without, self.measure)
        lost = contrast([(1, with_), (-1, without)], comparisons=2 if floor else 1)
        verdict, words = lost.beyond(), [f"{self.with_} over {self.without}{by(self.measure)} {lost}"]
        if floor:
            learned = contrast([(1, without), (-1, floor[1])], comparisons=2)
            words.append(f"{self.without} beside {floor[0]} {learned}")
            if learned.estimate > learned.joint:
                verdict = CONTRADICTED
            elif learned.estimate > learned.half_width:
                verdict = verdict if verdict == CONTRADICTED else UNDECIDED
        signs = list(points.of(self.without, self.sign).values.values()) if self.sign else []
        if signs:
            words.append(f"{self.sign} of it {max(signs):.3g} at most, {self.at_most:g} asked for")
            verdict = UNDECIDED if verdict == REPRODUCED and max(signs) > self.at_most else verdict
        return Outcome(verdict, "; ".join(words), lost.estimate, lost.interval)
