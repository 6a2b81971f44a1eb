"""Whether one evaluation foretells another: how alike every two measures of a table order its methods.

    write(build(store.frame()), "reports/cifar10")    agreement.md and agreement.csv, of tables with eight methods or more

Spearman's rank correlation over methods, with an interval by a bootstrap over them, and beside it how alike two seeds of one measure order
them: no other measure can be expected to do better. The same records give the same bytes. M methods, R resamples.
"""

import csv
import io
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.machine import files
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables.columns import Column, Numbers, goodness, said
from reports.tables.rank_correlation import Agreement, agreement, between_seeds
from reports.tables.table import KEY, Cell, Table

MOST_METHODS = 100
"""A table of more rows is one of a search, whose settings are no sample of methods."""

STANDINGS: dict[str, str] = {"with it": "+", "against it": "-", "no statement": ""}
"""What is said of two measures, by the interval -> in short."""

IN_SHORT = "+ and -: the 95 % interval lies above 0, or below; agreement.csv has every interval."

MOST_INTERVALS = 12
"""Measures of one grid with intervals; of more the grid has correlations alone, and agreement.csv the intervals."""

LEGEND = """\
- **own seeds** Spearman's rank correlation between the orders that two seeds of one measure give the methods, the mean over pairs of seeds:
  how well a measure foretells itself.
- **1, 2, …** Spearman's rank correlation with the measure of that number, over the means of the methods' seeds, and its 95 % interval by a
  bootstrap over methods. Means have less noise than single seeds, so a correlation may be above both measures' own.
- Of measures of which less is better the sign is turned, and one that is best at a number within its range counts by how near to that it
  is: above 0 always says that what is good by the one is good by the other. What has no better and no worse is not compared.
- Each interval stands for itself: of twenty pairs that have nothing to do with each other one is expected to lie beyond 0. Methods of one
  family are no independent draws, and measures on the same test images share what these images favour: both make intervals look narrower
  than they are. Floors and ceilings are not counted: they would make everything agree.
"""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """agreement.md, agreement.csv and agreement.json in `folder`; nothing where no table has enough methods."""
    told = [(table, found) for table in tables if (found := of_table(table))]
    if not told:
        return []
    sections = [section(table, found) for table, found in told]
    page = "\n".join(["# Whether one measure foretells another\n", *sections, "## How to read it\n", LEGEND])
    return [
        files.replace(Path(folder) / "agreement.md", page.encode()),
        files.replace(Path(folder) / "agreement.csv", tidy_csv(told).encode()),
        files.replace(Path(folder) / "agreement.json", programs.twin(tidy_csv(told))),
    ]


def of_table(table: Table) -> dict[tuple[str, str], Agreement]:
    """Of every two measures with enough methods, by their columns' keys, the one that stands first in the table first."""
    found = {}
    if sum(row.kind == "method" for row in table.rows) > MOST_METHODS:
        return found
    for first, second in itertools.combinations([column for column in table.columns if column.of_features], 2):
        both = [(one.mean, other.mean) for one, other in zip(_cells(table, first), _cells(table, second), strict=True) if one and other]
        means = zip(np.array(both).reshape(-1, 2).T, (first, second), strict=True)
        if its := agreement(*(_goodness(column, numbers) for numbers, column in means), "spearman"):
            found[first.key, second.key] = its
    return found


def own_seeds(table: Table, column: Column) -> float | None:
    """Mean correlation between two seeds' orders of the methods that have both; None where no two seeds have enough methods."""
    return between_seeds([cell and _good(column, cell) for cell in _cells(table, column)], "spearman")


def section(table: Table, found: dict[tuple[str, str], Agreement]) -> str:
    """A table's part of the page."""
    columns = _compared(table, found)
    short = len(columns) > MOST_INTERVALS
    head = ["no.", "measure", "own seeds", *(str(number) for number in range(2, len(columns) + 1))]
    body = []
    for place, column in enumerate(columns):
        own = own_seeds(table, column)
        later = [found.get((column.key, other.key)) for other in columns[max(place + 1, 1) :]]
        told = [(in_short(its) if short else str(its)) if its else "–" for its in later]
        cells = [""] * (len(columns) - 1 - len(later)) + told
        body.append([str(place + 1), _name(column), "–" if own is None else f"{own:.2f}", *cells])
    marked = f"\n{IN_SHORT}\n" if short else ""
    return f"## {escape(table.title)}\n\n{grid(head, body, left=('measure',))}{marked}{ranking(table, columns, found)}"


def ranking(table: Table, columns: list[Column], found: dict[tuple[str, str], Agreement]) -> str:
    """A line on the column that ranks: which measures order methods as it does, which the other way, and of which nothing can be said."""
    ranked = next((column for column in columns if column.key == table.ranked_by), None)
    if ranked is None:
        return ""
    groups: dict[str, list[str]] = {standing: [] for standing in STANDINGS}
    for column in columns:
        its = found.get((ranked.key, column.key)) or found.get((column.key, ranked.key))
        if its:
            groups[standing(its)].append(f"{_name(column)} {its}")
    told = "; ".join(f"{how}: {', '.join(names)}" for how, names in groups.items() if names)
    methods = max(its.entries for its in found.values())
    return f"\n- **{escape(ranked.header)}**, over {methods} methods: {escape(told)}.\n"


def standing(its: Agreement) -> str:
    """One of STANDINGS."""
    return "with it" if its.low > 0 else "against it" if its.high < 0 else "no statement"


def in_short(its: Agreement) -> str:
    """Without its interval: '0.67 +' where that lies above 0, '-0.52 -' below, '0.12' where it does not tell."""
    return f"{its.correlation:.2f} {STANDINGS[standing(its)]}".rstrip()


def tidy_csv(told: list[tuple[Table, dict[tuple[str, str], Agreement]]]) -> str:
    """One row per table x two measures; of a measure and itself what its own seeds say, without an interval."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*KEY, "first", "second", "methods", "spearman", "low", "high"])
    for table, found in told:
        key = tuple(table.key.values())
        for column in _compared(table, found):
            if (own := own_seeds(table, column)) is not None:
                writer.writerow([*key, column.key, column.key, sum(map(bool, _cells(table, column))), f"{own:.6g}", "", ""])
        for (first, second), its in found.items():
            writer.writerow([*key, first, second, its.entries, *(f"{number:.6g}" for number in (its.correlation, its.low, its.high))])
    return file.getvalue()


def _compared(table: Table, found: dict[tuple[str, str], Agreement]) -> list[Column]:
    named = {key for pair in found for key in pair}
    return [column for column in table.columns if column.key in named]


def _cells(table: Table, column: Column) -> list[Cell | None]:
    """Of each method of the table."""
    return [row.cells.get(column.key) for row in table.rows if row.kind == "method"]


def _goodness(column: Column, numbers: Numbers) -> Numbers:
    assert column.best is not None, f"{column.key} has no better and no worse, and is not compared"
    return goodness(numbers, column.best)


def _good(column: Column, cell: Cell) -> Cell:
    """A cell whose seeds have more the better they are."""
    return replace(cell, values={seed: _goodness(column, value) for seed, value in cell.values.items()})


def _name(column: Column) -> str:
    return column.header.removesuffix(said(column.best)) + said(column.best)
