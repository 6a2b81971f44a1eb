"""The budget as an axis: tables that differ in nothing but their budget of FLOPs, and each setting's numbers along it.

    for course in courses(build(store.frame())): course.title, course.curves, course.crossings(), course.foretells(1e12, 3e13)

A curve's budget for a level is read between measured budgets and never beyond them. B budgets.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.tables.columns import Column
from reports.tables.labels import labels
from reports.tables.lines import title
from reports.tables.provenance import Provenance, together
from reports.tables.rank_correlation import Agreement, agreement, between_seeds
from reports.tables.table import SETTING, Cell, Row, Table

UNIT = "flops"
TERA = 1e12


@dataclass(frozen=True)
class Needed:
    """FLOPs: 0 where the smallest measured budget is enough, infinite where the largest is not."""

    flops: float
    low: float | None
    """Where the upper end of the accuracy's interval reaches the level; None where a budget has no interval."""
    high: float | None
    """Where the lower end does."""


@dataclass(frozen=True)
class Curve:
    """One setting of a method, or of a ceiling, at two budgets or more."""

    label: str
    kind: str
    """method | ceiling"""
    column: str
    """Key of the column that ranks."""
    rows: dict[float, Row]
    """FLOPs -> its row in the table of that budget, the smallest budget first."""

    @property
    def budgets(self) -> tuple[float, ...]:
        """[B] FLOPs."""
        return tuple(self.rows)

    def cell(self, flops: float) -> Cell:
        """Its accuracy at a budget that it has."""
        return self.rows[flops].cells[self.column]

    def needed(self, level: float) -> Needed:
        """For so many percent, by straight lines over the logarithm of FLOPs; as the interval, what of the axis has the level within the
        accuracy's interval. That of a straight line is narrower between two budgets than the line between its ends, so it errs to the safe
        side."""
        cells = [self.cell(flops) for flops in self.budgets]
        flops = first_at(self.budgets, [cell.mean for cell in cells], level)
        halves = [cell.half_width for cell in cells if cell.half_width is not None]
        if len(halves) < len(cells) or any(row.lost for row in self.rows.values()):
            return Needed(flops, None, None)
        ends = ([cell.mean + sign * half for cell, half in zip(cells, halves, strict=True)] for sign in (1, -1))
        return Needed(flops, *(first_at(self.budgets, heights, level) for heights in ends))


@dataclass(frozen=True)
class Crossing:
    """Two curves, each of which is told to be better at one of two budgets."""

    first: str
    """The better one at the smaller budget."""
    second: str
    before: tuple[float, float, float]
    """The smaller budget in FLOPs, first - second there in percent, and the half width of its interval."""
    after: tuple[float, float, float]
    """The same of the larger budget."""


@dataclass(frozen=True)
class Course:
    """All that is alike but for the budget."""

    key: dict[str, object]
    """As of a table, without the budget's amount."""
    title: str
    column: Column
    """What ranks."""
    tables: dict[float, Table]
    """By FLOPs, the smallest first."""
    curves: tuple[Curve, ...]
    """The best at the largest budget first, ceilings after the methods."""

    @property
    def budgets(self) -> tuple[float, ...]:
        """[B] FLOPs."""
        return tuple(self.tables)

    @property
    def made_of(self) -> Provenance:
        """All runs of its tables."""
        return together(table.made_of for table in self.tables.values())

    @property
    def floors(self) -> tuple[Row, ...]:
        """Of the largest budget's table: they are the same in all, since nothing is spent on them."""
        return tuple(row for row in self.tables[self.budgets[-1]].rows if row.kind == "floor" and self.column.key in row.cells)

    def crossings(self) -> list[Crossing]:
        """Of every two curves, by the comparisons that the tables' ranks are by."""
        return [crossing for first, second in itertools.combinations(self.curves, 2) for crossing in self._crossings(first, second)]

    def _crossings(self, first: Curve, second: Curve) -> list[Crossing]:
        found, before = [], None
        for flops in (flops for flops in self.budgets if flops in first.rows and flops in second.rows):
            told = self.tables[flops].compared[self.column.key]
            at = told.place[first.rows[flops].label], told.place[second.rows[flops].label]
            if told.beyond[at]:
                now = (flops, float(told.difference[at]), float(told.half_width[at]))
                if before and before[1] * now[1] < 0:
                    found.append(_crossing(first, second, before, now))
                before = now
        return found

    def foretells(self, first: float, second: float) -> Agreement | None:
        """Kendall's tau-b between the orders that two budgets give the methods; of one budget and itself None."""
        both = [(curve.cell(first).mean, curve.cell(second).mean) for curve in self._methods() if {first, second} <= curve.rows.keys()]
        return agreement(*np.array(both).reshape(-1, 2).T, "kendall") if first != second else None

    def own_seeds(self, flops: float) -> float | None:
        """Kendall's tau-b between the orders of two seeds of one budget, the mean over pairs of seeds."""
        return between_seeds([curve.cell(flops) if flops in curve.rows else None for curve in self._methods()], "kendall")

    def _methods(self) -> list[Curve]:
        return [curve for curve in self.curves if curve.kind == "method"]


