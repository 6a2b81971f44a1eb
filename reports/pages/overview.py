"""The table to look at first: every method at one budget, its family and year, as it is and as it was tuned, what the search for that cost,
and encoders side by side.

    write(tables, "reports/cifar10_budgets", Facts(families, years, settings, searches))    overview.md

Everything else that was measured stands in leaderboard.md. The same records give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.folder_name import shown
from bench.spec import Budget
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import KEY, Row, Table

DEFAULT, TUNED, SAME = "default", "tuned", "default, the best found"

NOTHING = "–"
TERA = 1e12

TEXT = ("method", "family", "setting", "notes")
"""Columns that are not numbers."""

LEGEND = """\
- **#** the ranks that a row may have by the first accuracy of its encoder, among all rows of its table that rank: "3 to 27" has two above
  it that are better, and none below that is worse. **±**, **=** and the accuracies as in leaderboard.md.
- **setting** default: by the method's recipe; tuned: as a search on val chose it, at seeds that are reported nowhere; where nothing better
  was told from the recipe, that is the best found. **search TFLOP** of all trials, which are as many for every method; – where none
  was made. **year** of the paper.
"""


@dataclass(frozen=True)
class Facts:
    """What records do not say."""

    families: Mapping[str, str] = field(default_factory=dict)
    """By method."""
    years: Mapping[str, int] = field(default_factory=dict)
    """Of the paper, by method."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """A run's id -> DEFAULT, TUNED or SAME, of methods that were searched."""
    searches: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(method, encoder) -> FLOPs of all its trials."""


def write(tables: Sequence[Table], folder: str | Path, facts: Facts) -> list[Path]:
    """overview.md, .csv and .json in `folder`; returns their paths."""
    return programs.write_page(folder, "overview", markdown(tables, facts), sections(tables, facts))


def sections(tables: Sequence[Table], facts: Facts) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and lines of a grid for each budget."""
    return [(title(together), *part(together, facts)) for together in side_by_side(tables)]


def markdown(tables: Sequence[Table], facts: Facts) -> str:
    """A table for each budget, on one page."""
    parts = ["# Overview\n"]
    parts += [f"## {escape(name)}\n\n{grid(head, body, TEXT)}" for name, head, body in sections(tables, facts)]
    return "\n".join([*parts, "## How to read it\n", LEGEND])


def side_by_side(tables: Sequence[Table]) -> list[list[Table]]:
    """Tables that differ in nothing but the encoder, in the order of the first of each."""
    found: dict[tuple, list[Table]] = {}
    for table in tables:
        key = tuple(table.key[name] for name in KEY if name not in ("encoder", "encoder_version"))
        found.setdefault(key, []).append(table)
    return list(found.values())


def title(together: Sequence[Table]) -> str:
    """'cifar10 · resnet8, vit_nano · budget 3e12 flops'; what else they have in common is in leaderboard.md's."""
    key = together[0].key
    encoders = ", ".join(str(table.key["encoder"]) for table in together)
    return " · ".join([shown(str(key["dataset"])), encoders, f"budget {Budget(key['budget_unit'], key['budget_amount'])}"])


def part(together: Sequence[Table], facts: Facts) -> tuple[list[str], list[list[str]]]:
    """Head and lines of one grid: a line for each method and setting, columns of each encoder."""
    lines: dict[tuple[str, str], list[Row | None]] = {}
    for at, table in enumerate(together):
        for row in table.rows:
            lines.setdefault((row.method, setting_of(row, facts)), [None] * len(together))[at] = row
    columns = [[column for column in table.columns if column.kind == "accuracy" and column.ranks] for table in together]
    searched = [any((row.method, table.key["encoder"]) in facts.searches for row in table.rows) for table in together]
    head = ["method", "family", "year", "setting"]
    for table, own, was in zip(together, columns, searched, strict=True):
        said = f" {table.key['encoder']}" if len(together) > 1 else ""
        head += [f"{name}{said}" for name in ("#", *(column.header for column in own), "TFLOP", *["search TFLOP"] * was)]
    body = []
    for (method, setting), rows in lines.items():
        cells = [method, facts.families.get(method) or NOTHING, str(facts.years.get(method) or NOTHING), setting or NOTHING]
        for table, own, was, row in zip(together, columns, searched, rows, strict=True):
            cells += of_encoder(row, own)
            cells += [of_search(row, setting, str(table.key["encoder"]), facts)] * was
        notes = dict.fromkeys(note for row in rows if row for note in (*([row.kind] if row.kind != "method" else []), *row.notes))
        body.append([*cells, "; ".join(notes)])
    return [*head, "notes"], body


def setting_of(row: Row, facts: Facts) -> str:
    """In words; else what tells it from other rows of its method, '' where there is none."""
    known = next((facts.settings[one] for _, one in row.runs if one in facts.settings), None)
    return row.label.removeprefix(row.method).strip() if known is None else known


def of_encoder(row: Row | None, columns: Sequence[Column]) -> list[str]:
    """Rank, accuracies and what a run cost."""
    if row is None:
        return [""] * (len(columns) + 2)
    rank = "" if row.rank is None else " to ".join(str(one) for one in dict.fromkeys(row.rank))
    flops = row.cells.get("tflop")
    return [rank, *(kinds.text(column, row.cells.get(column.key)) for column in columns), kinds.rounded(flops.mean) if flops else NOTHING]


def of_search(row: Row | None, setting: str, encoder: str, facts: Facts) -> str:
    """TFLOP of the search that a row comes from: the default one comes from none."""
    flops = facts.searches.get((row.method, encoder)) if row else None
    return NOTHING if flops is None or setting == DEFAULT else kinds.rounded(flops / TERA)
