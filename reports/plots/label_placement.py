"""Where the labels of a figure go so that none covers another, a point or an error bar."""

import math
import textwrap

import numpy as np

ANGLES = (0, 180, 45, -45, 135, -135, 90, -90, 20, -20, 160, -160)
"""Degrees at which a label may stand from its point, the preferred ones first."""
DISTANCES = (7, 13, 21, 31, 43, 57, 73, 91, 111, 133)
"""Points (1/72 inch) from the middle of the marker to the nearest edge of the label; from the third on with a thin line to it."""
MARKER = 5
"""Half the width of a marker with a little air, points."""

LINE = 0.038
"""Least distance of two names in the right margin, in lengths of the axis."""

WIDEST = 28
"""Characters of a slanting label's line."""

ROOM = 1.3
"""Distance of two slanting labels, at right angles to them, in heights of their letters."""


def slanting(label: str) -> str:
    """A label below an axis: long ones, of settings, in several lines."""
    return textwrap.fill(label, WIDEST, break_long_words=False, break_on_hyphens=False)


def slanting_length(labels: list[str]) -> int:
    """Of the longest slanting label, in characters; a line more counts as two."""
    lines = [slanting(label).splitlines() for label in labels]
    return max(max(map(len, of_one)) + 2 * (len(of_one) - 1) for of_one in lines)


def wide_enough(least: float, names: float, degrees: float, points: float) -> float:
    """Inches of a figure in which so many labels, slanting by these degrees, stand side by side below axes that take seven tenths of it."""
    return max(least, names * ROOM * points / 72 / math.sin(math.radians(degrees)) / 0.7)


def left_of_axes(left: float, right: float, axes: list) -> float:
    """Where axes between `left` and `right`, shares of the figure's width, begin for none of their slanting labels to leave the picture."""
    figure = axes[0].figure
    boxes = [label.get_window_extent(figure.canvas.get_renderer()) for each in axes for label in each.get_xticklabels()]
    lacking = -min([0.0, *(box.x0 for box in boxes)]) / figure.bbox.width
    # Labels near the left end move by less than the axes' left end does, and a little air.
    return left + lacking * (right - left) / (right - left - 0.2) + 0.005 if lacking else left


def place_labels(axes, points: list[tuple[float, float, str, tuple]]):
    """Write the label of every (x, y, label, colour) near its point, at the first free place in ANGLES x DISTANCES, or the
    least crowded one. Points are served from the top down, so that equal records give equal figures."""
    figure = axes.figure
    renderer = figure.canvas.get_renderer()
    scale = figure.dpi / 72
    frame = axes.get_window_extent(renderer).extents  # left, bottom, right, top in pixels
    places = axes.transData.transform([point[:2] for point in points]) if points else []
    taken = [_around(place, MARKER * scale, MARKER * scale) for place in places]
    for bars in (container.lines[2] for container in axes.containers):
        taken += [_bounds(axes.transData.transform(segment), 1.5 * scale) for bar in bars for segment in bar.get_segments()]
    lines = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    taken += (
        [np.array([frame[0], y - scale, frame[2], y + scale]) for y in axes.transData.transform([(0, line) for line in lines])[:, 1]]
        if lines
        else []
    )
    for i in sorted(range(len(points)), key=lambda i: (-points[i][1], points[i][0], points[i][2])):
        x, y, label, colour = points[i]
        text = axes.text(x, y, label, fontsize=8, color=[0.75 * channel for channel in colour[:3]], ha="center", va="center", zorder=4)
        size = text.get_window_extent(renderer)
        half = np.array([size.width, size.height]) / 2
        options = [(distance, _offset(angle, distance * scale, half)) for distance in DISTANCES for angle in ANGLES]
        boxes = np.array([_around(places[i] + offset, *half) for _, offset in options])
        distance, offset = options[int(np.argmin(_crowd(boxes, np.array(taken), frame)))]
        text.set_position(axes.transData.inverted().transform(places[i] + offset))
        taken.append(_around(places[i] + offset, *half))
        if distance >= DISTANCES[2]:
            end = axes.transData.inverted().transform(places[i] + offset - np.clip(offset, -half, half))
            axes.plot([x, end[0]], [y, end[1]], color=colour, linewidth=0.6, zorder=2, scalex=False, scaley=False)


def write_beside(axes, names: list[tuple[float, str, object]]) -> None:
    """(height at the right end, name, colour) in the right margin, none over another."""
    low, high = axes.get_ylim()
    places = spread([height for height, _, _ in names], LINE * (high - low), low, high)
    for (height, name, colour), place in zip(names, places, strict=True):
        axes.annotate(
            name, xy=(1, height), xytext=(1.03, place), xycoords=axes.get_yaxis_transform(), textcoords=axes.get_yaxis_transform(),
            fontsize=8, color=colour, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6},
        )  # fmt: skip


def _offset(angle: float, distance: float, half: np.ndarray) -> np.ndarray:
    """From the point to the middle of a label whose nearest edge is `distance` away."""
    direction = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    return direction * distance + np.sign(np.round(direction, 6)) * half * (np.abs(direction) > 0.3)


def _around(middle: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    """(left, bottom, right, top)"""
    return np.array([middle[0] - half_width, middle[1] - half_height, middle[0] + half_width, middle[1] + half_height])


def _bounds(corners: np.ndarray, air: float) -> np.ndarray:
    """The box around some pixels [k, 2]."""
    return np.concatenate([corners.min(axis=0) - air, corners.max(axis=0) + air])


def _crowd(boxes: np.ndarray, taken: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Pixels of each of the boxes [b, 4] that are in `taken` [k, 4], or outside the axes `frame` [4]: [b]."""
    # Added up one after the other: the order in which numpy sums decides the last digit, and with it between places that are alike.
    shared = np.cumsum(_overlap(boxes[:, None], taken), axis=1)[:, -1]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return shared + 4 * np.maximum(0.0, area - _overlap(boxes, frame))


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pixels that boxes [..., 4] share, for shapes that broadcast."""
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    sides = np.maximum(0.0, high - low)
    return sides[..., 0] * sides[..., 1]


def spread(heights: list[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """The heights moved apart until neighbours are at least `gap` from one another; order and middle of a cluster stay, except where it
    would leave low to high. As many as have no room there stay `gap` apart and begin at `low`."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])

    def start(cluster: list[int]) -> float:
        size = gap * (len(cluster) - 1)
        return max(low, min(sum(heights[i] for i in cluster) / len(cluster) - size / 2, high - size))

    clusters: list[list[int]] = []
    for i in order:
        clusters.append([i])
        while len(clusters) > 1 and start(clusters[-1]) - start(clusters[-2]) < gap * len(clusters[-2]):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    placed = list(heights)
    for cluster in clusters:
        for step, i in enumerate(cluster):
            placed[i] = start(cluster) + step * gap
    return placed
