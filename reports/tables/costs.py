"""What a setting's runs cost: work as the mean over its seeds, time as their median, on one processor.

Seconds of two processors say more of these than of a method, and so do those of a seed during which others computed: a cell has the
median of the seeds on the processor that most of the table's runs had, or else on that of most of its own, and then is marked (`OTHER`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import Cell, Row

OTHER = "†"
"""Marks seconds of another processor than the table's."""


def places(runs: pandas.DataFrame) -> pandas.Series:
    """Where each run was: 'AMD EPYC, 1 thread'."""
    names = (
        f"{model or 'unnamed hardware'}, {threads} thread{'s' * (threads != 1)}" if threads else model or "unnamed hardware"
        for model, threads in zip(runs.hardware, runs.threads, strict=True)
    )
    return pandas.Series(list(names), index=runs.index, dtype=object)


def usual(where: Sequence[str]) -> str:
    """The place of most runs, of two with equally many the first by name."""
    return min(Counter(where).items(), key=lambda item: (-item[1], item[0]), default=("", 0))[0]


def costs_of(runs: pandas.DataFrame, found: dict[str, Column], here: str) -> dict[str, Cell]:
    """Column key -> cell, of the runs of one setting that were done, or of all where none was; new columns are added to `found`. here:
    the place that most of the table's runs had. Seconds of places that the cell is not of have a column each, for the CSV."""
    runs = runs.drop_duplicates("id").sort_values("seed")
    runs = runs[runs.status == "done"] if (runs.status == "done").any() else runs
    where = places(runs)
    own = here if (where == here).any() else usual(list(where))
    cells = {}
    for column, source, unit in kinds.COSTS:
        values = runs[source] / unit
        if not column.of_time:
            found.setdefault(column.key, column)
            cells[column.key] = Cell(float(values.mean()), None, dict(zip(runs.seed.tolist(), values.tolist(), strict=True)))
            continue
        for place, part in values[values.notna()].groupby(where):
            shown = column if place == own else kinds.elsewhere(column, str(place))
            found.setdefault(shown.key, shown)
            seconds = dict(zip(runs.seed[part.index].tolist(), part.tolist(), strict=True))
            mark = OTHER if shown is column and place != here else ""
            cells[shown.key] = Cell(float(np.median(part)), None, seconds, mark=mark, place=str(place))
    return cells


def where_seconds(rows: Sequence[Row], here: str) -> str:
    """The line that says which processor a table's seconds are of, and which rows' are of another; '' where all are of one."""
    others: Mapping[str, list[str]] = defaultdict(list)
    for row in rows:
        if (cell := row.cells.get("seconds")) and cell.mark:
            others[cell.place].append(row.label)
    if not others:
        return ""
    listed = "; ".join(f"on {place}: {', '.join(sorted(labels))}" for place, labels in sorted(others.items()))
    return f"Seconds on {here}; {OTHER} {listed}."
