"""The families of methods side by side: a figure per table, a panel per family, everything else equal.

    write(build(store.frame()), "reports/cifar10", {"simclr": "contrastive", "rotation": "pretext"})    families-<table>.svg and .png

A point is a method (mean over seeds, 95 % interval), the best of its family first; a dashed line a floor or a ceiling. All had the
same budget, which the title says. The same records give the same bytes.
"""

from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, accuracy_label, draw_point, draw_references, drawn, right_of_axes, save
from reports.plots.label_placement import left_of_axes, slanting, slanting_length, wide_enough
from reports.tables.drawable import MOST_NAMES
from reports.tables.table import Row, Table

ORDER = ("pretext", "contrastive", "joint embedding", "clustering")
"""As history had them; any other family comes after."""
SIZE = (8.6, 4.4)
"""Inches; it is wider where that many methods do not stand side by side."""
SLANT = 45, 8
"""Degrees, and points, of the methods' names."""
LABEL = 0.0115
"""Height of a slanting label's character, as a share of the figure's."""


def write(tables: list[Table], folder: str | Path, families: dict[str, str]) -> list[Path]:
    """Draw every table that has methods of two families or more, and few enough rows, into `folder`. families: each method's."""
    paths = []
    for table, slug in drawn(tables, MOST_NAMES):
        panels = grouped(table, families)
        if len(panels) > 1:
            figure = draw(table, panels)
            paths += save(figure, folder, f"families-{slug}", table.made_of)
    return paths


def grouped(table: Table, families: dict[str, str]) -> dict[str, list[Row]]:
    """The methods of each family that have a number in the ranked column, the best first."""
    panels: dict[str, list[Row]] = {}
    for row in table.rows:
        family = families.get(row.method, "")
        if row.kind == "method" and family and table.ranked_by in row.cells:
            panels.setdefault(family, []).append(row)
    known = [family for family in ORDER if family in panels]
    return {
        family: sorted(panels[family], key=lambda row: (-row.cells[table.ranked_by].mean, row.label))
        for family in (*known, *sorted(panels.keys() - set(known)))
    }


def draw(table: Table, panels: dict[str, list[Row]]) -> Figure:
    """One panel a family, as wide as it has methods, on one axis of accuracy."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    references = [row for row in table.rows if row.kind != "method" and table.ranked_by in row.cells]
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        widths = [len(rows) + 0.6 for rows in panels.values()]
        figure = Figure(figsize=(wide_enough(SIZE[0], sum(widths), *SLANT), SIZE[1]), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        right = min(0.8, right_of_axes(figure, references, table.ranked_by))
        bottom = 0.05 + min(0.5, max(0.17, LABEL * slanting_length([row.label for rows in panels.values() for row in rows])))
        grid = figure.add_gridspec(1, len(panels), width_ratios=widths)
        figure.subplots_adjust(left=0.07, right=right, bottom=bottom, top=0.82, wspace=0.06)
        colours, first = seaborn.color_palette("tab10", 10), None
        for number, (family, rows) in enumerate(panels.items()):
            axes = figure.add_subplot(grid[number], sharey=first)
            for place, row in enumerate(rows):
                draw_point(axes, row, place, table.ranked_by, colours[number % 10], "o")
            axes.set_xlim(-0.8, len(rows) - 0.2)
            axes.set_xticks(
                range(len(rows)),
                [slanting(row.label) for row in rows],
                rotation=SLANT[0],
                ha="right",
                rotation_mode="anchor",
                fontsize=SLANT[1],
            )
            axes.set_title(family, fontsize=9, color=colours[number % 10], fontweight="bold")
            axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
            if first is not None:
                axes.tick_params(labelleft=False)
            first = first or axes
        figure.subplots_adjust(left=left_of_axes(0.07, right, figure.axes))
        for number, axes in enumerate(figure.axes):
            draw_references(axes, references, table.ranked_by, names=number == len(figure.axes) - 1)
        first.set_ylabel(accuracy_label(table))
        name, *rest = table.title.split(" · ")
        figure.text(0.07, 0.955, f"{name}: the families at an equal budget", fontsize=11, fontweight="bold", ha="left", va="center")
        figure.text(0.07, 0.915, " · ".join(rest), fontsize=7, color="0.35", ha="left", va="center")
    return figure
