"""Accuracy along the budget, each point a training of its own: one figure or two for each course of tables that differ in it alone.

    write(courses(build(store.frame())), "reports/cifar10_budgets")      budgets-<course>.svg and .png, budgets-each-<course>.svg and .png

In the first those that lead at the largest budget have colours, names and 95 % intervals, the others are grey. Where there are others the
second has a panel for every method, with its intervals and the others in grey. Ceilings are dashed curves, floors dashed lines. The same
records give the same bytes.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, accuracy_label, named, save
from reports.plots.label_placement import write_beside
from reports.tables.budgets import TERA, UNIT, Course, Curve, tera
from reports.tables.file_names import numbered, slug

LEADING = 7
"""Curves with a colour of their own."""
MOST_CURVES = 90
"""Of a search there are hundreds of settings, and no picture shows them."""
SIZE = (8.6, 5.2)
"""Inches."""
LEFT, RIGHT, BOTTOM, TOP = 0.08, 0.8, 0.11, 0.86
"""Of the axes, as shares of the figure."""
APART = 0.006
"""Of a curve's points beside the next one's, in lengths of the axis: their intervals would cover each other."""
MOST_COLUMNS = 6
PANEL = (1.7, 1.5)
"""Inches."""
GREY = {"color": "0.85", "linewidth": 0.7, "zorder": 1}
DASHES = (0, (5, 3))


def write(found: Sequence[Course], folder: str | Path) -> list[Path]:
    """Draw each course that has few enough curves into `folder`; returns the files."""
    paths = []
    for course, name in zip(found, numbered([slug(course.key, UNIT) for course in found]), strict=True):
        if len(course.curves) > MOST_CURVES:
            continue
        figures = {"budgets": draw(course)} | ({"budgets-each": draw_each(course)} if len(methods(course)) > LEADING else {})
        for stem, figure in figures.items():
            paths += save(figure, folder, f"{stem}-{name}", course.made_of)
    return paths


def methods(course: Course) -> list[Curve]:
    """The best at the largest budget first."""
    return [curve for curve in course.curves if curve.kind == "method"]


def draw(course: Course) -> Figure:
    """One panel, with the names of those that lead in the right margin."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((LEFT, BOTTOM, RIGHT - LEFT, TOP - BOTTOM))
        leading, others = methods(course)[:LEADING], methods(course)[LEADING:]
        colours = dict(zip((curve.label for curve in leading), seaborn.color_palette("tab10", 10), strict=False))
        for curve in others:
            axes.plot(*line_of(curve), **GREY)
        names = [(row.cells[course.column.key].mean, named(row, course.column.key), "0.4") for row in course.floors]
        span = math.log(course.budgets[-1] / course.budgets[0])
        for number, curve in enumerate([*leading, *course.curves[len(methods(course)) :]]):
            aside = math.exp(APART * span * (number - (LEADING - 1) / 2)) if curve.kind == "method" else 1.0
            colour = colours.get(curve.label, "0.15")
            draw_curve(axes, curve, colour, aside)
            names.append((curve.cell(curve.budgets[-1]).mean, curve.label, colour))
        draw_floors(axes, course)
        prepare(axes, course)
        axes.set_xlabel("TFLOP, each point a training of its own")
        axes.set_ylabel(accuracy_label(last_table(course)))
        write_beside(axes, names)
        name, *rest = course.title.split(" · ")
        figure.text(LEFT, 0.955, f"{name}: accuracy along the budget", fontsize=11, fontweight="bold", va="center")
        figure.text(LEFT, 0.915, " · ".join(rest), fontsize=7, color="0.35", va="center")
        if others:
            said = f"in grey the other {len(others)} methods"
            figure.text(RIGHT, 0.885, said, fontsize=7, color="0.35", va="center", ha="right")
    return figure


def draw_each(course: Course) -> Figure:
    """A panel a method and ceiling, all on one pair of axes."""
    import seaborn  # as above

    columns, rows = MOST_COLUMNS, math.ceil(len(course.curves) / MOST_COLUMNS)
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        size = (PANEL[0] * columns + 0.7, PANEL[1] * rows + 0.9)
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for axes, curve in zip(panels, course.curves, strict=False):
            for other in course.curves:
                axes.plot(*line_of(other), **GREY)
            draw_curve(axes, curve, "tab:blue" if curve.kind == "method" else "0.15")
            draw_floors(axes, course)
            prepare(axes, course)
            axes.set_title(curve.label, fontsize=8)
            axes.tick_params(labelsize=7)
        for axes in panels[len(course.curves) :]:
            axes.set_axis_off()
        name, *rest = course.title.split(" · ")
        figure.suptitle(f"{name}: accuracy along the budget\n{' · '.join(rest)}", fontsize=8)
        figure.supxlabel("TFLOP, each point a training of its own", fontsize=8)
        figure.supylabel(accuracy_label(last_table(course)), fontsize=8)
    return figure


def line_of(curve: Curve) -> tuple[list[float], list[float]]:
    """TFLOP and percent of each budget."""
    return [flops / TERA for flops in curve.budgets], [curve.cell(flops).mean for flops in curve.budgets]


def draw_curve(axes: Axes, curve: Curve, colour, aside: float = 1.0) -> None:
    """Means with intervals, a hollow point where it collapsed. aside: by what places are multiplied."""
    places, heights = line_of(curve)
    places = [place * aside for place in places]
    halves = [curve.cell(flops).half_width or 0.0 for flops in curve.budgets]
    dashed = DASHES if curve.kind == "ceiling" else "-"
    axes.errorbar(places, heights, yerr=halves, color=colour, linestyle=dashed, linewidth=1.5, elinewidth=1, capsize=2, zorder=3)
    collapsed = [any("collapsed" in note for note in curve.rows[flops].notes) for flops in curve.budgets]
    faces = ["white" if hollow else colour for hollow in collapsed]
    axes.scatter(places, heights, s=22, c=faces, edgecolors=[colour] * len(faces), linewidths=1, zorder=4)


def draw_floors(axes: Axes, course: Course) -> None:
    """At any budget."""
    for row in course.floors:
        axes.axhline(row.cells[course.column.key].mean, linestyle=DASHES, linewidth=0.9, color="0.55", zorder=1)


def prepare(axes: Axes, course: Course) -> None:
    """Budgets on a logarithmic axis, each where it was measured."""
    axes.set_xscale("log")
    axes.set_xticks([flops / TERA for flops in course.budgets], [tera(flops) for flops in course.budgets])
    axes.minorticks_off()
    axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)


def last_table(course: Course):
    """Of the largest budget."""
    return course.tables[course.budgets[-1]]
