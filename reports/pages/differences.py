"""Who is better than whom: of every two rows of a table the difference, paired by seed and by test image.

    write(build(store.frame()), "reports/cifar10")    differences.md: the column that ranks; differences.csv: every column of accuracies

A leaderboard compares with the best of a column only. The same records give the same bytes.
"""

import csv
import io
import math
from pathlib import Path

import numpy as np

from bench.machine import files
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables.ranks import UNTRAINED
from reports.tables.table import KEY, STANDINGS, Comparisons, Row, Table

WIDEST = 40
"""So many rows at most are set against each other on the page."""

LEGEND = """\
- **over …** how far a row is above a floor, with the half width of the interval of that difference; in percent.
- **1, 2, …** how far a row is above the row of that number. **=** zero lies in the interval of the difference: more seeds may tell the two
  apart. **( )** too few common seeds for an interval, or a seed diverged or failed. **–** no common seed.
- Intervals hold for a whole family of comparisons at once in 95 % of cases (docs/statistics.md): all pairs of the methods (Tukey), or all
  methods beside one floor or ceiling (Dunnett). Of twenty equal methods one pair or more lacks its **=** in 5 % of tables. A table, a
  column and a floor are each a family of their own.
- Differences are paired by seed and by test item, with the variance between seeds of all methods together, so they may tell apart what
  the intervals of two means do not.
- **Above, below, alike** on the lines under a table: of the methods beside untrained features; the best stage is chosen on val, of
  untrained features too. Of an encoder with BatchNorm those of random_rescaled are what a training begins with: random has the statistics
  of no image.
"""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """differences.md, .csv and .json in `folder`; nothing where no table has two rows of which something can be said."""
    told = [table for table in tables if table.ranked_by and np.isfinite(table.compared[table.ranked_by].half_width).any()]
    if not told:
        return []
    page = "\n".join(["# Every two methods\n", *map(section, told), "## How to read it\n", LEGEND])
    return [
        files.replace(Path(folder) / "differences.md", page.encode()),
        files.replace(Path(folder) / "differences.csv", tidy_csv(told).encode()),
        files.replace(Path(folder) / "differences.json", programs.twin(tidy_csv(told))),
    ]


def section(table: Table) -> str:
    """A table's part of the page."""
    header = next(column.header for column in table.columns if column.key == table.ranked_by)
    rows, found = [row for row in table.rows if table.ranked_by in row.cells], table.compared[table.ranked_by]
    floors, others = [row for row in rows if row.kind == "floor"], rows if len(rows) <= WIDEST else []
    head = ["no.", "method", header, *(f"over {floor.label}" for floor in floors), *map(str, range(1, len(others) + 1))]
    body = []
    for number, row in enumerate(rows, 1):
        over = [text(found, row, floor, interval=True) if floor is not row else "" for floor in floors]
        square = [text(found, row, other) if other is not row else "" for other in others]
        body.append([str(number), row.label, f"{row.cells[table.ranked_by].mean:.1f}", *over, *square])
    left_out = "" if others else f"\n{len(rows)} rows are too many for a square: differences.csv has every two.\n"
    return f"## {escape(table.title)}\n\n{grid(head, body)}{left_out}{learned(table)}"


def text(found: Comparisons, first: Row, second: Row, interval: bool = False) -> str:
    """'+3.3' or '='; with the interval '+3.3 ± 1.2'; '(+3.3)' where there is none."""
    at = found.place[first.label], found.place[second.label]
    difference, half_width = float(found.difference[at]), float(found.half_width[at])
    if math.isnan(difference):
        return "–"
    if math.isnan(half_width):
        return f"({difference:+.1f})"
    if interval:
        return f"{difference:+.1f} ± {half_width:.1f}"
    return f"{difference:+.1f}" if found.beyond[at] else "="


def learned(table: Table) -> str:
    """Which methods are above untrained features, which below, and which cannot be told from them, a line for each column that may
    rank; '' where nothing untrained is in the table."""
    lines = []
    for column in (column for column in table.columns if column.ranks):
        rows, found = [row for row in table.rows if column.key in row.cells], table.compared[column.key]
        for floor in (row for row in rows if row.kind == "floor" and row.method in UNTRAINED):
            methods = {row.label: found.standing(row.label, floor.label) for row in rows if row.kind == "method"}
            groups = {standing: [label for label, its in methods.items() if its == standing] for standing in STANDINGS}
            told = (f"{standing} {len(labels)}: {', '.join(labels)}" for standing, labels in groups.items() if labels)
            lines.append(f"- **{column.header}**, beside {floor.label}: {'; '.join(told)}.\n")
    return "\n" + "".join(lines) if lines else ""


def tidy_csv(tables: list[Table]) -> str:
    """One row per table x column of accuracies x two methods; each two once, the one that stands higher in the table first."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*KEY, "column", "first", "second", "difference", "family_half_width", "seeds", "distinguishable"])
    for table in tables:
        key = tuple(table.key.values())
        for column, found in table.compared.items():
            labels = [row.label for row in table.rows if column in row.cells]
            order = [found.place[label] for label in labels]
            pairs = np.triu_indices(len(order), 1)
            facts = (
                array[np.ix_(order, order)][pairs].tolist() for array in (found.difference, found.half_width, found.seeds, found.beyond)
            )
            for first, second, difference, half, seeds, beyond in zip(*(places.tolist() for places in pairs), *facts, strict=True):
                if not math.isnan(difference):
                    interval = ("", seeds, "") if math.isnan(half) else (f"{half:.6g}", seeds, abs(beyond))
                    writer.writerow((*key, column, labels[first], labels[second], f"{difference:.6g}", *interval))
    return file.getvalue()
