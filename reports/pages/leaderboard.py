"""The leaderboard, rebuilt from the records alone: Markdown to read, CSV to compute with, a table for the terminal.

    tables = build(store.frame())   the tables as data (reports/tables/build.py)
    write(tables, "reports/demo")   leaderboard.md, leaderboard.csv and leaderboard.json
    print_table(tables, console)

The same records give the same bytes: no date, no commit, no order but that of the names and numbers.
"""

import csv
import io
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from bench.machine import files
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.table import KEY, Row, Table

LEGEND = """\
- **±** half width of the 95 % interval of the mean: over seeds, over test items where an evaluator says which of them were right, and over
  draws of labels where there are few; none is given below 3 seeds.
- **=** cannot be told from the best of its column. Comparisons are paired by seed and by test item, with the variance between seeds of
  all methods together, and allow for their number: of equal methods one or more lacks its mark in 5 % of columns.
- **#** the ranks that a method may have by the first accuracy column, from comparisons of all pairs: "3 to 27" has two above it that are
  better, and none below that is worse. None below 3 seeds, nor where a seed diverged or failed.
- **any** seed has the same numbers: nothing in it is drawn, and its interval is of test items alone.
- **floor** no training at all: what comes for free. **ceiling** trained with labels at the same budget. Neither ranks.
- **below …** worse than that floor, beyond the interval of the difference; of untrained features those that have seen as many statistics
  of images as a training's first steps give (random_rescaled), where they are in the table.
- **loss at chance** over the last tenth of training the loss was no better than a guess's, or by less than a thousandth. **collapsed**
  around their mean, features differ in (nearly) one direction, or not at all.
- **linear**, **kNN** top-1 accuracy on the test split, percent; k, T and the L2 strength picked on val, except where k is given (T = 0.1).
- **N labels a class** the linear probe on so few, by five draws of them. **frame order** percent of clips of which is told whether they are
  shuffled, 50 by chance. **WordSim-353**, **SimLex-999** correlation of words' cosines with people's scores; **analogies** in percent.
  Of all evaluators: docs/protocol.md.
- **→ name** linear probe on another data set. **transfer IQM** mean over seeds of the middle half of a seed's scores.
- **TFLOP**, **s** measured in training, forward and backward, teachers and extra views included; evaluation excluded. TFLOP: mean per run.
- **s** wall clock, **CPU s** of all threads: the median of a setting's seeds on one processor, which a line under the table names where
  there are two; **†** of another one, and not to be compared with the rest. leaderboard.csv has every seed's.
- **items** source images, texts or clips that were trained on. **MiB** peak memory. **RankMe** effective rank of the features.
"""

ASCII = str.maketrans({"±": "+-", "†": "*", "·": "|", "→": "->", "–": "-", "…": "..."})
"""For a terminal that has nothing else."""

MOST_COLUMNS = 16
"""Numbers of one table in Markdown; of a table with more what OTHERS names stands in tables of its own below it."""

OTHERS = (
    ("Other data sets", ("transfer", kinds.AGGREGATE.key, "multilabel", "few_shot")),
    ("Few labels", ("few_labels",)),
    ("Retrieval, and probabilities of the linear probe", ("retrieval", "calibration")),
    ("Images that were changed or are from elsewhere", ("robustness", "shift", "ood")),
    ("Linear probe by SGD, and all weights trained", ("linear_sgd", "finetune", "finetune_adamw", "finetune_last", "scratch")),
    ("Pixels and boxes", ("segmentation", "detection")),
    ("After the projector", ("projection",)),
)
"""(title, evaluators), each of one kind, by what a column's key begins with."""

WIDEST_METHOD, WIDEST_NOTES = 30, 22
"""Characters in the terminal before these two columns wrap."""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """leaderboard.md, leaderboard.csv and leaderboard.json in `folder`; returns their paths."""
    return [
        files.replace(Path(folder) / "leaderboard.md", markdown(tables).encode()),
        files.replace(Path(folder) / "leaderboard.csv", tidy_csv(tables).encode()),
        files.replace(Path(folder) / "leaderboard.json", programs.of_tables(tables)),
    ]


def markdown(tables: list[Table]) -> str:
    """All tables as one Markdown page."""
    parts = ["# Leaderboard\n"]
    for table in tables:
        columns, others = tables_of([column for column in table.columns if column.shown])
        head = ["#", "method", "seeds", *(column.header for column in columns), "notes"]
        body = [
            [
                rank(row),
                row.label,
                "any" if row.constant else str(row.seeds),
                *(kinds.text(column, row.cells.get(column.key)) for column in columns),
                "; ".join(row.notes),
            ]
            for row in table.rows
        ]
        parts.append(f"## {escape(table.title)}\n\n{grid(head, body)}")
        for title, some in others:
            shown = [[row.label, *(kinds.text(column, row.cells.get(column.key)) for column in some)] for row in table.rows]
            parts.append(f"### {title}\n\n{grid(['method', *(column.header for column in some)], shown)}")
        parts += [f"{escape(line)}\n" for line in table.lines]
    return "\n".join([*parts, "## How to read it\n", LEGEND])


