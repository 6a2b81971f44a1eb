"""What a setting's runs cost: work as the mean over its seeds, time as their median, on one processor.

Seconds of two processors say more of these than of a method, and so do those of a seed during which others computed: a cell has the
median of the seeds on the processor that most of the table's runs had, or else on that of most of its own, and then is marked (`OTHER`).
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.settings import Run
from reports.tables.table import Cell, Row

OTHER = "†"
"""Marks seconds of another processor than the table's."""


def usual(runs: Sequence[Run]) -> str:
    """The place of most runs, of two with equally many the first by name."""
    return min(Counter(run.place for run in runs).items(), key=lambda item: (-item[1], item[0]), default=("", 0))[0]


def costs_of(runs: Sequence[Run], found: dict[str, Column], here: str) -> dict[str, Cell]:
    """Column key -> cell, of the runs of one setting that were done, or of all where none was; new columns are added to `found`. here:
    the place that most of the table's runs had. Seconds of places that the cell is not of have a column each, for the CSV."""
    runs = [run for run in runs if run.status == "done"] or runs
    own = here if any(run.place == here for run in runs) else usual(runs)
    cells = {}
    for column, source, unit in kinds.COSTS:
        values = [(run, getattr(run, source) / unit) for run in runs]
        if not column.of_time:
            found.setdefault(column.key, column)
            cells[column.key] = Cell(float(np.mean([value for _, value in values])), None, {run.seed: value for run, value in values})
            continue
        of_places: dict[str, dict[int, float]] = defaultdict(dict)
        for run, value in values:
            if not math.isnan(value):
                of_places[run.place][run.seed] = value
        for place, seconds in sorted(of_places.items()):
            shown = column if place == own else kinds.elsewhere(column, place)
            found.setdefault(shown.key, shown)
            mark = OTHER if shown is column and place != here else ""
            cells[shown.key] = Cell(statistics.median(seconds.values()), None, seconds, mark=mark, place=place)
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
