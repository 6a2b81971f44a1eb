"""Accuracy within runs: a figure per table of runs that were looked at on their way, a panel for each measure.

    write(build(store.frame()), "reports/adhoc")      snapshots-<table>.svg and .png, .csv and .json

A line is a method over the share of its budget that was spent at each look, mean over seeds with 95 % interval; a hollow point one where
features of a seed had collapsed. All points of a line are of the same runs, whose learning rate still falls: what a shorter budget comes to
is another figure (budget_curves.py). The same records give the same bytes.
"""

from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.pages import programs
from reports.plots.cost import DOTS_PER_INCH, MARKERS, STYLE, save
from reports.plots.label_placement import write_beside
from reports.tables.columns import Column
from reports.tables.drawable import MOST_POINTS
from reports.tables.file_names import slugs
from reports.tables.table import Row, Table

PANEL = (4.6, 4.4)
"""Inches, with room for names beside it."""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """Draw every table that has runs with snapshots, and few enough of them, into `folder`; returns the files."""
    paths = []
    for table, name in zip(tables, slugs(tables), strict=True):
        rows = [row for row in table.rows if row.on_the_way]
        if table.on_the_way and len(rows) <= MOST_POINTS:
            figure = draw(table, rows)
            paths += save(figure, folder, f"snapshots-{name}", table.made_of)
            head = ["setting", "share", "reached", "column", "mean", "half_width", "seeds", "collapsed"]
            paths += programs.write_numbers(folder, f"snapshots-{name}", head, numbers(rows))
    return paths


def numbers(rows: list[Row]) -> list[tuple[object, ...]]:
    """A line for each point: the mean over seeds, and of how many of them features had collapsed."""
    return [
        (row.label, look.share, look.reached, key, cell.mean, cell.half_width, len(cell.values), look.collapsed)
        for row in rows
        for look in row.on_the_way
        for key, cell in look.cells.items()
    ]


def draw(table: Table, rows: list[Row]) -> Figure:
    """A panel for each column of accuracies that was measured within runs."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        panels = len(table.on_the_way)
        figure = Figure(figsize=(PANEL[0] * panels, PANEL[1]), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            1, panels, left=0.62 / PANEL[0] / panels, right=1 - 1.1 / PANEL[0] / panels, bottom=0.12, top=0.8, wspace=0.5
        )
        colours = seaborn.color_palette("tab10", 10)
        for place, column in enumerate(table.on_the_way):
            axes, names = figure.add_subplot(grid[place]), []
            for number, row in enumerate(rows):
                colour = colours[number % 10]
                if shown := draw_row(axes, row, column, colour, MARKERS[(number + number // 10) % len(MARKERS)]):
                    names.append((shown, row.label, colour))
            axes.set_xlabel("share of the budget (%)")
            axes.set_title(f"{column.header}, top-1 (%)", fontsize=9)
            axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
            write_beside(axes, names)
        name, *rest = table.title.split(" · ")
        figure.text(0.02, 0.95, f"{name}: within runs", fontsize=11, fontweight="bold", va="center")
        figure.text(0.02, 0.9, " · ".join(rest), fontsize=7, color="0.35", va="center")
    return figure


def draw_row(axes, row: Row, column: Column, colour, marker: str) -> float | None:
    """One line; its height at the right end, None where the row has no number of this column."""
    found = [(look, look.cells[column.key]) for look in row.on_the_way if column.key in look.cells]
    if not found:
        return None
    places, heights = [100 * look.reached for look, _ in found], [cell.mean for _, cell in found]
    halves = [cell.half_width or 0.0 for _, cell in found]
    axes.errorbar(places, heights, yerr=halves, color=colour, linewidth=1.4, elinewidth=0.9, capsize=2, zorder=3)
    for (look, _), x, y in zip(found, places, heights, strict=True):
        axes.plot(x, y, marker, markersize=5, markerfacecolor="white" if look.collapsed else colour, markeredgecolor=colour, zorder=4)
    return heights[-1]
