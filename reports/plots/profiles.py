"""What the evaluations say of each method side by side: a figure per table with three of them or more, in parallel coordinates.

    write(build(store.frame()), "reports/cifar10")    profiles-<table>.svg and .png

An axis is an evaluation, from the worst row of the table to the best; a line is a method. Those that lead by the column that ranks
have colours, names and 95 % intervals, the others are grey, floors and ceilings dashed. Where lines cross, two evaluations order methods
differently; how much is in agreement.md. The same records give the same bytes.
"""

import textwrap
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, drawn, save
from reports.plots.label_placement import spread
from reports.tables.columns import Column, rounded
from reports.tables.drawable import MOST_NAMES
from reports.tables.table import Row, Table

FEWEST_AXES = 3
MOST_AXES = 16
LEADING = 5
SIZE = (8.6, 4.8)
"""Inches."""
AXIS, NAME = 0.8, 13
"""With more axes than the figure's width has room for: inches from one to the next, and characters of a line of its name."""
LEFT, NAMES = 0.43, 1.72
"""Beside the axes, inches: names are in the right margin."""
BOTTOM, TOP = 0.16, 0.84
"""Of the axes, as shares of the figure's height."""
DODGE = 0.035
"""Of a leading method beside the next, in distances of axes: their intervals would cover each other."""
LINE = 0.045
"""Least distance of two names, in lengths of an axis."""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """Draw every table that has enough evaluations, and few enough rows, into `folder`; returns the files."""
    paths = []
    for table, slug in drawn(tables, MOST_NAMES):  # those that lead have names, the others are a grey background
        columns = evaluations(table)
        if len(columns) >= FEWEST_AXES:
            figure = draw(table, columns)
            paths += save(figure, folder, f"profiles-{slug}", table.made_of)
    return paths


def evaluations(table: Table) -> list[Column]:
    """The columns that have an axis: shown accuracies, and shown percents of objects, pixels and corrupted images, in which two methods or
    more differ."""
    found = []
    for column in (column for column in table.columns if column.shown and (column.kind == "accuracy" or column.percent)):
        means = [row.cells[column.key].mean for row in _methods(table) if column.key in row.cells]
        if len(means) > 1 and max(means) > min(means):
            found.append(column)
    return found


def draw(table: Table, columns: list[Column]) -> Figure:
    """A line for each row of the table over the axes of `columns`."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    columns, left_out = columns[:MOST_AXES], [column.header for column in columns[MOST_AXES:]]
    methods = sorted(_methods(table), key=lambda row: (-row.cells[table.ranked_by].mean, row.label))
    references = [row for row in table.rows if row.kind != "method" and table.ranked_by in row.cells]
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        width = max(SIZE[0], AXIS * len(columns) + LEFT + NAMES)
        left = LEFT / width
        figure = Figure(figsize=(width, SIZE[1]), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((left, BOTTOM, 1 - NAMES / width - left, TOP - BOTTOM))
        ranges = {column.key: _range([*methods, *references], column) for column in columns}
        for place, column in enumerate(columns):
            axes.axvline(place, color="0.75", linewidth=0.8, zorder=1)
            for height, number in zip((0, 1), ranges[column.key], strict=True):
                axes.annotate(
                    rounded(number), (place, height), (0, 9 if height else -9), textcoords="offset points", ha="center", va="center",
                    fontsize=7, color="0.35",
                )  # fmt: skip
        colours = seaborn.color_palette("tab10", LEADING)
        for row in methods[LEADING:]:
            axes.plot(*heights(row, columns, ranges), color="0.8", linewidth=0.8, zorder=2, label=row.label)
        for number, row in enumerate(references):
            dashes = [(0, (5, 2)), (0, (2, 2)), (0, (6, 2, 1, 2)), (0, (1, 2))][number % 4]
            axes.plot(*heights(row, columns, ranges), color="0.3", linewidth=1, linestyle=dashes, zorder=3, label=row.label)
        for number, (row, colour) in enumerate(zip(methods, colours, strict=False)):
            places, levels = heights(row, columns, ranges)
            halves = [_half(row, columns[place], ranges) for place in places]
            beside = [place + DODGE * (number - (LEADING - 1) / 2) for place in places]
            line = {"fmt": "o-", "color": colour, "markersize": 4, "linewidth": 1.6, "elinewidth": 0.9, "zorder": 4}
            axes.errorbar(beside, levels, yerr=halves, label=row.label, **line)
        _name(axes, [*zip(methods, colours, strict=False), *((row, "0.3") for row in references)], columns, ranges)
        axes.set_xlim(-0.35, len(columns) - 0.85)
        axes.set_ylim(-0.1, 1.1)
        names, slant = [column.header for column in columns], {"fontsize": 8, "rotation": 20, "ha": "right"}
        if width > SIZE[0]:
            names, slant = [textwrap.fill(name, NAME, break_long_words=False, break_on_hyphens=False) for name in names], {"fontsize": 7}
        axes.set_xticks(range(len(columns)), names, **slant)
        axes.set_yticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        first, *rest = table.title.split(" · ")
        figure.text(left, 0.955, f"{first}: what each evaluation says", fontsize=11, fontweight="bold", ha="left", va="center")
        figure.text(left, 0.915, " · ".join(rest), fontsize=7, color="0.35", ha="left", va="center")
        unit = "%" if any(column.percent for column in columns) else "top-1 (%)"
        grey = f"in grey the other {max(0, len(methods) - LEADING)} methods"
        told = f"{unit}, each axis from the worst row of the table to the best; {grey}"
        told += f"; not drawn: {', '.join(left_out)}" if left_out else ""
        figure.text(left, 0.02, told, fontsize=7, color="0.35", ha="left", va="bottom")
    return figure


def heights(row: Row, columns: list[Column], ranges: dict[str, tuple[float, float]]) -> tuple[list[int], list[float]]:
    """Which axes the row has a number on, and where on them: 0 the worst row, 1 the best."""
    places = [place for place, column in enumerate(columns) if column.key in row.cells]
    return places, [_height(row, columns[place], ranges) for place in places]


def _height(row: Row, column: Column, ranges: dict[str, tuple[float, float]]) -> float:
    low, high = ranges[column.key]
    return (row.cells[column.key].mean - low) / (high - low)


def _half(row: Row, column: Column, ranges: dict[str, tuple[float, float]]) -> float:
    low, high = ranges[column.key]
    return (row.cells[column.key].half_width or 0.0) / (high - low)


def _range(rows: list[Row], column: Column) -> tuple[float, float]:
    means = [row.cells[column.key].mean for row in rows if column.key in row.cells]
    return min(means), max(means)


def _methods(table: Table) -> list[Row]:
    return [row for row in table.rows if row.kind == "method" and table.ranked_by in row.cells]


def _name(axes, rows: list[tuple[Row, object]], columns: list[Column], ranges: dict[str, tuple[float, float]]) -> None:
    """Each row's name in the right margin, beside the last axis that it has a number on."""
    ends = [(places[-1], levels[-1]) for places, levels in (heights(row, columns, ranges) for row, _ in rows)]
    levels = spread([level for _, level in ends], LINE, -0.1, 1.1)
    for (row, colour), (place, end), level in zip(rows, ends, levels, strict=True):
        axes.annotate(
            row.label, (place, end), (len(columns) - 0.8, level), fontsize=8, color=colour, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6},
        )  # fmt: skip
