"""Which tables a figure can show: nobody reads fifty settings, each with a label beside its point, off one picture. Where the names stand
side by side below an axis there is room for more."""

from collections.abc import Sequence

from reports.tables.table import Row

MOST_POINTS = 40
"""Rows that a figure shows at most, floors and ceilings among them."""

MOST_NAMES = 64
"""Rows of a figure whose methods are named below its axis, or in which only those that lead have names."""

CHARACTERS = 15
"""Of a row's label, in the mean: forty of them at the size that they are drawn in cover a third of the axes."""


def undrawn(rows: Sequence[Row], ranked_by: str, most: int = MOST_POINTS) -> str:
    """Why there is no figure of these rows, which shows so many at most: '56 rows, and 40 at most can be told apart in one'. '' where there
    is one."""
    labels = [row.label for row in rows if ranked_by in row.cells]
    if len(labels) > most:
        return f"{len(labels)} rows, and {most} at most can be told apart in one"
    characters = sum(map(len, labels))
    if characters > most * CHARACTERS:
        return f"labels of {characters:,} characters together, and one has room for {most * CHARACTERS}"
    return ""
