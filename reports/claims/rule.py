"""What every rule is: frozen data that names arms, says itself in a sentence, and judges their points."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.claims.points import At, Place, Points

REPRODUCED, CONTRADICTED, UNDECIDED = "reproduced", "contradicted", "undecided"
OUT_OF_REACH, NO_VERDICT = "out of reach", "no verdict"
VERDICTS = (REPRODUCED, CONTRADICTED, UNDECIDED, OUT_OF_REACH)
"""The four words of a figure. A rule has the first three; `no verdict` is where the runs are not all there."""


@dataclass(frozen=True)
class Outcome:
    """What a rule says of the points."""

    verdict: str
    """reproduced | contradicted | undecided"""
    words: str
    """The statistic in words: 'inside over 0.05 +2.9 ± 1.6, over 1 +1.0 ± 2.4'."""
    estimate: float
    """Of the effect; where a rule has several, of the one that is least sure."""
    interval: tuple[float, float] | None
    """Its 95 % interval; None where there is none."""


@dataclass(frozen=True)
class Rule:
    """What every rule has."""

    def places(self) -> tuple[Place, ...]:
        """What it sets against each other."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """The arms that it is about, each once."""
        return tuple(dict.fromkeys(place.arm if isinstance(place, At) else place for place in self.places()))

    def needs(self, measure: str, own: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
        """(arm, measure) of every point that it reads. measure: the figure's own; own: of arms that are judged by another."""
        named, own = getattr(self, "measure", None), own or {}
        places = (place if isinstance(place, At) else At(place, named or own.get(place, measure)) for place in self.places())
        return tuple(dict.fromkeys((place.arm, place.measure) for place in places))

    def words(self) -> str:
        """The rule in a sentence, and what would have contradicted it."""
        raise NotImplementedError

    def judge(self, points: Points) -> Outcome:
        """What it says of points that have all that it needs, each with the same three seeds or more."""
        raise NotImplementedError


def together(verdicts: Iterable[str]) -> str:
    """Of what must all hold: contradicted where one is, reproduced where every one is, else undecided."""
    said = set(verdicts)
    return CONTRADICTED if CONTRADICTED in said else UNDECIDED if UNDECIDED in said else REPRODUCED


def by(measure: str | None) -> str:
    """' by knn', in a rule's sentence."""
    return f" by {measure}" if measure else ""
