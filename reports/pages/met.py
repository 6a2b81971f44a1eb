"""Published numbers on the published setting: where data set, encoder, length and batch size are theirs too, ours beside theirs, and
whether theirs lies within our interval.

    write(tables, "reports/published_cifar10", frame, sizes)    met.md, where a table is on the setting of a published value
    met(tables, published.load()[0], sizes)                     the same as data

What is at any other budget, encoder or batch size stands in published.md alone. The same records give the same bytes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
- **confidence** `paper`: from the page of those who measured it; `copy`: from a text copy of that; `by eye`: read off a picture.
"""


@dataclass(frozen=True)
class Met:
    """A published value and a number of ours on its setting."""

    row: Row
    column: Column
    cell: Cell
    theirs: dict[str, str]
    """A row of published.csv."""
    trained_on: str = ""
    """Ours, where it is less than theirs: 'here trained on train, 45,000 images'."""

    @property
    def difference(self) -> float:
        """Ours less theirs, percent."""
        return self.cell.mean - float(self.theirs["value"])

    @property
    def within(self) -> bool | None:
        """Whether theirs lies in our interval; None where there is none."""
        return None if self.cell.half_width is None else abs(self.difference) <= self.cell.half_width


def met(tables: list[Table], found: list[dict[str, str]], sizes: Mapping[str, Mapping[str, int | None]]) -> list[tuple[Table, list[Met]]]:
    """Every table that is on the setting of a published value, with the pairs, in the order of our rows and columns, then of the file.
    found: rows of published.csv. sizes: images in each split of the data sets that are known."""
    made = []
    for table in tables:
        images = train_images(sizes.get(str(table.key["dataset"]), {}), str(table.key["pretrain_split"]))
        encoder = ENCODERS.get(str(table.key["encoder"])) if int(str(table.key["image_size"])) <= SMALL else None
        here = [one for one in found if one["dataset"] == table.key["dataset"] and one["encoder"] == encoder and one["epochs"]]
        split = str(table.key["pretrain_split"])
        less = f"here trained on {split}, {images:,} images" if images and split != EVERYTHING else ""
        pairs = [
            Met(row, column, row.cells[column.key], one, less)
            for row in table.rows
            for column in table.columns
            for one in here
            if one["method"] == row.method and column.key in row.cells and re.fullmatch(ALIKE.get(one["measure"], "(?!)"), column.key)
            if images and abs(row.cells["images"].mean / images / float(one["epochs"]) - 1) < NEAR
            if one["batch_size"] in ("", str(batch_size(row)))
        ]
        if pairs:
            made.append((table, pairs))
    return made


def batch_size(row: Row) -> int | None:
    """Of its recipe; None of what is not trained."""
    recipe = dict(zip(SETTING, row.setting, strict=False)).get("recipe")
    return (json.loads(recipe) or {}).get("batch_size") if recipe else None


def write(
    tables: list[Table],
    folder: str | Path,
    frame: pandas.DataFrame,
    sizes: Mapping[str, Mapping[str, int | None]],
    versions: Sequence[Mapping[str, int]] = (),
) -> list[Path]:
    """met.md, .csv and .json in `folder`, or nothing where no table is on a published setting. The rest as of published.md."""
    made = met(of_known_methods(tables, frame, versions), load()[0], sizes)
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
    differs = "; ".join(filter(None, (one["differs"], one["setting"], pair.trained_on)))
    theirs = [one["value"], MEASURES[one["measure"]][1], f"{pair.difference:+.1f}", within, one["epochs"], differs]
    return [*ours, *theirs, one["title"], one["confidence"]]
