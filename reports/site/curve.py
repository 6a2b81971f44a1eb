"""Loss curves as inline SVG: a few hundred bytes each, in the colours of the page, with their ends in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 180
"""Of the drawing, in its own units; the page scales it."""


@dataclass(frozen=True)
class Drawing:
    """What templates/curve.html draws."""

    width: int
    height: int
    lines: tuple[str, ...]
    """Points of a polyline for each curve: '0.0,12.5 6.1,14.0'."""
    chance: float | None
    """Height of the loss of a guess, where it lies within the drawing."""
    low: str
    high: str
    """The losses at the bottom and at the top."""
    words: str


def drawing(curves: Sequence[Sequence[tuple[float, float]]], chance: float | None = None) -> Drawing | None:
    """Of (progress, loss) at the points of each run; None where there are fewer than two points of any. A guess's loss is drawn where it is
    no more than the curves' own range away."""
    curves = [[point for point in curve if math.isfinite(point[1])] for curve in curves]
    curves = [curve for curve in curves if len(curve) > 1]
    if not curves:
        return None
    losses = [loss for curve in curves for _, loss in curve]
    low, high = min(losses), max(losses)
    span = high - low or 1.0
    if chance is not None and low - span <= chance <= high + span:
        low, high = min(low, chance), max(high, chance)
        span = high - low or 1.0
    else:
        chance = None

    def height(loss: float) -> float:
        return HEIGHT * (high - loss) / span

    lines = tuple(" ".join(f"{WIDTH * progress:.1f},{height(loss):.1f}" for progress, loss in curve) for curve in curves)
    ends = "; ".join(f"from {curve[0][1]:.4g} to {curve[-1][1]:.4g}" for curve in curves[:5])
    more = f"; and {len(curves) - 5} more runs" if len(curves) > 5 else ""
    said = f"Loss over the budget: {ends}{more}; lowest {min(losses):.4g}, highest {max(losses):.4g}"
    guess = "" if chance is None else f"; a guess has {chance:.4g}"
    return Drawing(WIDTH, HEIGHT, lines, None if chance is None else round(height(chance), 1), f"{low:.4g}", f"{high:.4g}", said + guess)
