"""Who is better than whom: of every two rows of a table the difference, paired by seed and by test image.

    write(build(store.frame()), "reports/cifar10")    differences.md: the column that ranks; differences.csv: every column of accuracies
    pairs(table, column)                              the same as data

A leaderboard compares with the best of a column only. The same records give the same bytes.
"""

import csv
import io
import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path

from bench.machine import files
from reports.pages.markdown import escape, grid
from reports.tables.ranks import compare
from reports.tables.statistics import indistinguishable
from reports.tables.table import KEY, Cell, Table

WIDEST = 40
"""So many rows at most are set against each other on the page."""

UNTRAINED = ("random", "random_rescaled")
"""Floors that a method must be above to have learned anything: the encoder before training, whose BatchNorm has seen no image, and with
statistics of images, which the first steps of any training give it."""

STANDINGS = ("above", "alike", "below", "too few seeds")

LEGEND = """\
- **over …** how far a row is above a floor, with the half width of the 95 % interval of that difference; in percent.
- **1, 2, …** how far a row is above the row of that number. **=** zero lies in the interval of the difference: more seeds may tell the two
  apart. **( )** too few common seeds for an interval. **–** no common seed.
- Differences are paired by seed and by test image (docs/statistics.md), so they may tell apart what the intervals of two means do not.
- **Above, below, alike** on the lines under a table: of the methods beside untrained features, by the interval of the difference; the best
  stage is chosen on val, of untrained features too. Of an encoder with BatchNorm those of random_rescaled are what a training begins with:
  random has the statistics of no image.
- Nothing is corrected for their number: of twenty pairs of equal methods about one would lack its **=** by chance.
"""


@dataclass(frozen=True)
class Pair:
    """Two rows of a table in one column."""

    difference: float
    """First - second, in percent; NaN where they have no seed in common."""
    half_width: float | None
    seeds: int
    """That both have."""

    @property
    def indistinguishable(self) -> bool:
        """Whether zero lies in the interval; False where there is none."""
        return indistinguishable(self.difference, self.half_width)

    @property
    def standing(self) -> str:
        """Of the first beside the second, by the interval: above, alike, below, or too few seeds for one."""
        if self.half_width is None:
            return STANDINGS[-1]
        return "alike" if self.indistinguishable else "above" if self.difference > 0 else "below"

    def text(self, interval: bool = False) -> str:
        """'+3.3' or '='; with the interval '+3.3 ± 1.2'; '(+3.3)' where there is none."""
        if math.isnan(self.difference):
            return "–"
        if self.half_width is None:
            return f"({self.difference:+.1f})"
        if interval:
            return f"{self.difference:+.1f} ± {self.half_width:.1f}"
        return "=" if self.indistinguishable else f"{self.difference:+.1f}"


Pairs = dict[tuple[str, str], Pair]
"""By two labels, in either order."""


def pair_of(first: Cell, second: Cell) -> Pair:
    """Of two rows' cells in one column."""
    return Pair(*compare(first, second), len(first.values.keys() & second.values.keys()))


def pairs(table: Table, column: str) -> Pairs:
    """Of all rows that have a number in this column."""
    rows = [row for row in table.rows if column in row.cells]
    found = {}
    for first, second in itertools.combinations(rows, 2):
        pair = pair_of(first.cells[column], second.cells[column])
        found[first.label, second.label] = pair
        found[second.label, first.label] = replace(pair, difference=-pair.difference)
    return found


def all_pairs(table: Table) -> dict[str, Pairs]:
    """Column key -> `pairs`, of every column of accuracies, those that may rank among them."""
    return {column.key: pairs(table, column.key) for column in table.columns if column.kind == "accuracy"}


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """differences.md and differences.csv in `folder`; nothing where no table has two rows to compare."""
    compared = [(table, all_pairs(table)) for table in tables if table.ranked_by]
    sections = [section(table, found) for table, found in compared if found[table.ranked_by]]
    if not sections:
        return []
    page = "\n".join(["# Every two methods\n", *sections, "## How to read it\n", LEGEND])
    return [
        files.replace(Path(folder) / "differences.md", page.encode()),
        files.replace(Path(folder) / "differences.csv", tidy_csv(compared).encode()),
    ]


def section(table: Table, compared: dict[str, Pairs]) -> str:
    """A table's part of the page. compared: of `all_pairs`."""
    header = next(column.header for column in table.columns if column.key == table.ranked_by)
    rows, found = [row for row in table.rows if table.ranked_by in row.cells], compared[table.ranked_by]
    floors, others = [row for row in rows if row.kind == "floor"], rows if len(rows) <= WIDEST else []
    head = ["no.", "method", header, *(f"over {floor.label}" for floor in floors), *map(str, range(1, len(others) + 1))]
    body = []
    for number, row in enumerate(rows, 1):
        over = [found[row.label, floor.label].text(interval=True) if floor is not row else "" for floor in floors]
        square = [found[row.label, other.label].text() if other is not row else "" for other in others]
        body.append([str(number), row.label, f"{row.cells[table.ranked_by].mean:.1f}", *over, *square])
    left_out = "" if others else f"\n{len(rows)} rows are too many for a square: differences.csv has every two.\n"
    return f"## {escape(table.title)}\n\n{grid(head, body)}{left_out}{learned(table, compared)}"


def learned(table: Table, compared: dict[str, Pairs]) -> str:
    """Which methods are above untrained features, which below, and which cannot be told from them, a line for each column that may
    rank; '' where nothing untrained is in the table."""
    lines = []
    for column in (column for column in table.columns if column.ranks):
        rows = [row for row in table.rows if column.key in row.cells]
        for floor in (row for row in rows if row.label in UNTRAINED):
            methods = {row.label: compared[column.key][row.label, floor.label].standing for row in rows if row.kind == "method"}
            groups = {standing: [label for label, its in methods.items() if its == standing] for standing in STANDINGS}
            told = (f"{standing} {len(labels)}: {', '.join(labels)}" for standing, labels in groups.items() if labels)
            lines.append(f"- **{column.header}**, beside {floor.label}: {'; '.join(told)}.\n")
    return "\n" + "".join(lines) if lines else ""


def tidy_csv(compared: list[tuple[Table, dict[str, Pairs]]]) -> str:
    """One row per table x column of accuracies x two methods; each two once, the one that stands higher in the table first."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*KEY, "column", "first", "second", "difference", "half_width", "seeds", "distinguishable"])
    for table, columns in compared:
        for column, found in columns.items():
            labels = [row.label for row in table.rows if column in row.cells]
            for first, second in itertools.combinations(labels, 2):
                pair = found[first, second]
                if not math.isnan(pair.difference):
                    interval = ("", "") if pair.half_width is None else (f"{pair.half_width:.6g}", int(not pair.indistinguishable))
                    facts = [f"{pair.difference:.6g}", interval[0], pair.seeds, interval[1]]
                    writer.writerow([*table.key.values(), column, first, second, *facts])
    return file.getvalue()
