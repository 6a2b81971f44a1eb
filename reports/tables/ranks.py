"""Who is first: which rows cannot be told from the best of their column, the ranks that each may have, the order of the rows."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reports.tables.columns import Column
from reports.tables.comparisons import Comparisons
from reports.tables.settings import ELSEWHERE
from reports.tables.statistics import FEWEST_SEEDS
from reports.tables.table import Row

UNTRAINED = ("random", "random_rescaled")
"""Floors that a method must be above to have learned anything: the encoder before training, whose BatchNorm has seen no image, and with
statistics of images, which the first steps of any training give it. Where the last stands in a table, a note is by it alone."""


STANDS_APART = {ELSEWHERE: "trained elsewhere, not under this budget"}
"""What is noted of a row that is no method's, where it is more than its kind."""


def may_rank(row: Row, key: str) -> bool:
    """Whether enough is known of a method in this column to set it against others."""
    return row.kind == "method" and not row.lost and key in row.cells and len(row.cells[key].values) >= FEWEST_SEEDS


def with_ties(rows: list[Row], columns: tuple[Column, ...], compared: Mapping[str, Comparisons]) -> list[Row]:
    """Rows with the cells marked that cannot be told from the best method of their column, for want of seeds that both have too. compared:
    of each column of accuracies."""
    for column in columns:
        contenders = [row for row in rows if may_rank(row, column.key)]
        if column.key in compared and contenders:
            best = max(contenders, key=lambda row: row.cells[column.key].mean).label
            found = compared[column.key]
            alike = {row.label for row in contenders if row.label != best and not found.beyond[found.place[row.label], found.place[best]]}
            rows = [_tied(row, column.key) if row.label in alike else row for row in rows]
    return rows


def _tied(row: Row, key: str) -> Row:
    return replace(row, cells={**row.cells, key: replace(row.cells[key], tied=True)})


def ranked(rows: list[Row], ranked_by: str | None, compared: Mapping[str, Comparisons]) -> tuple[Row, ...]:
    """Rows in their order, with the ranks that they may have: one more than the methods that are better beyond chance, to one for
    each that is not worse. As all pairs are told at once, so are all ranks (Al Mohamad, Goeman and van Zwet, arXiv:1708.02729)."""
    if ranked_by is not None:
        found = compared[ranked_by]
        contenders = {row.label: found.place[row.label] for row in rows if may_rank(row, ranked_by)}
        beyond = found.beyond[np.ix_(list(contenders.values()), list(contenders.values()))]
        low, high = 1 + (beyond < 0).sum(axis=1), len(contenders) - (beyond > 0).sum(axis=1)
        ranks = {label: (int(first), int(last)) for label, first, last in zip(contenders, low, high, strict=True)}
        floors = _floors(rows, ranked_by)
        rows = [replace(row, rank=ranks.get(row.label), notes=(*_below(row, floors, found), *row.notes)) for row in rows]

    def order(row: Row) -> tuple:
        means = [row.cells[key].mean if key in row.cells else -math.inf for key in (ranked_by, "knn")]
        return (
            ("method", "floor", "ceiling", ELSEWHERE).index(row.kind),
            row.kind == "method" and row.rank is None,
            -means[0],
            -means[1],
            row.label,
        )

    noted = (row if row.kind == "method" else replace(row, notes=(STANDS_APART.get(row.kind, row.kind), *row.notes)) for row in rows)
    return tuple(sorted(noted, key=order))


def _floors(rows: list[Row], key: str) -> list[str]:
    """Labels of the floors that a method may be below."""
    floors = [row for row in rows if row.kind == "floor" and key in row.cells]
    untrained = [name for name in UNTRAINED if any(row.method == name for row in floors)]
    return sorted(row.label for row in floors if row.method not in untrained[:-1])


def _below(row: Row, floors: list[str], found: Comparisons) -> list[str]:
    """The note that it is below floors, beyond chance."""
    under = [floor for floor in floors if row.kind == "method" and row.label in found.place and found.standing(row.label, floor) == "below"]
    return [f"below {', '.join(under)}"] if under else []
