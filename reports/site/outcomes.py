"""Which test images each row of a table got right, by seed, as a script of its own for each table: the page that compares two methods loads
those of tables that both stand in, and finds the images that only one of them gets right.

The bits are the records': of image i bit i % 8 of byte i // 8, images as the split has them, from 0. A script, since a page cannot read any
other file from file://.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from reports.site.source import Board
from reports.tables.table import Cell, Row

ANY = "any"
"""In place of a seed, of a row that has the same outcomes at every one."""


def path_of(board: Board) -> str:
    """Below the site: 'outcomes/cifar10-….js'."""
    return f"outcomes/{board.page.rpartition('/')[2].removesuffix('.html')}.js"


def known(board: Board) -> dict[str, Cell]:
    """Label -> the cell of the column that ranks, of rows whose images are known."""
    key = board.table.ranked_by or ""
    cells = {row.label: row.cells[key] for row in board.table.rows if key in row.cells}
    return {label: cell for label, cell in cells.items() if cell.correct is not None and cell.correct.dtype == bool}


def images_of(board: Board) -> int:
    """How many every row of them was measured on; 0 where fewer than two are known, or not all were measured on as many."""
    cells = known(board)
    counts = {cell.correct.shape[1] for cell in cells.values() if cell.correct is not None}
    return counts.pop() if len(cells) > 1 and len(counts) == 1 else 0


def facts(board: Board, sprites: Mapping[str, object]) -> dict[str, object] | None:
    """What the page has of a table before its script is loaded; None where there is nothing to load. sprites: data set -> facts of the
    picture of its test images (sprites.py), of those that are shown."""
    if not (images := images_of(board)):
        return None
    column = next(column for column in board.table.columns if column.key == board.table.ranked_by)
    # By its name as specs have it: a folder that somebody calls mnist5k is another set.
    sprite = sprites.get(str(board.table.key["dataset"]))
    return {"script": path_of(board), "images": images, "header": column.header, "sprite": sprite}


def files(boards: Sequence[Board]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every script."""
    for board in boards:
        if images_of(board):
            cells = known(board)
            rows = [packed(row, cells[row.label]) if row.label in cells else None for row in board.table.rows]
            said = json.dumps({"page": board.page, "rows": rows}, separators=(",", ":")).replace("<", "\\u003c")
            yield path_of(board), f"(window.outcomes ??= []).push({said});\n".encode()


def packed(row: Row, cell: Cell) -> dict[str, str]:
    """Seed -> base64."""
    assert cell.correct is not None, "known"
    bits = np.packbits(cell.correct, axis=1, bitorder="little")
    texts = [base64.b64encode(one.tobytes()).decode() for one in bits]
    return {ANY: texts[0]} if row.constant else {str(seed): text for seed, text in zip(cell.values, texts, strict=True)}
