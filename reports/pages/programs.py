"""What a report says for programs: every table as JSON, and beside every CSV the same rows as JSON.

    of_tables(tables)     title, key, columns, rows with their runs, every seed's value, and what the table was made of
    sheet(sections)       the grids of a page as one CSV
    twin(csv_text)        a list of objects, numbers as numbers, what is empty as null

The same records give the same bytes.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.machine import files
from reports.tables.table import Cell, Table

Section = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A grid of a page: what stands above it, its head, its lines as text."""

INTERVAL = re.compile(r"(\S+) ± (\S+)(?: =)?")

IDENTIFIERS = ("run", "runs", "data_revision")
"""Columns of hashes, of which one may happen to be digits alone."""


def text(value: Any) -> bytes:
    """A line for each entry of the outermost lists would be long, and one line for all cannot be compared: one space a level."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_page(folder: str | Path, name: str, page: str, sections: Sequence[Section]) -> list[Path]:
    """NAME.md in `folder`, and its grids as NAME.csv and NAME.json; the files."""
    told = sheet(sections)
    made = {"md": page.encode(), "csv": told.encode(), "json": twin(told)}
    return [files.replace(Path(folder) / f"{name}.{kind}", content) for kind, content in made.items()]


def write_numbers(folder: str | Path, name: str, head: Sequence[str], body: Iterable[Sequence[object]]) -> list[Path]:
    """What a figure is drawn from: NAME.csv and NAME.json in `folder`; the files."""
    told = csv_of(head, body)
    made = {"csv": told.encode(), "json": twin(told)}
    return [files.replace(Path(folder) / f"{name}.{kind}", content) for kind, content in made.items()]


def csv_of(head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """A CSV with this header."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([head, *body])
    return file.getvalue()


def sheet(sections: Sequence[Section]) -> str:
    """A line for each of theirs, with `table` in front: which of them it is of. '42.1 ± 0.9 =' becomes two numbers, in a column of the same
    name and in one that ends in ±; a dash is nothing."""
    lines = []
    for title, head, body in sections:
        for cells in body:
            line = {"table": title}
            for name, cell in zip(head, cells, strict=True):
                found = INTERVAL.fullmatch(cell)
                line[name] = plain(found[1] if found else cell)
                if found:
                    line[f"{name} ±"] = plain(found[2])
            lines.append(line)
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def plain(cell: str) -> str:
    """Without what a person reads more easily: '1,200' -> '1200', '–' -> ''."""
    if cell == "–":
        return ""
    return cell.replace(",", "") if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", cell) else cell


def of_tables(tables: Sequence[Table]) -> bytes:
    """leaderboard.json."""
    return text([facts(table) for table in tables])


def facts(table: Table) -> dict[str, Any]:
    """Of one table."""
    return {
        "title": table.title,
        "key": dict(table.key),
        "ranked_by": table.ranked_by,
        "columns": [{"key": one.key, "header": one.header, "kind": one.kind} for one in table.columns],
        "rows": [
            {
                "method": row.method,
                "label": row.label,
                "kind": row.kind,
                "rank": row.rank and list(row.rank),
                "seeds": "any" if row.constant else row.seeds,
                "runs": [{"seed": seed, "id": run} for seed, run in row.runs],
                "notes": list(row.notes),
                "cells": {key: of_cell(cell) for key, cell in row.cells.items()},
            }
            for row in table.rows
        ],
        "lines": list(table.lines),
        "made_of": table.made_of.facts(),
    }


def of_cell(cell: Cell) -> dict[str, Any]:
    """A number with its interval, whether it can be told from the best, and every seed's."""
    return {
        "mean": number(cell.mean),
        "half_width": number(cell.half_width),
        "indistinguishable": cell.tied,
        "values": {str(seed): number(value) for seed, value in cell.values.items()},
    }


def number(value: float | None) -> float | None:
    """With as many digits as leaderboard.csv has; None for what is not a number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def rows(csv_text: str) -> list[dict[str, Any]]:
    """Of a CSV with a header. A column is of numbers where all that stands in it are."""
    head, *body = csv.reader(io.StringIO(csv_text))
    columns = [typed(name, [row[place] for row in body]) for place, name in enumerate(head)]
    return [dict(zip(head, values, strict=True)) for values in zip(*columns, strict=True)]


def twin(csv_text: str) -> bytes:
    """The same rows as JSON."""
    return text(rows(csv_text))


def typed(name: str, values: Sequence[str]) -> list[Any]:
    """Of one column; what is empty is null."""
    for kind in (int, float) if name not in IDENTIFIERS else ():
        try:
            made = [kind(value) if value else None for value in values]
        except ValueError:
            continue
        if all(one is None or math.isfinite(one) for one in made):
            return made
    return [value or None for value in values]
