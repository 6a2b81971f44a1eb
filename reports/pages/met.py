"""Published numbers on the published setting: where data set, encoder, length and batch size are theirs too, ours beside theirs, and
whether theirs lies within our interval.

    write(tables, "reports/published_cifar10", frame, sizes)    met.md, where a table is on the setting of a published value
    met(tables, *published.load(), sizes)                       the same as data

A point of a published curve has ours beside it that were trained for as long with the same learning rate: looks at a run of the same whole
length on its way, and looks at and ends of runs at a constant rate, as long as the cosine of theirs has hardly fallen. What is at any other
budget, encoder or batch size stands in published.md alone. The same records give the same bytes.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.pages.published import MEASURES, load, of_known_methods, train_images
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import SETTING, Cell, Row, Table

ENCODERS = {"resnet18": "ResNet-18 (3x3 stem)", "resnet50": "ResNet-50 (3x3 stem)"}
"""Ours -> theirs, up to SMALL pixels."""

SMALL = 64
"""Pixels up to which our ResNets have a 3x3 stem (bench/encoders/networks)."""

NEAR = 0.01
"""Of theirs, by which our length may differ: whole steps."""

HARDLY = 0.01
"""Of the learning rate, that a cosine has fallen by, until which it is as good as constant."""

EVERYTHING = "train+val"
"""The pretraining split that is all that others train on: val is taken from their train."""

ALIKE = {"linear": r"linear|linear_sgd:.*", "knn_k200_T0.1": r"knn_k200_T0\.1"}
"""Their measure -> our columns that measure the same."""

HEAD = [
    *("method", "ours", "measure", "theirs", "their measure", "difference", "within", "epochs"),
    *("what differs", "source", "confidence"),
]

TEXT = ("method", "measure", "their measure", "within", "what differs", "source", "confidence")
"""Columns that are not numbers."""

LEGEND = """\
- **ours** mean on test with the 95 % interval, as in leaderboard.md; **linear** is this program's probe, **linear by SGD** the one that
  papers print. **theirs** as printed, one number. All in percent.
- **within** whether theirs lies in our interval; – below 3 seeds, where there is none.
- **what differs** of their protocol, and then of their setting: what a run of ours could not have; and what ours was trained on, where that
  is not all of train and val. Where a miss is large and nothing here explains it, the reason is not known yet. Their batch size is ours, or
  not stated.
- **epochs** of the whole training; **10 of 200** a point within a training of 200.
- **confidence** `paper`: from the page of those who measured it; `copy`: from a text copy of that; `by eye`: read off a picture.
"""


@dataclass(frozen=True)
class Met:
    """A published value and a number of ours on its setting."""

    row: Row
    column: Column
    cell: Cell
    theirs: dict[str, str]
    """A row of published.csv or of curves.csv."""
    ours: tuple[str, ...] = ()
    """What differs of ours: 'here trained on train, 45,000 images'."""

    @property
    def difference(self) -> float:
        """Ours less theirs, percent."""
        return self.cell.mean - float(self.theirs["value"])

    @property
    def within(self) -> bool | None:
        """Whether theirs lies in our interval; None where there is none."""
        return None if self.cell.half_width is None else abs(self.difference) <= self.cell.half_width


def met(
    tables: list[Table], found: list[dict[str, str]], points: list[dict[str, str]], sizes: Mapping[str, Mapping[str, int | None]]
) -> list[tuple[Table, list[Met]]]:
    """Every table that is on the setting of a published value, with the pairs, in the order of our rows and columns, then of the files.
    found, points: rows of published.csv and curves.csv. sizes: images in each split of the data sets that are known."""
    made = []
    for table in tables:
        split = str(table.key["pretrain_split"])
        images = train_images(sizes.get(str(table.key["dataset"]), {}), split)
        encoder = ENCODERS.get(str(table.key["encoder"])) if int(str(table.key["image_size"])) <= SMALL else None
        if not images or not encoder:
            continue
        ours = (f"here trained on {split}, {images:,} images",) if split != EVERYTHING else ()
        pairs = []
        for row in (row for row in table.rows if "images" in row.cells):
            here = [one for one in (*found, *points) if is_on(one, table, encoder, row)]
            whole = row.cells["images"].mean / images
            pairs += [
                Met(row, column, cell, one, (*ours, *told))
                for epochs, column, cell in measured(table, row, images)
                for one in here
                if re.fullmatch(ALIKE.get(one["measure"], "(?!)"), column.key)
                if (told := as_long(one, epochs, whole, row)) is not None
            ]
        if pairs:
            made.append((table, pairs))
    return made


def is_on(one: dict[str, str], table: Table, encoder: str, row: Row) -> bool:
    """Whether a published value is of this method on this data set with this encoder and batch size, and says for how long."""
    same = (one["method"], one["dataset"], one["encoder"]) == (row.method, table.key["dataset"], encoder)
    return same and bool(one["epochs"]) and one["batch_size"] in ("", str(recipe_of(row).get("batch_size")))


def measured(table: Table, row: Row, images: int) -> Iterator[tuple[float, Column, Cell]]:
    """(epochs that it had trained for, column, cell) of a row's looks on its way, and of its end. images: an epoch."""
    end = row.cells["images"].mean
    for look in (look for look in row.on_the_way if look.images < end):
        yield from ((look.images / images, column, look.cells[column.key]) for column in table.on_the_way if column.key in look.cells)
    yield from ((end / images, column, row.cells[column.key]) for column in table.columns if column.key in row.cells)


