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
from typing import Literal

from reports.claims.points import At, Place
from reports.claims.rule import CONTRADICTED, NO_VERDICT, OUT_OF_REACH, REPRODUCED, UNDECIDED, VERDICTS, Outcome, Rule

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


def _by(measure: str | None) -> str:
    return f" by {measure}" if measure else ""


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
        return f"{self.a} is above {self.b}{more}{_by(self.measure)}. Contradicted if it is {less}."


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
        return f"{self.a} is within {self.margin:g} of {self.b}{_by(self.measure)}. Contradicted if they are further apart."


@dataclass(frozen=True)
class Rises(Rule):
    """The measure rises from the first place to the last: a trend, not that each step is one."""

    along: tuple[Place, ...]
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return self.along

    def words(self) -> str:
        return f"It rises along {', '.join(map(str, self.along))}{_by(self.measure)}. Contradicted if it falls."


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
        return f"{mean[0].upper()}{mean[1:]} is above both {ends}{_by(self.measure)}. Contradicted if it is below one of them."


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
        return f"The lead of {before} is larger than that of {after}{_by(self.measure)}. Contradicted if it is smaller."


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
            f"{self.without} is below {self.with_} and not above untrained features{_by(self.measure)}{sign}. "
            f"Contradicted if it is above either."
        )


@dataclass(frozen=True)
class Agrees(Rule):
    """Two measures order the arms alike: their rank correlation over the arms is above the level.

    over: arms, or several lists of arms (one method's settings each), within each of which the correlation is taken; then it is their
    mean that is judged."""

    over: tuple[str, ...] | tuple[tuple[str, ...], ...]
    first: str
    second: str
    level: float = 0.0
    opposite: bool = False
    """The second measure is one of which less is better, as alignment."""
    statistic: Literal["spearman", "kendall"] = "spearman"

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The lists of arms."""
        return (self.over,) if isinstance(self.over[0], str) else self.over  # pyright: ignore[reportReturnType]

    def places(self) -> tuple[Place, ...]:
        return tuple(At(arm, by) for group in self.groups() for arm in group for by in (self.first, self.second))

    def words(self) -> str:
        second = f"{self.second}, less of which counts as more," if self.opposite else self.second
        where = f"over {len(self.groups()[0])} arms" if len(self.groups()) == 1 else f"within each of {len(self.groups())} groups of arms"
        name = self.statistic.capitalize()
        alike = f"{self.first} and {second} order the arms alike"
        return f"{alike}: {name}'s correlation {where} is above {self.level:g}. Contradicted if it is below."


@dataclass(frozen=True)
class Reorders(Rule):
    """Methods are ordered less alike with two encoders than by two seeds of one.

    encoders: of each encoder its arms, in the same order of methods."""

    encoders: tuple[tuple[str, ...], ...]
    measure: str | None = None

    def places(self) -> tuple[Place, ...]:
        return tuple(arm for arms in self.encoders for arm in arms)

    def words(self) -> str:
        return (
            f"The order of {len(self.encoders[0])} methods is less alike across {len(self.encoders)} encoders than across seeds of one "
            f"(Kendall's tau-b{_by(self.measure)}). Contradicted if it is more alike."
        )
