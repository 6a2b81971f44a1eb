"""Accuracy along the budget as the home page has it: curves as inline SVG, and their numbers as a table, of settings that were trained at
two budgets or more (reports/tables/budgets.py)."""

import math
from dataclasses import dataclass

from reports.site.curve import HEIGHT, WIDTH
from reports.site.source import Source
from reports.tables import columns as kinds
from reports.tables.budgets import Course, Curve, courses, tera

LEADING = 7
"""Curves with a colour and a row of their own; the others are grey."""


@dataclass(frozen=True)
class Along:
    """What templates/home.html draws."""

    title: str
    header: str
    """Of the accuracy."""
    budgets: tuple[str, ...]
    """In TFLOP."""
    leading: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(label, points of its polyline, its number at each budget), the best at the largest budget first."""
    others: tuple[str, ...]
    """Polylines of those that are not named."""
    low: str
    high: str
    """Accuracies at the bottom and the top of the drawing, percent."""
    width: int = WIDTH
    height: int = HEIGHT


def along(source: Source) -> Along | None:
    """Of the tables with most curves; None where no method has a setting at two budgets."""
    found = [course for folder in source.folders for course in courses(list(folder.tables))]
    return drawn(max(found, key=lambda course: len(course.curves))) if found else None


def drawn(course: Course) -> Along:
    """Budgets on a logarithmic axis."""
    means = [curve.cell(flops).mean for curve in course.curves for flops in curve.budgets]
    low, high = min(means), max(means)

    def points(curve: Curve) -> str:
        first, last = math.log(course.budgets[0]), math.log(course.budgets[-1])
        places = [(math.log(flops) - first) / (last - first) for flops in curve.budgets]
        heights = [(high - curve.cell(flops).mean) / ((high - low) or 1.0) for flops in curve.budgets]
        return " ".join(f"{WIDTH * x:.1f},{HEIGHT * y:.1f}" for x, y in zip(places, heights, strict=True))

    def told(curve: Curve) -> tuple[str, ...]:
        return tuple(kinds.text(course.column, curve.cell(flops) if flops in curve.rows else None) for flops in course.budgets)

    methods = [curve for curve in course.curves if curve.kind == "method"]
    return Along(
        course.title,
        course.column.header,
        tuple(map(tera, course.budgets)),
        tuple((curve.label, points(curve), told(curve)) for curve in methods[:LEADING]),
        tuple(map(points, methods[LEADING:])),
        f"{low:.1f}",
        f"{high:.1f}",
    )