def _crossing(first: Curve, second: Curve, before: tuple[float, float, float], after: tuple[float, float, float]) -> Crossing:
    if before[1] > 0:
        return Crossing(first.label, second.label, before, after)
    turned = ((flops, -difference, half) for flops, difference, half in (before, after))
    return Crossing(second.label, first.label, *turned)


def first_at(budgets: Sequence[float], heights: Sequence[float], level: float) -> float:
    """FLOPs [B] at which the line through `heights` [B] over their logarithm first is at the level: 0 where it is there at the smallest
    budget, infinite where at none."""
    if heights[0] >= level:
        return 0.0
    points = itertools.pairwise(zip(budgets, heights, strict=True))
    for (left, low), (right, high) in points:
        if high >= level:
            return math.exp(math.log(left) + (level - low) / (high - low) * math.log(right / left))
    return math.inf


def courses(tables: Sequence[Table]) -> list[Course]:
    """Of tables that differ in their budget of FLOPs alone, where a method has the same setting in two of them."""
    groups: dict[tuple, dict[float, Table]] = {}
    for table in tables:
        if table.key["budget_unit"] == UNIT and table.ranked_by:
            alike = tuple(value for name, value in table.key.items() if name != "budget_amount")
            groups.setdefault((*alike, table.ranked_by), {})[float(str(table.key["budget_amount"]))] = table
    found = (_course({flops: group[flops] for flops in sorted(group)}) for group in groups.values() if len(group) > 1)
    return [course for course in found if any(curve.kind == "method" for curve in course.curves)]


def _course(tables: dict[float, Table]) -> Course:
    """Of one group."""
    last = list(tables.values())[-1]
    by_setting: dict[tuple[str, ...], dict[float, Row]] = {}
    for flops, table in tables.items():
        for row in table.rows:
            if row.kind in ("method", "ceiling") and table.ranked_by in row.cells:
                by_setting.setdefault(row.setting, {})[flops] = row
    several = {setting: rows for setting, rows in by_setting.items() if len(rows) > 1}
    names = labels([dict(zip(SETTING, setting, strict=True)) for setting in several])
    curves = [
        Curve(name, next(iter(rows.values())).kind, str(last.ranked_by), rows) for name, rows in zip(names, several.values(), strict=True)
    ]
    key = {name: value for name, value in last.key.items() if name != "budget_amount"}
    said = title(key, [row for table in tables.values() for row in table.rows], f"budgets of {in_words(tables)} TFLOP")
    column = next(column for column in last.columns if column.key == last.ranked_by)
    return Course(key, said, column, tables, tuple(sorted(curves, key=_order)))


def _order(curve: Curve) -> tuple:
    return curve.kind == "ceiling", -curve.budgets[-1], -curve.cell(curve.budgets[-1]).mean, curve.label


def tera(flops: float) -> str:
    """'0.02', '30'"""
    return f"{flops / TERA:g}"


def in_words(budgets: Sequence[float] | dict[float, Table]) -> str:
    """'1, 3, 10 and 30'"""
    *others, last = map(tera, budgets)
    return f"{', '.join(others)} and {last}"
