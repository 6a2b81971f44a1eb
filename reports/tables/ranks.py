"""Who is first: two cells set against each other, which cannot be told from the best of their column, and the order of the rows."""

import math
from dataclasses import replace

from reports.tables.columns import Column
from reports.tables.statistics import indistinguishable, paired_difference
from reports.tables.table import Cell, Row


def with_ties(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Rows with the cells marked that cannot be told from the best method of their column."""
    for column in columns:
        contenders = [row for row in rows if row.kind == "method" and column.key in row.cells]
        if column.kind != "accuracy" or not contenders:
            continue
        best = max(contenders, key=lambda row: row.cells[column.key].mean)
        for row in contenders:
            if row is not best and indistinguishable(*compare(best.cells[column.key], row.cells[column.key])):
                marked = replace(row, cells={**row.cells, column.key: replace(row.cells[column.key], tied=True)})
                rows = [marked if other is row else other for other in rows]
    return rows


def compare(first: Cell, second: Cell) -> tuple[float, float | None]:
    """Paired by the seeds that both have, and by test image where both say which were right."""
    seeds = [seed for seed in first.values if seed in second.values]
    if not seeds:
        return math.nan, None
    values = [[cell.values[seed] for seed in seeds] for cell in (first, second)]
    correct = [None, None]
    if first.correct is not None and second.correct is not None and first.correct.shape[1] == second.correct.shape[1]:
        correct = [cell.correct[[list(cell.values).index(seed) for seed in seeds]] for cell in (first, second)]
    return paired_difference(*values, *correct)


def ranked(rows: list[Row], ranked_by: str | None) -> tuple[Row, ...]:
    """Rows in order of the mean, with their rank; kNN breaks ties. Rank 1 is shared by the best and those below it that cannot
    be told from it, down to the first that can: ranks never go back."""

    def order(row: Row) -> tuple:
        means = [row.cells[key].mean if key in row.cells else -math.inf for key in (ranked_by, "knn")]
        return ("method", "floor", "ceiling").index(row.kind), -means[0], -means[1], row.label

    floors = [row for row in rows if row.kind == "floor" and ranked_by in row.cells]
    rows = sorted(rows, key=order)
    leading = True
    for position, row in enumerate(rows):
        if row.kind == "method" and ranked_by in row.cells:
            cell = row.cells[ranked_by]
            equal = cell.mean == rows[0].cells[ranked_by].mean  # to the last digit: neither is the better one
            leading = leading and (equal or cell.tied)
            above = [floor.label for floor in floors if cell.mean < floor.cells[ranked_by].mean]
            below = [f"below {', '.join(sorted(above))}"] if above else []
            rows[position] = replace(row, rank=1 if leading else position + 1, notes=(*below, *row.notes))
        elif row.kind != "method":
            rows[position] = replace(row, notes=(row.kind, *row.notes))
    return tuple(rows)
