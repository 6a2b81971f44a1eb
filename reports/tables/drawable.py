"""Which tables a figure can show: nobody reads fifty settings, each with a label of its own, off one picture."""

from collections.abc import Sequence

from reports.tables.table import Row

MOST_POINTS = 40
"""Rows that a figure shows at most, floors and ceilings among them."""

MOST_CHARACTERS = 600
"""Of all their labels together: at the size that they are drawn in, they cover a third of the axes."""


def undrawn(rows: Sequence[Row], ranked_by: str) -> str:
    """Why there is no figure of these rows: '56 rows, and 40 at most can be told apart in one'. '' where there is one."""
    labels = [row.label for row in rows if ranked_by in row.cells]
    if len(labels) > MOST_POINTS:
        return f"{len(labels)} rows, and {MOST_POINTS} at most can be told apart in one"
    characters = sum(map(len, labels))
    if characters > MOST_CHARACTERS:
        return f"labels of {characters:,} characters together, and one has room for {MOST_CHARACTERS}"
    return ""
