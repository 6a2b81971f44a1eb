"""The best that so many trials are expected to find: a panel a method, all on one axis of accuracy.

    write(sections, "reports/cifar10_budgets@tune")      expected-best-<section>.svg and .png

The thick line is of all trials of the first round, the thin ones of each study alone: how far these lie apart is what a search of that
length leaves to chance. The second round is in no line, as the first decided where it looked. The dashed line is the method as it is, the
point what was chosen of all trials. The same records give the same bytes.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, save
from reports.tables.provenance import Provenance
from reports.tables.tuning import Searched, Section, expected_best

MOST_COLUMNS = 6
PANEL = (1.7, 1.5)
"""Inches."""
EDGES = (0.7, 0.9)
"""Inches beside and above the panels, for titles."""


def write(sections: Sequence[Section], folder: str | Path, made_of: Provenance | None = None) -> list[Path]:
    """Draw each section that has a sound trial into `folder`; returns the files. made_of: the trials of all of them."""
    paths = []
    for section in sections:
        shown = [one for one in section.searched if one.best_of_studies]
        if shown:
            stem = "expected-best-" + re.sub(r"[^\w.-]+", "_", section.title.replace(",", ""))
            figure = draw(section.title, shown)
            paths += save(figure, folder, stem, made_of)
    return paths


def draw(title: str, searched: Sequence[Searched]) -> Figure:
    """One panel a method, the best chosen first."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    ordered = sorted(searched, key=lambda one: (-(one.tuned or 0.0), one.method))
    columns = min(MOST_COLUMNS, len(ordered))
    rows = math.ceil(len(ordered) / columns)
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        size = (max(4.8, PANEL[0] * columns + EDGES[0]), PANEL[1] * rows + EDGES[1])
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for axes, one in zip(panels, ordered, strict=False):
            draw_panel(axes, one)
        for axes in list(panels.base.flat)[len(ordered) :]:
            axes.set_axis_off()
        figure.suptitle(f"{title}: best of n trials", fontsize=9, fontweight="bold")
        figure.supxlabel("trials; dashed: as it is, point: as chosen", fontsize=8)
        figure.supylabel("linear probe on val (%)", fontsize=8)
    return figure


def draw_panel(axes, one: Searched) -> None:
    """The curves of a method."""
    together = [score for study in one.studies for score in study]
    for study in one.studies:
        curve = expected_best(study)
        axes.plot(range(1, len(curve) + 1), curve, color="0.6", linewidth=0.8, zorder=2)
    curve = expected_best(together)
    axes.plot(range(1, len(curve) + 1), curve, color="tab:blue", linewidth=1.8, zorder=3)
    if one.default is not None:
        axes.axhline(one.default, linestyle=(0, (5, 3)), linewidth=1, color="0.35", zorder=1)
    if one.tuned is not None:
        axes.plot([one.trials], [one.tuned], "o", color="tab:blue", markersize=4, markeredgecolor="white", markeredgewidth=0.5, zorder=4)
    axes.set_title(one.method, fontsize=8)
    axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
    axes.tick_params(labelsize=7)
