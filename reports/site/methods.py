"""The page of a method: what its file says, its recipe with the sources, its numbers in every table, its figures."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from bench.spec import method_name
from reports.site import sprites
from reports.site.curve import Drawing, drawing
from reports.site.runs import training_of
from reports.site.source import Board, Source
from reports.tables.lines import listed
from reports.tables.table import Row

MOST_CURVES = 12
"""Runs of a method whose losses are drawn together: a search has hundreds."""


def code_of(code: str) -> list[tuple[str, str]]:
    """'google-research/simclr@383d414' -> [(itself, its address)]; what is no repository has none."""
    found = []
    for place in filter(None, code.split(", ")):
        name, at, commit = place.partition("@")
        found.append((place, f"https://github.com/{name}/tree/{commit}" if at else ""))
    return found


def without_summary(docstring: str) -> str:
    """What a file says below its first sentence, as Markdown: there a line behind a list would be a part of it."""
    return re.sub(r"(?m)^((?:- |  ).*\n)(?=[^-\s])", r"\1\n", docstring.partition(".\n")[2].strip())


def numbers(board: Board, row: Row) -> str:
    """A row in one line: 'linear 92.9 ± 3.0, kNN 83.7 ± 3.9, …'"""
    return listed(row.cells, board.table.columns)


def places(source: Source, name: str) -> list[tuple[Board, list[Row], Drawing | None]]:
    """The tables that a method stands in, with its rows and the losses of their runs."""
    found = []
    for board in source.boards:
        rows = [row for row in board.table.rows if row.method == name]
        if rows:
            runs = [run for row in rows for _, run in row.runs]
            curves = [training_of(source.runs[run]).loss_curve for run in runs] if len(runs) <= MOST_CURVES else []
            found.append((board, rows, drawing(curves)))
    return found


def figures(source: Source) -> dict[str, list[str]]:
    """Method -> figures that one of its runs stands in, by the runs that a figure's CSV names."""
    found: dict[str, set[str]] = {}
    for path in sorted(source.root.glob("docs/figures/*.csv")) if source.root else ():
        if not path.with_suffix(".md").is_file():
            continue
        for line in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
            if stored := source.runs.get(line.get("run") or ""):
                found.setdefault(method_name(stored[0].record.spec["method"]), set()).add(path.stem)
    return {name: sorted(titles) for name, titles in found.items()}


@dataclass(frozen=True)
class FigureView:
    """A paper's figure as the page of a method shows it."""

    title: str
    page: str
    claim: str
    picture: str | None
    """Its copy below the site."""
    verdicts: Markup
    """At each scale, as its own page has them."""


def claim_of(text: str) -> str:
    """The sentence that a figure's page begins with; '' where it has none."""
    found = re.search(r"(?m)^\*\*(.+?)\*\*", text)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else ""


def views(source: Source) -> dict[str, tuple[Path, str]]:
    """Method -> (the picture of its views, its copy below the site), of those that `run_bench.py views all` has drawn."""
    folder = source.root / sprites.FOLDER if source.root else None
    paths = {name: folder / f"{name}.png" for name in source.methods} if folder else {}
    return {name: (path, f"pictures/views-{name}.png") for name, path in paths.items() if path.is_file()}


def counts(source: Source) -> Mapping[str, int]:
    """Method -> its runs."""
    found: dict[str, int] = dict.fromkeys(source.method_pages, 0)
    for stored in source.runs.values():
        found[method_name(stored[0].record.spec["method"])] += 1
    return found
