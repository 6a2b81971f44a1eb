"""Leaderboards: a page for each table, and the list of them.

Rows, intervals, ranks and notes are reports/tables'; a cell is written as every other report writes it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from bench.folder_name import shown
from bench.spec import Budget
from reports.pages.leaderboard import LEGEND, rank
from reports.site import trust
from reports.site.documents import Documents
from reports.site.source import Board, Source
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import Cell, Row

NO_RANK = 1_000_000
"""Where a row without a rank sorts."""

TERMS = {
    "±": "interval",
    "=": "tie",
    "#": "rank",
    "any": "any",
    "floor": "kinds",
    "below …": "below",
    "loss at chance": "sound",
    "linear": "accuracies",
    "N labels a class": "further",
    "→ name": "transfer",
    "TFLOP": "measured",
    "s": "seconds",
    "items": "work",
}
"""What an entry of the legend begins with -> its address on the page."""

NOTED = (("below ", "below"), ("loss at chance", "sound"), ("collapsed", "sound"), ("floor", "kinds"), ("ceiling", "kinds"))
"""What a note has in it -> the entry that explains it."""


@dataclass(frozen=True)
class CellView:
    """A cell as the template writes it."""

    order: str
    """What it sorts by."""
    text: str
    why: str = ""
    """The mark behind it, which links to the legend."""
    term: str = ""


@dataclass(frozen=True)
class RowView:
    """A row as the template writes it."""

    row: Row
    rank: str
    rank_order: float
    page: str | None
    """Of its method."""
    family: str
    year: str
    verified: str
    """Of its runs: trust.of_runs."""
    cells: tuple[CellView, ...]
    notes: tuple[tuple[str, str], ...]
    """(note, address of its explanation or '')."""


def legend(documents: Documents, page: str) -> list[tuple[str, Markup]]:
    """(address, entry) of each line of the leaderboard's own legend."""
    entries = [entry.strip() for entry in re.split(r"^- ", LEGEND, flags=re.MULTILINE) if entry.strip()]
    found = []
    for entry in entries:
        term = re.match(r"\*\*(.+?)\*\*", entry)
        assert term, f"an entry of the legend has no term: {entry}"
        found.append((TERMS[term[1]], documents.of_text(entry, page)))
    return found


def cell(column: Column, value: Cell | None) -> CellView:
    """Without its mark, which stands apart."""
    if value is None:
        return CellView("", "–")
    text = kinds.text(column, replace(value, tied=False, mark=""))
    why, term = ("=", "tie") if value.tied else (value.mark, "seconds")
    return CellView(f"{value.mean:.6g}", text, why, term if why else "")


def columns_of(board: Board) -> list[Column]:
    """Those that a page shows: the others are in the runs' records."""
    return [column for column in board.table.columns if column.shown]


def rows_of(board: Board, columns: list[Column], source: Source) -> Iterator[RowView]:
    """In the table's order."""
    for row in board.table.rows:
        known = source.methods.get(row.method)
        yield RowView(
            row,
            rank(row),
            NO_RANK if row.rank is None else row.rank[0] + row.rank[1] / NO_RANK,
            source.method_pages.get(row.method),
            known.family if known else "",
            str(known.year or "") if known else "",
            trust.of_runs(source, row.runs),
            tuple(cell(column, row.cells.get(column.key)) for column in columns),
            tuple((note, next((term for words, term in NOTED if words in note), "")) for note in row.notes),
        )


def facts_of(board: Board) -> dict[str, str]:
    """What all runs of a table share, in words."""
    key: Mapping[str, Any] = board.table.key
    return {
        "data set": shown(key["dataset"]),
        "encoder": key["encoder"],
        "budget": str(Budget(key["budget_unit"], key["budget_amount"])),
        "records": board.folder,
    }


def best(board: Board) -> str:
    """The first row's name and number, where a method has a rank; '' else."""
    table = board.table
    first = next((row for row in table.rows if row.rank is not None), None)
    column = next((column for column in table.columns if column.key == table.ranked_by), None)
    return f"{first.label}, {column.header} {kinds.text(column, first.cells[column.key])}" if first and column else ""


def foremost(source: Source) -> Board | None:
    """The table that the home page shows: the one in which most methods have a rank; None where none has."""
    ranked = [(sum(row.rank is not None for row in board.table.rows), -place) for place, board in enumerate(source.boards)]
    most, place = max(ranked, default=(0, 0))
    return source.boards[-place] if most else None
