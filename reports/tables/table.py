"""What a table is, as data: columns, rows, cells, and which runs may share one.

One table holds one data set, encoder, image size, budget, pretraining split, precision, protocol and, where the budget is
in seconds, one device: nothing else is a fair comparison.
"""

import functools
import math
from dataclasses import dataclass, field

import numpy as np

from reports.tables.columns import Column
from reports.tables.provenance import Provenance

KEY = (
    *("dataset", "data_revision", "encoder", "encoder_version", "image_size", "budget_unit", "budget_amount"),
    *("pretrain_split", "precision", "protocol", "device"),
)
"""Runs that differ in one of these never share a table."""

SETTING = ("method", "method_source", "method_version", "hyper_parameters", "recipe")
"""Runs that differ in one of these are rows of their own; what is left is the seed."""

PIXELS = "px"
"""What the size of a table's items is a number of, where it is not said."""

STANDINGS = ("above", "alike", "below", "no statement")

ROUNDING = 1e-9
"""Percent: sums in another order."""


@dataclass(frozen=True)
class Cell:
    """A method's number in a column: mean over seeds, half width of its interval (None for fewer than three seeds)."""

    mean: float
    half_width: float | None
    values: dict[int, float]
    """Seed -> value."""
    correct: np.ndarray | None = None
    """[S, n], rows in the order of `values`: which images were right, or in what share of the draws that a number is the mean of."""
    draws: np.ndarray | None = None
    """[S, K] percent: what each draw of labels gave, where a number is the mean of K, the same for every row."""
    tied: bool = False
    """Not distinguishable from the best of the column."""
    mark: str = ""
    """Written after the number."""
    place: str = ""
    """Of seconds: the processor that they were measured on, and how many threads computed."""


@dataclass(frozen=True)
class OnTheWay:
    """A setting measured within its runs, over those that were looked at there."""

    share: float
    """Of the budget, as it was asked for."""
    reached: float
    """What was spent of it at the step that was looked at, mean over runs: a step more, or less than one."""
    images: float
    """That were trained on until there, mean over runs."""
    cells: dict[str, Cell]
    """Of accuracies, by their columns' keys."""
    collapsed: int
    """Seeds whose features had collapsed there."""


@dataclass(frozen=True)
class Row:
    """A method at one setting."""

    label: str
    kind: str
    """method | floor | ceiling"""
    seeds: int
    """Runs with a result."""
    cells: dict[str, Cell]
    rank: tuple[int, int] | None = None
    """The first and the last rank that it may have among the methods that have one; None where too little is known of it."""
    notes: tuple[str, ...] = ()
    lost: bool = False
    """A seed diverged or failed: those that are left are no sample of all."""
    constant: bool = False
    """A floor of which no seed decides anything."""
    setting: tuple[str, ...] = ()
    """SETTING's values: the same setting has them in tables of other budgets too, whatever its label is there."""
    runs: tuple[tuple[int, str], ...] = ()
    """(seed, id) of all its runs, done or not, by seed."""
    on_the_way: tuple[OnTheWay, ...] = ()
    """By share; where `--snapshots` asked for it."""

    @property
    def method(self) -> str:
        """Its name: a label is that, and after it the fields in which the method's settings differ."""
        return self.label.split()[0]


@dataclass(frozen=True)
class Comparisons:
    """Of every two rows of a column."""

    labels: tuple[str, ...]
    difference: np.ndarray
    """[R, R] row - column, in percent, over the seeds that both have; NaN where they have none in common."""
    half_width: np.ndarray
    """[R, R] of the interval at the level of the family; NaN where nothing can be said."""
    seeds: np.ndarray
    """[R, R] seeds that both have."""

    @functools.cached_property
    def place(self) -> dict[str, int]:
        """Label -> its row and column."""
        return {label: place for place, label in enumerate(self.labels)}

    @functools.cached_property
    def beyond(self) -> np.ndarray:
        """[R, R] 1 where the row is above the column beyond chance, -1 below, 0 where they cannot be told apart or nothing can be said."""
        return np.where(np.abs(self.difference) > self.half_width + ROUNDING, np.sign(self.difference), 0).astype(int)

    def standing(self, first: str, second: str) -> str:
        """Of the first row beside the second, by label; one of STANDINGS."""
        at = self.place[first], self.place[second]
        return STANDINGS[-1] if math.isnan(self.half_width[at]) else STANDINGS[1 - int(self.beyond[at])]


@dataclass(frozen=True)
class Table:
    """Rows in the order to show them: methods that have a rank, methods that have none, floors, ceilings; each by the mean."""

    key: dict[str, object]
    """KEY -> value."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    ranked_by: str | None
    """Key of the column that decides the rank."""
    lines: tuple[str, ...] = field(default=())
    """What is to be said below: runs that are not done, other weights, the total cost."""
    compared: dict[str, Comparisons] = field(default_factory=dict)
    """Key of each column of accuracies -> its rows set against each other."""
    commits: tuple[str, ...] = ()
    """Of the checkouts that trained its runs, sorted."""
    on_the_way: tuple[Column, ...] = ()
    """Columns of what was measured within runs, which the rows have in their `on_the_way` alone."""

    @property
    def made_of(self) -> Provenance:
        """All its runs, done or not."""
        runs = {run for row in self.rows for _, run in row.runs}
        return Provenance(tuple(sorted(runs)), self.commits, (int(str(self.key["protocol"])),))
