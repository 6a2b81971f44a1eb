"""Published values beside ours: what a table of ours can be held against, what differs, and whether the order is the same.

    write(tables, "reports/cifar10", frame, sizes)    published.md, where a method has a published value on the data set
    beside(tables, *load(), sizes)                    the same as data

The values lie in reports/reference, each with its source (reports/reference/README.md). They were measured at other budgets, with other
encoders and by other protocols: nothing is ranked across them. The same records give the same bytes.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas
from scipy import stats

from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables import columns as kinds
from reports.tables.build import build
from reports.tables.columns import Column
from reports.tables.table import Cell, Row, Table

REFERENCE = resources.files("reports") / "reference"
"""The published values, which are installed with the package."""

MEASURES = {
    "linear": ("linear", "linear"),
    "linear_svm": ("linear", "linear SVM"),
    "linear_conv5": ("linear", "linear on conv5"),
    "linear_best_layer": ("stages", "linear, best of conv1 to conv5"),
    "conv_block2": ("linear", "convolutional classifier on block 2"),
    "nonlinear_block2": ("linear", "non-linear classifier on block 2"),
    "supervised": ("linear", "the network itself"),
    "quoted": ("linear", "as quoted"),
    "knn_k200_T0.1": ("knn_k200_T0.1", "kNN (k=200, T=0.1)"),
    "knn_weighted": ("knn_k200_T0.1", "weighted kNN"),
    "knn_k5": ("knn", "kNN (k=5)"),
}
"""What they measured -> (the column of ours that stands beside it, its name in a table)."""

PROTOCOL = ("title", "source", "dataset", "encoder", "epochs", "batch_size", "measure")
"""Published values that agree in all of these were measured alike, so that their order says something."""

FEWEST_METHODS = 3
"""Methods from which on an order is compared."""

TEXT = (
    *("method", "measure", "their measure", "encoder", "what differs", "source", "data set"),
    *("at their epochs", "their order", "our order"),
)
"""Columns that are not numbers."""

ORDERS = [
    *("source", "data set", "encoder", "epochs", "batch", "their measure", "measure"),
    *("n", "tau", "p", "their order", "our order"),
]
"""Columns of the table of orders."""

LEGEND = """\
- **ours** mean on test with the 95 % interval, as in leaderboard.md; **theirs** as printed. All in percent.
- **our epochs** source images that were trained on, over those of the pretraining split; where its size is not known, the images.
- In every row besides: budget, encoder, augmentation and tuning are another's, most train on the images too that are val here, and there
  is one number without an interval.
- **at their epochs** points of one long run, whose learning rate was still high there: a run of that length may well be better.
- **tau** Kendall's rank correlation (tau-b) between their accuracies and ours, **p** two-sided, for each order alone: of many orders some
  are below 0.05 by chance. Of 3 methods no order has a p below 0.33, of 4 below 0.08. Floors and ceilings are left out, and methods with
  several settings here or several values there.
"""


@dataclass(frozen=True)
class Value:
    """A published value, or the points of a published curve, beside a row of ours."""

    row: Row
    cell: Cell
    column: Column
    theirs: tuple[dict[str, str], ...]
    """A row of published.csv, or those of one curve of curves.csv, as column -> text."""


@dataclass(frozen=True)
class Order:
    """One protocol of theirs and one table of ours that have at least three methods in common."""

    protocol: dict[str, str]
    """PROTOCOL -> value."""
    column: Column
    theirs: tuple[str, ...]
    """Methods, the best first."""
    ours: tuple[str, ...]
    tau: float
    """-1..1; NaN where one side cannot tell any two apart."""
    p: float


@dataclass(frozen=True)
class Comparison:
    """What is published beside one table of ours."""

    table: Table
    train_images: int | None
    """Images of the pretraining split, where known."""
    values: tuple[Value, ...]
    curves: tuple[Value, ...]
    orders: tuple[Order, ...]


def load() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(published values, points of published curves), as text, in the order of the files."""
    found = []
    for name in ("published.csv", "curves.csv"):
        with (REFERENCE / name).open(encoding="utf-8", newline="") as file:
            found.append(list(csv.DictReader(file)))
    return found[0], found[1]


