"""Markdown from text: a table whose columns line up, and text that stays as it is."""

import re


def grid(head: list[str], body: list[list[str]], left: tuple[str, ...] = ("method", "notes"), markdown: tuple[str, ...] = ()) -> str:
    """A Markdown table, padded so that it reads in an editor too; text to the left, numbers to the right.

    left: headers of the columns that hold text. markdown: of those whose cells are Markdown already, as links are.
    """
    rows = [[cell if name in markdown else escape(cell) for name, cell in zip(head, row, strict=True)] for row in (head, *body)]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(head))]
    sides = [name in left for name in head]
    rows.insert(1, [":" + "-" * (width - 1) if is_left else "-" * (width - 1) + ":" for width, is_left in zip(widths, sides, strict=True)])
    lines = []
    for row in rows:
        cells = (cell.ljust(width) if is_left else cell.rjust(width) for cell, width, is_left in zip(row, widths, sides, strict=True))
        lines.append("| " + " | ".join(cells) + " |\n")
    return "".join(lines)


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", " ".join(text.split()))
