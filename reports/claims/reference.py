"""A figure's published points, each with its source: reports/reference/figures.csv.

published("simclr_temperature")     its rows, in the order of the file
"""

import csv
from dataclasses import dataclass
from importlib import resources

from reports.claims.figure import Arm

FILE = resources.files("reports") / "reference" / "figures.csv"
"""The points, which are installed with the package."""


@dataclass(frozen=True)
class Published:
    """One point of a paper's figure or table."""

    series: str
    x: float | str
    """A number where it is written as one, else a name."""
    y: float
    unit: str
    """'top-1 on ImageNet, linear probe, %'"""
    source: str
    confidence: str
    """paper | copy (read in a secondary copy) | by eye (read off the picture)"""


def published(figure: str) -> tuple[Published, ...]:
    """Those of a figure, by its name; none where the page says 'shape only'."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["figure"] == figure]
    return tuple(
        Published(row["series"], as_place(row["x"]), float(row["y"]), row["unit"], row["source"], row["confidence"]) for row in rows
    )


def as_place(text: str) -> float | str:
    """A place on the axis: '0.1' -> 0.1, 'no predictor' -> the same."""
    try:
        return float(text)
    except ValueError:
        return text


def beside(arm: Arm, points: tuple[Published, ...], unit: str) -> tuple[Published, ...]:
    """The published points that stand where an arm does, in its series: those in the figure's own unit first."""
    found = [point for point in points if point.series == arm.series and as_place(str(arm.x)) == point.x]
    return tuple(sorted(found, key=lambda point: point.unit != unit))