def write(
    tables: list[Table],
    folder: str | Path,
    frame: pandas.DataFrame,
    sizes: Mapping[str, Mapping[str, int | None]],
    versions: Sequence[Mapping[str, int]] = (),
) -> list[Path]:
    """published.md, .csv and .json in `folder`, or nothing where no method of the tables has a published value on its data set.

    frame, versions: what the tables were built from. sizes: images in each split of the data sets that are known.
    """
    comparisons = beside(of_known_methods(tables, frame, versions), *load(), sizes)
    sections = [(one.table.title, HEAD, lines(one)) for one in comparisons]
    return programs.write_page(folder, "published", markdown(comparisons), sections) if comparisons else []


OURS = ("method", "ours", "measure")
HEAD = [*OURS, "our epochs or images", "theirs", "their measure", "encoder", "epochs", "batch", "what differs", "source"]


def of_known_methods(tables: list[Table], frame: pandas.DataFrame, versions: Sequence[Mapping[str, int]] = ()) -> list[Table]:
    """The tables without methods that are a user's own files; `tables` themselves where their frame has none."""
    # A user's own file may be called simclr.py too; what it measures is not what is published under that name.
    known = frame[frame.method == frame.method_source]
    if len(known) == len(frame):
        return tables
    return build(known, *versions) if len(known) else []


def beside(
    tables: list[Table],
    published: list[dict[str, str]],
    curves: list[dict[str, str]] = (),
    sizes: Mapping[str, Mapping[str, int | None]] | None = None,
) -> list[Comparison]:
    """A comparison for every table that has a method with a published value on the table's data set.

    published, curves: rows of published.csv and curves.csv. sizes: images in each split of the data sets that are known.
    """
    made = []
    for table in tables:
        here = [row for row in published if row["dataset"] == table.key["dataset"]]
        points = [row for row in curves if row["dataset"] == table.key["dataset"]]
        values = tuple(_values(table, [(row,) for row in here]))
        if values:
            images = train_images((sizes or {}).get(table.key["dataset"], {}), table.key["pretrain_split"])
            series = _groups(points, ("method", *PROTOCOL)).values()
            made.append(Comparison(table, images, values, tuple(_values(table, series)), tuple(_orders(table, published))))
    return made


def train_images(sizes: Mapping[str, int | None], split: str) -> int | None:
    """Images of a pretraining split ('train+val') of a data set with these splits; None where one of their sizes is not known."""
    parts = [sizes.get(part) for part in split.split("+")]
    return None if None in parts else sum(parts)


def _groups(rows: list[dict[str, str]], names: tuple[str, ...]) -> dict[tuple, tuple[dict[str, str], ...]]:
    """Rows that agree in all these columns, in the order of the file."""
    found: dict[tuple, list] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return {key: tuple(group) for key, group in found.items()}


def _values(table: Table, groups) -> list[Value]:
    """In the order of our table, then of our columns, then of their epochs."""
    columns = {column.key: column for column in table.columns}
    found = []
    for row in table.rows:
        values = []
        for group in groups:
            key, _ = MEASURES[group[0]["measure"]]
            if group[0]["method"] == row.method and key in row.cells:
                values.append(Value(row, row.cells[key], columns[key], group))
        found += sorted(values, key=lambda value: (kinds.position(value.column), float(value.theirs[0]["epochs"] or math.inf)))
    return found


def _orders(table: Table, published: list[dict[str, str]]) -> list[Order]:
    """One for each protocol that shares enough methods with the table. A source that never measured on the table's data set is
    compared by what it measured elsewhere, as the survey of pretext tasks is, which has ImageNet alone."""
    columns = {column.key: column for column in table.columns}
    labels = [row.method for row in table.rows]
    rows = {row.method: row for row in table.rows if row.kind == "method" and labels.count(row.method) == 1}
    at_home = {row["title"] for row in published if row["dataset"] == table.key["dataset"]}
    found = []
    for key, group in _groups(published, PROTOCOL).items():
        protocol = dict(zip(PROTOCOL, key, strict=True))
        column = MEASURES[protocol["measure"]][0]
        if protocol["dataset"] != table.key["dataset"] and protocol["title"] in at_home:
            continue
        given = [row["method"] for row in group]
        theirs = {row["method"]: float(row["value"]) for row in group if given.count(row["method"]) == 1}
        ours = {name: rows[name].cells[column].mean for name in theirs if name in rows and column in rows[name].cells}
        if len(ours) >= FEWEST_METHODS:
            tau, p = stats.kendalltau([theirs[name] for name in ours], list(ours.values()))
            best_first = [tuple(sorted(ours, key=lambda name, side=side: (-side[name], name))) for side in (theirs, ours)]
            found.append(Order(protocol, columns[column], *best_first, float(tau), float(p)))
    return found


