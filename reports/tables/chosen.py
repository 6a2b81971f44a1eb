"""Some columns of tables, in the order that was asked for, and rows by one of them.

chosen(tables, ("linear", "TFLOP"), "TFLOP")    a column is named by its header, or by its key in leaderboard.csv
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.errors import unknown
from reports.tables.columns import Column, goodness
from reports.tables.table import Row, Table


def chosen(tables: Sequence[Table], columns: Sequence[str] = (), sort: str | None = None) -> list[Table]:
    """The tables with these columns alone, all of them shown, or with all where none is named; rows by `sort`, the better first, of costs
    the cheaper, and of what has no better the larger, within methods, floors and ceilings. A table that lacks a column is shown without it.
    UserError where none has it."""
    for name in (*columns, *([sort] if sort else [])):
        if not any(_named(table, name) for table in tables):
            raise unknown("column", name, {column.header for table in tables for column in table.columns if column.shown})
    return [_chosen(table, columns, sort) for table in tables]


def _named(table: Table, name: str) -> Column | None:
    return next((column for column in table.columns if name in (column.header, column.key)), None)


def _chosen(table: Table, columns: Sequence[str], sort: str | None) -> Table:
    by = _named(table, sort) if sort else None
    if columns:
        found = [column for name in columns if (column := _named(table, name))]
        table = replace(table, columns=tuple(replace(column, shown="terminal") for column in found))
    return replace(table, rows=_sorted(table.rows, by)) if by else table


def _sorted(rows: Sequence[Row], by: Column) -> tuple[Row, ...]:
    """What has no such number comes last; what is equal stays in its order."""
    groups = list(dict.fromkeys(row.kind for row in rows))
    best = math.inf if by.best is None else by.best

    def place(row: Row) -> tuple[int, bool, float]:
        cell = row.cells.get(by.key)
        return groups.index(row.kind), cell is None, -goodness(cell.mean, best) if cell else 0.0

    return tuple(sorted(rows, key=place))
