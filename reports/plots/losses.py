"""How losses fell: a figure per table, a panel for each method, a line for each seed over the share of its budget that was spent.

    write(build(store.frame()), "reports/adhoc", {"1f0e…": ((0.01, 5.2), …)})      losses-<table>.svg and .png, .csv and .json

A loss is the method's own, so no two panels have one axis: what is read is whether it fell, broke off, or still falls at the end. A line
that ends before its panel does is of a run that diverged. The same records give the same bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.pages import programs
from reports.plots.cost import DOTS_PER_INCH, STYLE, save
from reports.tables.drawable import MOST_POINTS
from reports.tables.file_names import slugs
from reports.tables.table import Row, Table

Curve = Sequence[tuple[float, float]]
"""(share of the budget, mean loss since the point before), as a record has it."""

ACROSS = 6
PANEL = (1.75, 1.3)
"""Inches."""


def write(tables: list[Table], folder: str | Path, curves: Mapping[str, Curve]) -> list[Path]:
    """Draw every table that has rows with curves, and few enough of them, into `folder`; returns the files. curves: of runs, by id."""
    paths = []
    for table, name in zip(tables, slugs(tables), strict=True):
        rows = sorted((row for row in table.rows if any(run in curves for _, run in row.runs)), key=lambda row: row.label)
        if 0 < len(rows) <= MOST_POINTS:
            paths += save(draw(table, rows, curves), folder, f"losses-{name}", table.made_of)
            runs = [(row.label, seed, run) for row in rows for seed, run in sorted(row.runs)]
            body = [(*each, share, loss) for each in runs for share, loss in curves.get(each[-1], ())]
            paths += programs.write_numbers(folder, f"losses-{name}", ["setting", "seed", "run", "share", "loss"], body)
    return paths


def draw(table: Table, rows: list[Row], curves: Mapping[str, Curve]) -> Figure:
    """The panels in the alphabetical order of their rows."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    across = min(ACROSS, len(rows))
    down = -(-len(rows) // across)
    height = PANEL[1] * down + 1.1
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        figure = Figure(figsize=(PANEL[0] * max(across, 3) + 0.4, height), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        edges = {"left": 0.06, "right": 0.985, "bottom": 0.45 / height, "top": 1 - 0.8 / height}
        grid = figure.add_gridspec(down, max(across, 3), wspace=0.38, hspace=0.55, **edges)
        colours = seaborn.color_palette("tab10", 10)
        for number, row in enumerate(rows):
            axes = figure.add_subplot(grid[number // across, number % across])
            for place, (_, run) in enumerate(sorted(row.runs)):
                if curve := curves.get(run):
                    axes.plot([100 * share for share, _ in curve], [loss for _, loss in curve], color=colours[place % 10], linewidth=0.8)
            axes.set_title(row.label if len(row.label) < 34 else row.label[:32] + "…", fontsize=6, pad=2)
            axes.set_xlim(0, 100)
            axes.set_xticks([0, 50, 100])
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.tick_params(labelsize=5, length=2, pad=1)
        name, *rest = table.title.split(" · ")
        figure.text(0.02, 1 - 0.22 / height, f"{name}: losses", fontsize=11, fontweight="bold", va="center")
        # No mean is drawn, whose interval the table's title speaks of.
        facts = [part.split(", mean")[0] for part in rest]
        said = " · ".join([*facts, "the share of the budget (%) across, each method's own loss up, a line a seed"])
        figure.text(0.02, 1 - 0.45 / height, said, fontsize=7, color="0.35", va="center")
    return figure
