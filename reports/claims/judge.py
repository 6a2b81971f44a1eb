"""A figure's verdict at a scale: the gate, every rule, and one word.

runs = {"0.1": {0: "1f2e…", 1: …}, …, "floor random": {…}}     arm -> seed -> id of its run; of `asked(figure, scale)`
verdict = judge(figure, scale, points_of(figure, scale, frame, runs))
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reports.claims.figure import Arm, Figure, floors_of
from reports.claims.rules import Outcome


@dataclass(frozen=True)
class Gate:
    """One arm that must have learned, beside the better untrained encoder."""

    arm: str
    floor: str
    """The better one: 'floor random'."""
    difference: float
    interval: tuple[float, float]
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """What the records say of a figure at a scale."""

    word: str
    """One of reports.claims.rules.VERDICTS, or `no verdict`."""
    why: str
    """In one line: the statistics of the rules, the distance to the floor, or which runs are missing."""
    gate: tuple[Gate, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    """In the order of the figure's rules; empty where nothing was judged."""


def floors(figure: Figure, scale: str) -> dict[str, Arm]:
    """Name -> untrained encoder, of all arms that the scale runs: 'floor random', 'floor random vit_nano'."""
    return {floor_name(floor): floor for arm in figure.arms_at(scale).values() for floor in floors_of(arm)}


def floor_name(floor: Arm) -> str:
    """What a floor's runs are called beside the arms'."""
    return " ".join(("floor", floor.method, *((floor.encoder,) if floor.encoder else ())))


def asked(figure: Figure, scale: str) -> Mapping[str, Arm]:
    """Name -> arm, of all that the scale needs: its arms and their floors."""
    return figure.arms_at(scale) | floors(figure, scale)
