"""What accuracy cost: a figure per table with measured FLOPs, and one with seconds, on the horizontal axis.

    write(build(store.frame()), "reports/demo")    accuracy-flops-<table>.svg and .png, accuracy-seconds-<table>.svg and .png

A point is a method (mean over seeds, 95 % interval), a dashed line a floor or a ceiling, a hollow point one that
collapsed. Every point is drawn where it is; only labels move. The same records give the same bytes.
"""

import io
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.machine import files
from reports.plots.label_placement import place_labels, spread
from reports.tables.costs import OTHER
from reports.tables.drawable import MOST_POINTS, undrawn
from reports.tables.file_names import slugs
from reports.tables.provenance import Provenance
from reports.tables.table import Row, Table

STYLE = {
    "svg.hashsalt": "sslbench",  # else every SVG has ids of its own
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure does not depend on the machine's fonts
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
SIZE = (7.2, 4.6)
"""Inches."""
DOTS_PER_INCH = 160
REFERENCE_SIZE = 8
"""Of the names of floors and ceilings, points."""
MARKERS = "osD^vPX<>p"
WIDE = 8
"""Ratio of the largest to the smallest cost from which on the axis is logarithmic."""
IDS = "Made from the records of these runs by sslbench: {}"
"""In a picture's metadata."""
NARROWEST = 0.01
"""Least range of the cost axis, as a share of the cost. A budget in FLOPs leaves costs a few percent apart, by whole steps: a wider axis
would draw all methods in one column, where they hide each other's intervals."""


def write(tables: list[Table], folder: str | Path) -> list[Path]:
    """Draw every table that has a ranked column and few enough rows, into `folder`; returns the files."""
    paths = []
    for table, name in drawn(tables):
        for cost, title in (("tflop", "TFLOP per run, measured"), ("seconds", "training seconds per run")):
            figure = draw(table, cost, title)
            stem = f"accuracy-{'flops' if cost == 'tflop' else cost}-{name}"
            paths += save(figure, folder, stem, table.made_of)
    return paths


def drawn(tables: list[Table], most: int = MOST_POINTS) -> list[tuple[Table, str]]:
    """The tables that a figure of so many rows can show, each with its file name. Of the others their lines say why there is none."""
    ranked = [table for table in tables if table.ranked_by]
    return [(table, name) for table, name in zip(ranked, slugs(ranked), strict=True) if not undrawn(table.rows, table.ranked_by, most)]


def save(figure: Figure, folder: str | Path, stem: str, made_of: Provenance | None) -> list[Path]:
    """As SVG and PNG into `folder`; returns the files."""
    return [files.replace(Path(folder) / f"{stem}.{kind}", render(figure, kind, made_of)) for kind in ("svg", "png")]


def render(figure: Figure, kind: str, made_of: Provenance | None = None) -> bytes:
    """The file's bytes; its metadata say what it was made of, where that is given, and neither the date nor the version that matplotlib
    would sign it with."""
    file = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    if made_of:
        metadata |= {"Source": made_of.text(), "Description": IDS.format(" ".join(made_of.runs))}
    with style.context(["default", STYLE]):
        figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def draw(table: Table, cost: str, cost_title: str) -> Figure:
    """Accuracy in the table's ranked column against the column `cost`."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    methods = sorted((row for row in table.rows if row.kind == "method" and table.ranked_by in row.cells), key=lambda row: row.label)
    references = [row for row in table.rows if row.kind != "method" and table.ranked_by in row.cells]
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)  # labels are placed in pixels, which needs a canvas before the file is written
        axes = figure.add_axes((0.09, 0.12, right_of_axes(figure, references, table.ranked_by) - 0.09, 0.76))
        colours = seaborn.color_palette("tab10", 10)
        _limits(axes, [row.cells[cost].mean for row in methods])
        for i, row in enumerate(methods):
            draw_point(axes, row, row.cells[cost].mean, table.ranked_by, colours[i % 10], MARKERS[(i + i // 10) % len(MARKERS)])
        draw_references(axes, references, table.ranked_by)
        costs = [row.cells[cost] for row in methods]
        axes.set_xlabel(f"{cost_title} ({OTHER} on another processor)" if any(cell.mark for cell in costs) else cost_title)
        axes.set_ylabel(accuracy_label(table))
        axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
        first, *rest = table.title.split(" · ")
        figure.text(0.09, 0.955, first, fontsize=11, fontweight="bold", ha="left", va="center")
        figure.text(0.09, 0.915, " · ".join(rest), fontsize=7, color="0.35", ha="left", va="center")
        heights, names = [row.cells[table.ranked_by].mean for row in methods], [row.label + row.cells[cost].mark for row in methods]
        shades = [colours[i % 10] for i in range(len(methods))]
        place_labels(axes, list(zip([cell.mean for cell in costs], heights, names, shades, strict=True)))
    return figure


def accuracy_label(table: Table) -> str:
    """Of an axis: 'linear, top-1 on test (%)', the column that ranks."""
    header = next(column.header for column in table.columns if column.key == table.ranked_by)
    return f"{header}, top-1{'' if '(val)' in header else ' on test'} (%)"


def draw_point(axes, row: Row, place: float, ranked_by: str, colour, marker: str):
    """One method with its interval."""
    cell = row.cells[ranked_by]
    collapsed = any("collapsed" in note for note in row.notes)
    face, edge, width = ("white", colour, 1) if collapsed else (colour, "white", 0.5)
    axes.errorbar(
        place, cell.mean, yerr=cell.half_width, fmt=marker, markersize=7, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=width, color=colour, elinewidth=1.1, capsize=2.5, zorder=3,
    )  # fmt: skip


def _limits(axes, costs: list[float]):
    """Room at the sides for labels; logarithmic where costs differ by much."""
    low, high = min(costs, default=0), max(costs, default=0) or 1
    if low > 0 and high / low > WIDE:
        axes.set_xscale("log")
        axes.set_xlim(low / (high / low) ** 0.15, high * (high / low) ** 0.25)
    else:
        middle, span = (low + high) / 2, max(high - low, NARROWEST * high)
        axes.set_xlim(middle - 0.62 * span, middle + 0.72 * span)


def named(row: Row, ranked_by: str) -> str:
    """A floor or a ceiling in the right margin: 'random 39.1'."""
    return f"{row.label} {row.cells[ranked_by].mean:.1f}"


def right_of_axes(figure: Figure, references: list[Row], ranked_by: str) -> float:
    """Where the axes end, as a share of the figure's width, for its references' names to have room beside them."""
    renderer, width = figure.canvas.get_renderer(), 0.0
    for row in references:
        text = figure.text(0, 0, named(row, ranked_by), fontsize=REFERENCE_SIZE)
        width = max(width, text.get_window_extent(renderer).width / figure.bbox.width)
        text.remove()
    return max(0.4, min(0.84, 0.96 - width))


def draw_references(axes, references: list[Row], ranked_by: str, names: bool = True):
    """Floors and ceilings as dashed lines, named in the right margin where asked for."""
    heights = [row.cells[ranked_by].mean for row in references]
    for row, height in zip(references, heights, strict=True):
        axes.axhline(height, linestyle=(0, (5, 3)), linewidth=1, color="0.45" if row.kind == "floor" else "0.15", zorder=1)
    axes.margins(y=0.08)
    axes.autoscale_view(scalex=False)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), min(high, 101))
    across = axes.get_yaxis_transform()  # x in widths of the axes, y in percent
    places = spread(heights, min(0.05, 1 / max(1, len(heights))) * (high - low), *axes.get_ylim())
    for row, height, place in zip(references, heights, places, strict=True) if names else ():
        axes.annotate(
            named(row, ranked_by), xy=(1, height), xytext=(1.03, place), xycoords=across, textcoords=across, fontsize=REFERENCE_SIZE,
            color="0.25", va="center", arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6}, annotation_clip=False,
        )  # fmt: skip