def markdown(comparisons: list[Comparison]) -> str:
    """All comparisons as one Markdown page."""
    parts = ["# Published values beside ours\n"]
    for comparison in comparisons:
        parts.append(f"## {escape(comparison.table.title)}\n")
        unit = "our epochs" if comparison.train_images else "our images"
        parts.append(grid([*OURS, unit, *HEAD[4:]], lines(comparison), TEXT))
        if comparison.curves:
            parts.append("Along the way of longer runs:\n")
            head = ["method", "ours", "measure", unit, "at their epochs", "encoder", "of", "batch", "what differs", "source"]
            body = []
            for value in comparison.curves:
                first = value.theirs[0]
                body.append([*_ours(value, comparison), _points(value.theirs), *_setting(first), first["differs"], first["title"]])
            parts.append(grid(head, body, TEXT))
        if comparison.orders:
            parts.append(f"The order of the methods. {_budgets(comparison)}\n")
            parts.append(grid(ORDERS, [_order(order) for order in comparison.orders], TEXT))
    return "\n".join([*parts, "## How to read it\n", LEGEND, "## Sources\n", *_sources(comparisons), ""])


def lines(comparison: Comparison) -> list[list[str]]:
    """Of its first grid, whose head is HEAD."""
    return [
        [*_ours(value, comparison), row["value"], MEASURES[row["measure"]][1], *_setting(row), row["differs"], row["title"]]
        for value in comparison.values
        for row in value.theirs
    ]


def _ours(value: Value, comparison: Comparison) -> list[str]:
    """Our side of a line: method, number, column, and how long it trained."""
    return [value.row.label, kinds.text(value.column, value.cell).removesuffix(" ="), value.column.header, _length(value.row, comparison)]


def _length(row: Row, comparison: Comparison) -> str:
    """Epochs where the training images are known, else items; nothing for what is not trained."""
    images = row.cells["images"].mean
    return "–" if not images else kinds.rounded(images / (comparison.train_images or 1))


def _setting(row: dict[str, str]) -> list[str]:
    return [row["encoder"], row["epochs"] or "–", row["batch_size"] or "–"]


def _points(rows: tuple[dict[str, str], ...]) -> str:
    return ", ".join(f"{row['epoch']}: {row['value']}" for row in rows)


def _budgets(comparison: Comparison) -> str:
    """The sentence that the two sides did not train for equally long."""
    compared = {name for order in comparison.orders for name in order.ours}
    lengths = sorted(row.cells["images"].mean for row in comparison.table.rows if row.kind == "method" and row.method in compared)
    low, high = (kinds.rounded(length / (comparison.train_images or 1)) for length in (lengths[0], lengths[-1]))
    span = low if low == high else f"{low} to {high}"
    unit = "epochs" if comparison.train_images else "items"
    return f"Budgets differ: ours trained for {span} {unit}, theirs for those in the table; an early order need not be the late one."


def _order(order: Order) -> list[str]:
    """A line of the table of orders."""
    of = order.protocol
    numbers = ["–" if math.isnan(order.tau) else f"{order.tau:.2f}", "–" if math.isnan(order.p) else f"{order.p:.2g}"]
    protocol = [of["title"], of["dataset"], *_setting(of), MEASURES[of["measure"]][1], order.column.header]
    return [*protocol, str(len(order.ours)), *numbers, ", ".join(order.theirs), ", ".join(order.ours)]


def _sources(comparisons: list[Comparison]) -> list[str]:
    """Every source that the page quotes, once, in the order in which they come up."""
    quoted = []
    for comparison in comparisons:
        for value in (*comparison.values, *comparison.curves):
            quoted += [(row["title"], row["source"]) for row in value.theirs]
        quoted += [(order.protocol["title"], order.protocol["source"]) for order in comparison.orders]
    return [f"- {escape(title)}: {escape(source)}" for title, source in dict.fromkeys(quoted)]
