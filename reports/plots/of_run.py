"""Pictures of one run: which classes its probe takes for which, and a map of its test features. C classes, N images."""

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.plots.cost import DOTS_PER_INCH, STYLE, render
from reports.tables.provenance import Provenance

MOST_NUMBERS = 20
"""Classes up to which each cell has its number, and each class its name."""


def confusion(counts: np.ndarray, names: tuple[str, ...], kind: str, made_of: Provenance) -> bytes:
    """A heat map of int64 [C, C], as svg or png: rows are the true classes, shares of a row the colours."""
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(names) <= MOST_NUMBERS
    import seaborn

    with style.context(["default", STYLE]):
        side = 3.2 + 0.42 * len(names) if few else 8.0
        figure, axes = _blank(side, side)
        ticks = list(names) if few else False
        options = {"annot": counts, "fmt": "d", "annot_kws": {"size": 7}} if few else {}
        seaborn.heatmap(
            shares, vmin=0, vmax=100, cmap="Blues", square=True, xticklabels=ticks, yticklabels=ticks, ax=axes, cbar=False, **options
        )
        axes.set_xlabel("what the linear probe says")
        axes.set_ylabel("true class")
        right = 100 * counts.trace() / max(counts.sum(), 1)
        axes.set_title(f"{right:.1f} % of {counts.sum():,} test images right")
        return render(figure, kind, made_of)


def scatter(points: np.ndarray, labels: list[str], names: tuple[str, ...], kind: str, made_of: Provenance) -> bytes:
    """A map [N, 2] with a colour a class, as svg or png; its axes have no unit."""
    few = len(names) <= MOST_NUMBERS
    import seaborn

    with style.context(["default", STYLE]):
        figure, axes = _blank(7.2, 5.4)
        palette = seaborn.color_palette("tab20" if few and len(names) > 10 else "tab10" if few else "husl", len(names))
        colours = dict(zip(names, palette, strict=True))
        seaborn.scatterplot(
            x=points[:, 0], y=points[:, 1], hue=labels, hue_order=list(names), palette=colours, s=12, linewidth=0, ax=axes, legend=few
        )
        if few:
            seaborn.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False)
        axes.set_title(f"UMAP of the features of {len(points):,} test images: only who is near whom means something", fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        return render(figure, kind, made_of)


def _blank(width: float, height: float):
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()
