"""What a table is, as data: columns, rows, cells, and which runs may share one.

One table holds one data set, encoder, image size, budget, pretraining split, precision, protocol and, where the budget is
in seconds, one device: nothing else is a fair comparison.
"""

from dataclasses import dataclass, field

import numpy as np

from reports.tables.columns import Column

KEY = (
    *("dataset", "data_revision", "encoder", "encoder_version", "image_size", "budget_unit", "budget_amount"),
    *("pretrain_split", "precision", "protocol", "device"),
)
"""Runs that differ in one of these never share a table."""

SETTING = ("method", "method_source", "method_version", "hyper_parameters", "recipe")
"""Runs that differ in one of these are rows of their own; what is left is the seed."""


@dataclass(frozen=True)
class Cell:
    """A method's number in a column: mean over seeds, half width of its interval (None for fewer than three seeds)."""

    mean: float
    half_width: float | None
    values: dict[int, float]
    """Seed -> value."""
    correct: np.ndarray | None = None
    """bool [S, n], rows in the order of `values`: which test images were right."""
    tied: bool = False
    """Not distinguishable from the best of the column."""


@dataclass(frozen=True)
class Row:
    """A method at one setting."""

    label: str
    kind: str
    """method | floor | ceiling"""
    seeds: int
    """Runs with a result."""
    cells: dict[str, Cell]
    rank: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """Its name: a label is that, and after it the fields in which the method's settings differ."""
        return self.label.split()[0]


@dataclass(frozen=True)
class Table:
    """Rows in the order to show them: methods by rank, then floors, then ceilings."""

    key: dict[str, object]
    """KEY -> value."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    ranked_by: str | None
    """Key of the column that decides the rank."""
    lines: tuple[str, ...] = field(default=())
    """What is to be said below: runs that are not done, other weights, the total cost."""