def as_long(one: dict[str, str], epochs: float, whole: float, row: Row) -> tuple[str, ...] | None:
    """What of the learning rate differs, where what was measured after so many epochs of `whole` is as long as a published value; None
    where it is not."""
    end = float(one["epochs"])
    if "epoch" not in one:  # the value at the end of a training
        return () if abs(whole / end - 1) < NEAR and epochs == whole else None
    point = float(one["epoch"])
    if abs(epochs / point - 1) >= NEAR:
        return None
    if abs(whole / end - 1) < NEAR:
        return ()
    fallen = (1 - math.cos(math.pi * point / end)) / 2
    if (one["schedule"], recipe_of(row).get("schedule")) != ("cosine", "constant") or fallen >= HARDLY:
        return None
    return (f"here the learning rate is constant, which a cosine of {end:g} epochs has lowered by {fallen:.1%} there",)


def recipe_of(row: Row) -> dict[str, Any]:
    """Of its runs; empty of what is not trained."""
    recipe = dict(zip(SETTING, row.setting, strict=False)).get("recipe")
    return (json.loads(recipe) or {}) if recipe else {}


def write(
    tables: list[Table],
    folder: str | Path,
    frame: pandas.DataFrame,
    sizes: Mapping[str, Mapping[str, int | None]],
    versions: Sequence[Mapping[str, int]] = (),
) -> list[Path]:
    """met.md, .csv and .json in `folder`, or nothing where no table is on a published setting. The rest as of published.md."""
    made = met(of_known_methods(tables, frame, versions), *load(), sizes)
    sections = [(table.title, HEAD, [_line(pair) for pair in pairs]) for table, pairs in made]
    return programs.write_page(folder, "met", markdown(made), sections) if made else []


def markdown(made: list[tuple[Table, list[Met]]]) -> str:
    """All of it as one Markdown page."""
    parts = ["# Published numbers on the published setting\n"]
    for table, pairs in made:
        said = [pair.within for pair in pairs if pair.within is not None]
        parts.append(f"## {escape(table.title)}\n")
        parts.append(f"{said.count(True)} of {len(said)} published numbers lie within our intervals.\n" if said else "No interval yet.\n")
        parts.append(grid(HEAD, [_line(pair) for pair in pairs], TEXT))
    sources = dict.fromkeys((pair.theirs["title"], pair.theirs["source"]) for _, pairs in made for pair in pairs)
    listed = [f"- {escape(title)}: {escape(source)}" for title, source in sources]
    return "\n".join([*parts, "## How to read it\n", LEGEND, "## Sources\n", *listed, ""])


def _line(pair: Met) -> list[str]:
    one = pair.theirs
    ours = [pair.row.label, kinds.text(pair.column, pair.cell).removesuffix(" ="), pair.column.header]
    within = "–" if pair.within is None else "yes" if pair.within else "no"
    differs = "; ".join(filter(None, (one["differs"], one.get("setting"), *pair.ours)))
    epochs = f"{one['epoch']} of {one['epochs']}" if "epoch" in one else one["epochs"]
    theirs = [one["value"], MEASURES[one["measure"]][1], f"{pair.difference:+.1f}", within, epochs, differs]
    return [*ours, *theirs, one["title"], one.get("confidence", "")]
