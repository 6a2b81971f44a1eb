"""Tables for a paper: LaTeX with booktabs, and nothing else that has to be loaded.

    text(tables)    a table environment each: the best of a column in bold, what cannot be told from it with =, the notes below

The same records give the same bytes. What the marks mean: docs/statistics.md, and the legend of a leaderboard.
"""

import re

from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import Row, Table

SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    **{"±": r"$\pm$", "†": r"$^{\dagger}$", "→": r"$\to$", "·": r"$\cdot$", "–": "--", "…": r"\ldots{}", "×": r"$\times$"},
}
"""A character, and what LaTeX needs to show it."""

LEGEND = (
    "Mean over seeds with half of its 95 % interval, over seeds and test images. Bold: the best method of a column. =: cannot be told from "
    "it (paired, for all methods at once). Floors are not trained, the ceiling has labels."
)


def text(tables: list[Table]) -> str:
    """All tables, one after another, each with the columns that a page shows."""
    return "\n".join(map(_table, tables))


def escape(text: str) -> str:
    """Text that LaTeX shows as it is, in one line."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def _table(table: Table) -> str:
    columns = [column for column in table.columns if column.shown]
    best = {column.key: _best(table, column) for column in columns}
    noted = [row for row in table.rows if row.notes]
    numbers = {row.label: number for number, row in enumerate(noted, start=1)}
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        _line("method", *(escape(column.header) for column in columns)),
    ]
    kind = None
    for row in table.rows:
        if row.kind != kind:
            lines.append(r"\midrule")
        kind = row.kind
        mark = f"$^{{{numbers[row.label]}}}$" if row.notes else ""
        lines.append(_line(escape(row.label) + mark, *(_cell(row, column, best[column.key] is row) for column in columns)))
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\smallskip", r"\footnotesize"]
    lines += [escape(LEGEND), *(f"$^{{{numbers[row.label]}}}$ {escape('; '.join(row.notes))}." for row in noted)]
    return "\n".join([*lines, r"\end{table}", ""])


def _line(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _best(table: Table, column: Column) -> Row | None:
    """The method that the others of a column of accuracies are compared with; None of a column of anything else."""
    rows = [row for row in table.rows if row.kind == "method" and column.key in row.cells]
    if column.kind not in ("accuracy", "aggregate") or not rows:
        return None
    return max(rows, key=lambda row: row.cells[column.key].mean)


def _cell(row: Row, column: Column, best: bool) -> str:
    """'\\textbf{92.9} $\\pm$ 3.0' of the best, '88.1 $\\pm$ 9.2$^{=}$' of what cannot be told from it."""
    written = escape(kinds.text(column, row.cells.get(column.key)))
    written = re.sub(r" =$", "$^{=}$", written)
    return re.sub(r"^\S+", lambda number: rf"\textbf{{{number[0]}}}", written) if best else written
