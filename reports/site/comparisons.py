"""What the page that compares any two methods needs: of every table with intervals the differences of every two rows, as whole numbers.

The differences, their intervals and what is beyond chance are reports/tables/comparisons.py's; static/compare.js only looks them up.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reports.site import outcomes
from reports.site.source import Board
from reports.tables.columns import Column
from reports.tables.table import Comparisons, Table

WIDEST = 60
"""Rows of a table whose every column of accuracies is compared; of a larger one the column that ranks."""

MOST = 300
"""Rows of a table that is compared at all: its pairs are the square of them."""


def data(boards: Sequence[Board], sprites: Mapping[str, object] | None = None) -> dict[str, Any]:
    """{methods, tables, left_out}; `left_out` names tables that are too large. sprites: as in outcomes.facts."""
    tables, left_out = [], []
    for board in boards:
        found = list(compared(board.table))
        if found and len(board.table.rows) > MOST:
            left_out.append(board.name)
        elif found:
            tables.append(_table(board, found, sprites or {}))
    methods = sorted({method for table in tables for method in table["methods"]})
    return {"methods": methods, "tables": tables, "left_out": left_out}


def compared(table: Table) -> Iterator[tuple[Column, Comparisons]]:
    """The columns in which something can be said of two rows."""
    few = len(table.rows) <= WIDEST
    for column in table.columns:
        found = table.compared.get(column.key)
        if found and column.shown and (few or column.key == table.ranked_by) and np.isfinite(found.half_width).any():
            yield column, found


def _table(board: Board, found: list[tuple[Column, Comparisons]], sprites: Mapping[str, object]) -> dict[str, Any]:
    rows = board.table.rows
    return {
        "title": board.name,
        "page": board.page,
        "labels": [row.label for row in rows],
        "methods": [row.method for row in rows],
        "outcomes": outcomes.facts(board, sprites) if len(rows) <= WIDEST else None,
        "columns": [
            {
                "header": column.header,
                "means": [tenths(row.cells[column.key].mean) if column.key in row.cells else None for row in rows],
                "pairs": list(_pairs([row.label for row in rows], comparisons)),
            }
            for column, comparisons in found
        ],
    }


def _pairs(labels: list[str], found: Comparisons) -> Iterator[list[int | None] | int]:
    """Of every row and every row before it [difference, half width or none, whether it is above (1), below (-1) or neither]; 0 where no
    seed is common, or one of them has no number. All in tenths of a percent."""
    for first, label in enumerate(labels):
        for other in labels[:first]:
            if label not in found.place or other not in found.place:
                yield 0
                continue
            at = found.place[label], found.place[other]
            difference = float(found.difference[at])
            if math.isnan(difference):
                yield 0
            else:
                yield [tenths(difference), tenths(float(found.half_width[at])), int(found.beyond[at])]


def tenths(value: float) -> int | None:
    """Rounded as every report rounds it; None for what is not a number."""
    return None if math.isnan(value) else round(float(f"{value:.1f}") * 10)
