"""A paper's figure beside ours: the published points to the left, a panel for each scale that has records to the right.

    render(draw(figure, published(name), [at_cpu]), "svg")

All panels share the axis of x and none that of y: they measure different things. Lines join points where x is a number, else there are
points alone. Ours have 95 % intervals, seeds as faint dots and untrained encoders as dashed lines. Where a claim is that two measures
agree, ours are set against each other instead. The same records give the same bytes.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from reports.claims.at_scale import AtScale
from reports.claims.figure import Arm, Figure
from reports.claims.reference import Published, as_place
from reports.claims.rules import Agrees
from reports.plots.cost import DOTS_PER_INCH, MARKERS, STYLE
from reports.plots.label_placement import spread

PANEL = 3.5
"""Inches, of a panel with few places on its axis; with many it is a quarter of an inch for each."""
HEIGHT = 3.9
FEW = 8
"""Places with a name that stand side by side without slanting."""
ASIDE = 6
"""Points (1/72 inch) that the seeds stand beside their interval, which would hide them."""
APART = 0.14
"""Between series at one place that has a name, in places."""


@dataclass(frozen=True)
class Axis:
    """The axis that all panels share."""

    names: tuple[str, ...] = ()
    """In the place of numbers 0, 1, ...: where x is a name, or a logarithm is asked for of 0."""
    logarithmic: bool = False
    joined: bool = True
    """Whether the points of a series are joined."""

    def place(self, x: float | str) -> float:
        return float(x) if not self.names else float(self.names.index(shown(x)))


def shown(x: float | str) -> str:
    """0.1 -> '0.1', 1.0 -> '1': the same for ours and theirs."""
    place = as_place(str(x))
    return f"{place:g}" if isinstance(place, float) else place


def axis_of(figure: Figure, arms: Iterable[Arm], published: Sequence[Published]) -> Axis:
    """Ours in the order of the arms, then what only the paper has."""
    xs = [*(as_place(str(arm.x)) for arm in arms), *(point.x for point in published)]
    numbers = [x for x in xs if isinstance(x, float)]
    if len(numbers) < len(xs):
        return Axis(tuple(dict.fromkeys(map(shown, xs))), joined=False)
    if figure.logarithmic and min(numbers) <= 0:
        return Axis(tuple(dict.fromkeys(map(shown, sorted(numbers)))))
    return Axis(logarithmic=figure.logarithmic)


def draw(figure: Figure, published: Sequence[Published], scales: Sequence[AtScale]) -> Picture:
    """published: the figure's points; those in its own unit are drawn, or else those of the first."""
    import seaborn  # here, since it takes a second to import and the other reports do not need it

    units = [point.unit for point in published]
    unit = figure.unit if figure.unit in units else next(iter(units), "")
    theirs = [point for point in published if point.unit == unit]
    scales = [shown for shown in scales if any(shown.judged(arm) for arm in shown.arms)]
    # Of scales that nobody has run nothing is named; where there are none at all, all arms are.
    arms = [arm for name, arm in figure.arms.items() if not scales or any(name in shown.arms for shown in scales)]
    axis = axis_of(figure, arms, theirs)
    series = tuple(dict.fromkeys([*(arm.series for arm in arms), *(point.series for point in theirs)]))
    rule = agreement_of(figure)
    colours = dict(zip(series, seaborn.color_palette("tab10", max(10, len(series))), strict=False))
    panels = bool(theirs) + len(scales)
    width = max(PANEL, 1 + 0.25 * len(axis.names)) if not rule else PANEL
    with style.context(["default", seaborn.axes_style("ticks"), STYLE]):
        picture = Picture(figsize=(width * max(panels, 1) + 0.4, HEIGHT), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(picture)
        all_axes = picture.subplots(1, max(panels, 1), squeeze=False)[0]
        if not panels:
            all_axes[0].set_axis_off()
            all_axes[0].text(0.5, 0.5, "no record, and no published point", ha="center", va="center", color="0.4")
        if theirs:
            draw_published(all_axes[0], axis, theirs, colours)
            prepare(all_axes[0], figure, axis, "published", wrapped(unit, 44))
        for axes, at in zip(all_axes[bool(theirs) :], scales, strict=bool(panels)):
            title = f"{at.scale}: {at.word}"
            if rule:
                draw_agreement(axes, at, rule, colours)
                axes.set_xlabel(in_full(rule.first))
                axes.set_ylabel(in_full(rule.second), fontsize=8)
                axes.set_title(title, fontsize=9, fontweight="bold")
                continue
            draw_ours(axes, axis, at, colours)
            prepare(axes, figure, axis, title, wrapped(", ".join(map(in_full, figure.judged_by)), 44))
            draw_floors(axes, axis, at)
        if len(series) > 1:
            handles = [
                Line2D([], [], linestyle="none", marker=MARKERS[number % len(MARKERS)], color=colours[name], label=name or "ours")
                for number, name in enumerate(series)
            ]
            picture.legend(handles=handles, loc="outside lower center", ncols=min(4, len(series)), frameon=False, fontsize=8)
        picture.suptitle(wrapped(figure.claim, 46 * max(panels, 1)), fontsize=9)
    return picture


def in_full(measure: str) -> str:
    """What an axis says of a measure."""
    return {"linear": "linear, top-1 on test (%)", "knn": "kNN, top-1 on test (%)"}.get(measure, measure)


def agreement_of(figure: Figure) -> Agrees | None:
    """The rule whose two measures are set against each other; None where there is none."""
    return next((rule for rule in figure.rules if isinstance(rule, Agrees)), None)


def wrapped(text: str, width: int) -> str:
    """In lines of so many characters."""
    return "\n".join(textwrap.wrap(text, width))


def prepare(axes: Axes, figure: Figure, axis: Axis, title: str, label: str) -> None:
    """Titles, ticks and the common axis."""
    axes.set_title(title, fontsize=9, fontweight="bold")
    axes.set_xlabel(figure.axis)
    axes.set_ylabel(label, fontsize=8)
    axes.grid(axis="y", color="0.92", linewidth=0.7, zorder=0)
    if axis.names:
        few = len(axis.names) <= FEW and max(map(len, axis.names)) * len(axis.names) <= 48
        slant = {} if few else {"rotation": 45, "ha": "right", "rotation_mode": "anchor", "fontsize": 7}
        axes.set_xticks(range(len(axis.names)), list(axis.names), **slant)
        axes.set_xlim(-0.6, len(axis.names) - 0.4)
    elif axis.logarithmic:
        axes.set_xscale("log")
    if not axis.names:
        places = sorted({as_place(str(arm.x)) for arm in figure.arms.values()})
        if len(places) <= FEW and axis.logarithmic:
            axes.set_xticks(places, [shown(x) for x in places])
            axes.minorticks_off()


def draw_published(axes: Axes, axis: Axis, points: Sequence[Published], colours: dict) -> None:
    """A line for each series where x is a number."""
    for number, (name, colour) in enumerate(colours.items()):
        found = sorted((axis.place(point.x), point.y) for point in points if point.series == name)
        if found:
            line = "-" if axis.joined else "none"
            x, y = zip(*found, strict=True)
            axes.plot(x, y, marker=MARKERS[number % len(MARKERS)], linestyle=line, color=colour, markersize=6, linewidth=1.2, zorder=3)


def draw_ours(axes: Axes, axis: Axis, at: AtScale, colours: dict) -> None:
    """Means with intervals, and every seed."""
    names = [name for name in colours if any(arm.series == name for arm in at.arms.values())]
    for number, (name, colour) in enumerate(colours.items()):
        found = []
        for arm_name, arm in at.arms.items():
            cell = at.judged(arm_name) if arm.series == name else None
            if cell:
                aside = (names.index(name) - (len(names) - 1) / 2) * APART if axis.names and not axis.joined else 0.0
                found.append((axis.place(as_place(str(arm.x))) + aside, cell))
        found.sort(key=lambda point: point[0])
        for x, cell in found:
            beside = offset_copy(axes.transData, fig=axes.figure, x=ASIDE, units="points")
            seeds = {"color": colour, "alpha": 0.45, "markersize": 3.5, "markeredgewidth": 0, "zorder": 2, "transform": beside}
            axes.plot([x] * len(cell.values), list(cell.values.values()), "o", **seeds)
        if found:
            x, cells = zip(*found, strict=True)
            axes.errorbar(
                x, [cell.mean for cell in cells], yerr=[[cell.half_width or 0 for cell in cells]] * 2, fmt=MARKERS[number % len(MARKERS)],
                linestyle="-" if axis.joined else "none", color=colour, markersize=6, linewidth=1.2, elinewidth=1.1, capsize=2.5, zorder=3,
            )  # fmt: skip


def draw_floors(axes: Axes, axis: Axis, at: AtScale) -> None:
    """Untrained encoders as dashed lines, named at the right: level, or, where arms are judged by measures of their own, from the place of
    one measure to the next."""
    dashed = {"linestyle": (0, (5, 3)), "linewidth": 1, "color": "0.45", "zorder": 1}
    places = {measure: axis.place(as_place(str(at.arms[arm].x))) for arm, measure in at.figure.own.items() if arm in at.arms}
    for name, arm in at.floors.items() if places else ():
        line = sorted((x, cell.mean) for measure, x in places.items() if (cell := at.cell(name, measure)))
        if line:
            axes.plot(*zip(*line, strict=True), **dashed)
            axes.annotate(label(arm), line[-1], (5, 0), textcoords="offset points", fontsize=7, color="0.35", va="center")
    if places:
        return
    found = [(cell.mean, label(arm)) for name, arm in at.floors.items() if (cell := at.cell(name, at.figure.measure))]
    for height, _ in found:
        axes.axhline(height, **dashed)
    axes.autoscale_view(scalex=False)
    low, high = axes.get_ylim()
    places = spread([height for height, _ in found], 0.055 * (high - low), low, high)
    for (height, name), place in zip(found, places, strict=True):
        axes.annotate(
            name, xy=(1, height), xytext=(1.03, place), xycoords=axes.get_yaxis_transform(), textcoords=axes.get_yaxis_transform(),
            fontsize=7, color="0.35", va="center", annotation_clip=False,
        )  # fmt: skip


def label(floor: Arm) -> str:
    """'random', 'random, vit_nano'"""
    return f"{floor.method}, {floor.encoder}" if floor.encoder else floor.method


def draw_agreement(axes: Axes, at: AtScale, rule: Agrees, colours: dict) -> None:
    """Each arm of the rule by its two measures."""
    axes.grid(color="0.92", linewidth=0.7, zorder=0)
    number_of = {name: number for number, name in enumerate(colours)}
    for name in dict.fromkeys(arm for arm, _ in rule.needs(at.figure.measure) if arm in at.arms):
        first, second = at.cell(name, rule.first), at.cell(name, rule.second)
        if first and second:
            series = at.arms[name].series
            axes.errorbar(
                first.mean, second.mean, xerr=first.half_width, yerr=second.half_width, fmt=MARKERS[number_of[series] % len(MARKERS)],
                color=colours[series], markersize=5, elinewidth=0.6, alpha=0.8, zorder=3,
            )  # fmt: skip
