"""Whether the newer method is the better one: a figure per table, accuracy over the year of the paper, everything else equal.

    write(build(store.frame()), "reports/cifar10", {"simclr": 2020}, {"simclr": "contrastive"})    years-<table>.svg and .png

A point is a method (mean over seeds, 95 % interval) in its family's colour; a dashed line a floor or a ceiling. Methods of one year stand
side by side, the best first. In the title is Spearman's rank correlation of year and accuracy with its interval by a bootstrap over
methods, where there are enough of them. The same records give the same bytes.
"""

from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, accuracy_label, draw_point, draw_references, drawn, right_of_axes, save
from reports.plots.families import ORDER
from reports.plots.label_placement import left_of_axes, slanting, slanting_length, wide_enough
from reports.tables.drawable import MOST_NAMES
from reports.tables.rank_correlation import agreement
from reports.tables.table import Row, Table

FEWEST_YEARS = 3
"""Of which there must be methods; else there is nothing to see over years."""
SIZE = (8.6, 5.2)
"""Inches; it is wider where that many methods do not stand side by side."""
GAP = 0.8
"""Between two years, in distances of methods."""
TOP = 0.84
"""Of the axes, as a share of the figure's height."""
SLANT = 60, 7
"""Degrees, and points, of the methods' names."""
LABEL = 0.0105
"""Height of a slanting label's character, as a share of the figure's."""


def write(tables: list[Table], folder: str | Path, years: dict[str, int], families: dict[str, str]) -> list[Path]:
    """Draw every table that has methods of enough years, and few enough rows, into `folder`; returns the files.

    years, families: each method's; one without a year is not drawn."""
    paths = []
    for table, slug in drawn(tables, MOST_NAMES):
        by_year = grouped(table, years)
        if len(by_year) >= FEWEST_YEARS:
            figure = draw(table, by_year, families)
            paths += save(figure, folder, f"years-{slug}", table.made_of)
    return paths


def grouped(table: Table, years: dict[str, int]) -> dict[int, list[Row]]:
    """Year -> its methods that have a number in the ranked column, the best first; the earliest year first."""
    found: dict[int, list[Row]] = {}
    for row in table.rows:
        if row.kind == "method" and row.method in years and table.ranked_by in row.cells:
            found.setdefault(years[row.method], []).append(row)
    return {year: sorted(found[year], key=lambda row: (-row.cells[table.ranked_by].mean, row.label)) for year in sorted(found)}


def trend(table: Table, by_year: dict[int, list[Row]]) -> str:
    """'Spearman's rank correlation of year and accuracy over 27 methods: 0.10 [-0.30, 0.46]'; '' of too few methods."""
    points = [(year, row.cells[table.ranked_by].mean) for year, rows in by_year.items() for row in rows]
    told = agreement(*np.array(points).reshape(-1, 2).T, "spearman")
    return f"Spearman's rank correlation of year and accuracy over {len(points)} methods: {told}" if told else ""


def draw(table: Table, by_year: dict[int, list[Row]], families: dict[str, str]) -> Figure:
    """The methods from left to right by year, with their names below."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    references = [row for row in table.rows if row.kind != "method" and table.ranked_by in row.cells]
    there = {families.get(row.method, "") for rows in by_year.values() for row in rows}
    known = [*(family for family in ORDER if family in there), *sorted(there - set(ORDER))]
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        across = sum(map(len, by_year.values())) + GAP * (len(by_year) - 1)
        figure = Figure(figsize=(wide_enough(SIZE[0], across, *SLANT), SIZE[1]), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        right = min(0.84, right_of_axes(figure, references, table.ranked_by))
        bottom = 0.05 + min(0.4, LABEL * slanting_length([row.label for rows in by_year.values() for row in rows]))
        axes = figure.add_axes((0.07, bottom, right - 0.07, TOP - bottom))
        colours = dict(zip(known, seaborn.color_palette("tab10", 10) * len(known), strict=False))
        places, names, end = [], [], 0.0
        for year, rows in by_year.items():
            start = end
            for row in rows:
                draw_point(axes, row, end, table.ranked_by, colours[families.get(row.method, "")], "o")
                places, names, end = [*places, end], [*names, row], end + 1
            place = axes.get_xaxis_transform()  # x in methods, y in heights of the axes
            axes.text((start + end - 1) / 2, 1.02, str(year), transform=place, ha="center", fontsize=7, color="0.35")
            axes.axvspan(start - 0.5, end - 0.5, color="0.96", zorder=0, linewidth=0)
            end += GAP
        axes.set_xlim(-0.9, end - GAP - 0.1)
        axes.set_xticks(
            places, [slanting(row.label) for row in names], rotation=SLANT[0], ha="right", rotation_mode="anchor", fontsize=SLANT[1]
        )
        left = left_of_axes(0.07, right, [axes])
        axes.set_position((left, bottom, right - left, TOP - bottom))
        for tick, row in zip(axes.get_xticklabels(), names, strict=True):
            tick.set_color([0.8 * channel for channel in colours[families.get(row.method, "")]])
        axes.set_ylabel(accuracy_label(table))
        axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
        draw_references(axes, references, table.ranked_by)
        name, *rest = table.title.split(" · ")
        figure.text(0.07, 0.96, f"{name}: the year of the paper, at an equal budget", fontsize=11, fontweight="bold", va="center")
        figure.text(0.07, 0.925, " · ".join(rest), fontsize=7, color="0.35", va="center")
        figure.text(0.07, 0.9, trend(table, by_year), fontsize=7, color="0.35", va="center")
        for number, family in enumerate(known):
            figure.text(0.99, 0.965 - 0.028 * number, family, fontsize=8, color=colours[family], fontweight="bold", ha="right", va="center")
    return figure