def tables_of(columns: list[Column]) -> tuple[list[Column], list[tuple[str, list[Column]]]]:
    """What stands in a table's own columns, and what in which further table: none where all of them fit."""
    if len(columns) <= MOST_COLUMNS:
        return columns, []
    by_evaluator = [(title, [column for column in columns if column.key.partition(":")[0] in names]) for title, names in OTHERS]
    others = [(title, some) for title, some in by_evaluator if some]
    apart = {column.key for _, some in others for column in some}
    return [column for column in columns if column.key not in apart], others


def rank(row: Row) -> str:
    """'3' or '3 to 27'; '' where it has none."""
    return "" if row.rank is None else " to ".join(str(rank) for rank in dict.fromkeys(row.rank))


def tidy_csv(tables: list[Table]) -> str:
    """One row per table x method x column; `values` holds 'seed=value' pairs, so that nothing need be read off a picture."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    numbers = ("mean", "half_width", "n", "indistinguishable", "values")
    writer.writerow([*KEY, "kind", "rank_low", "rank_high", "method", "column", *numbers, "notes"])
    for table in tables:
        for row in table.rows:
            for column in table.columns:
                if (cell := row.cells.get(column.key)) is not None:
                    values = " ".join(f"{seed}={value:.6g}" for seed, value in cell.values.items())
                    half = "" if cell.half_width is None else f"{cell.half_width:.6g}"
                    facts = [column.key, f"{cell.mean:.6g}", half, len(cell.values), int(cell.tied), values, "; ".join(row.notes)]
                    writer.writerow([*table.key.values(), row.kind, *(row.rank or ("", "")), row.label, *facts])
    return file.getvalue()


def print_table(tables: list[Table], console: Console):
    """All tables to a terminal, each as wide as the terminal allows; what does not fit is named below it."""
    for table in tables:
        grid, left_out = _terminal_grid(table, console.width)
        lines = [*table.lines, *([f"Not shown for want of width: {', '.join(left_out)}."] if left_out else [])]
        tied = any(cell.tied for row in table.rows for cell in row.cells.values())
        lines += ["= cannot be told from the best; floor: untrained, ceiling: trained with labels."] if tied else []
        plain = console.options.ascii_only
        out = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for name in grid[0]:
            text_like = name in ("method", "")
            width = {"method": WIDEST_METHOD, "": WIDEST_NOTES}.get(name)
            out.add_column(
                _plain(name, plain), justify="left" if text_like else "right", no_wrap=not text_like, max_width=width, overflow="fold"
            )
        for row in grid[1:]:
            out.add_row(*(_plain(cell, plain) for cell in row))
        console.print(_plain(table.title, plain), style="bold")
        console.print(out)
        for line in lines:
            console.print(_plain(line, plain))
        console.print()


def _terminal_grid(table: Table, width: int) -> tuple[list[list[str]], list[str]]:
    """(header and rows as text, headers of the columns that do not fit in `width` characters)."""
    notes = ["", *("; ".join(row.notes) for row in table.rows)]
    edge = [["#", *(rank(row) or ".." for row in table.rows)], ["method", *(row.label for row in table.rows)]]
    room = width - _width(edge[0]) - min(_width(edge[1]), WIDEST_METHOD + 2) - min(_width(notes), WIDEST_NOTES + 2)
    kept, left_out = [], []
    # What ranks is shown however narrow the terminal is, whether it is a column of the terminal's or not; it takes its room first.
    ranking = [column for column in table.columns if column.key == table.ranked_by]
    room -= sum(_width([column.header, *(kinds.text(column, row.cells.get(column.key)) for row in table.rows)]) for column in ranking)
    for column in (column for column in table.columns if column.shown == "terminal" or column in ranking):
        cells = [column.header, *(kinds.text(column, row.cells.get(column.key)) for row in table.rows)]
        # Costs are narrow and say what a number is worth: room is kept for them before the last accuracies are let in.
        reserve = 16 if column.kind == "accuracy" and kept else 0
        if column in ranking:
            kept.append(cells)
        elif _width(cells) + reserve <= room:
            kept.append(cells)
            room -= _width(cells)
        else:
            left_out.append(column.header)
    return [list(row) for row in zip(*edge, *kept, notes, strict=True)], left_out


def _width(cells: list[str]) -> int:
    """Characters that a column takes, with the space beside it."""
    return max(len(cell) for cell in cells) + 2


def _plain(text: str, ascii_only: bool) -> Text:
    """As rich text without markup, so that a name in brackets stays as it is."""
    return Text(text.translate(ASCII) if ascii_only else text)
