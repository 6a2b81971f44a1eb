"""Which differences of a column are beyond chance, said so that a whole family of comparisons errs in 5 % of cases: docs/statistics.md.

    compare(rows, "linear").standing(first, second)      above | alike | below | no statement

A family is all pairs of a column's methods (Tukey), or its methods beside one floor or ceiling (Dunnett). The variance between seeds is
that of all rows of the family, what a seed does to all of them left out. R rows, S seeds, n test images, K draws of labels.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.tables.statistics import FEWEST_SEEDS, all_pairs, many_to_one, moderated, student
from reports.tables.table import Cell, Comparisons, Row


@dataclass(frozen=True)
class Spread:
    """How far rows [R] scatter over seeds beside what a seed does to all of them."""

    variances: np.ndarray
    """[R]"""
    freedom: float
    shared: float
    """Variance of what a seed does to all of them."""
    shared_freedom: int


def compare(rows: Sequence[Row], key: str) -> Comparisons:
    """Of the rows that have a number in this column, in their order."""
    rows = [row for row in rows if key in row.cells]
    cells = [row.cells[key] for row in rows]
    values = _values(rows, cells)
    known = np.isfinite(values)
    seeds = known.astype(np.float64) @ known.T
    sums = np.where(known, values, 0.0) @ known.T
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(seeds > 0, (sums - sums.T) / seeds, np.nan)
    sound = np.array([not row.lost and len(cell.values) >= FEWEST_SEEDS for row, cell in zip(rows, cells, strict=True)], dtype=bool)
    constant = np.array([row.constant for row in rows], dtype=bool)
    # A search has one seed of each setting: nothing can be said of any two, and there may be hundreds.
    nothing = np.zeros((len(rows), len(rows)))
    images = _image_variances(cells, constant) if sound.any() else nothing
    labels, draws = _draw_variances(cells, constant) if sound.any() else (nothing, 0)
    squares = np.full((len(rows), len(rows)), np.nan)

    def fill(first: np.ndarray, second: np.ndarray, variance: np.ndarray, freedom: float, quantile, also: np.ndarray | float = 0.0):
        """The squared half widths of rows `first` beside rows `second`."""
        here = np.ix_(first, second)
        found = variance / np.maximum(seeds[here], 1) * quantile(freedom) ** 2 + also + images[here] * quantile(math.inf) ** 2
        if draws:
            found = found + labels[here] * quantile(draws - 1) ** 2
        squares[here] = np.where(seeds[here] >= FEWEST_SEEDS, found, np.nan)
        squares[here[1].T, here[0].T] = squares[here].T

    method = np.array([row.kind == "method" for row in rows], dtype=bool)
    methods, drawn, constants = (np.flatnonzero(chosen) for chosen in (sound & method, sound & ~method & ~constant, constant))
    for group in (methods, drawn):
        if len(group) > 1:
            spread = _spread(values[group])
            both = spread.variances[:, None] + spread.variances
            fill(group, group, both, spread.freedom, functools.partial(all_pairs, len(group)))
        for reference in constants if len(group) else ():
            spread = _spread(values[group])
            mean = student(spread.shared_freedom) ** 2 * spread.shared / np.maximum(seeds[group, reference], 1)[:, None]
            quantile = functools.partial(many_to_one, len(group), correlation=0.0)
            fill(group, np.array([reference]), spread.variances[:, None], spread.freedom, quantile, mean)
    for reference in drawn if len(methods) else ():
        spread = _spread(values[[*methods, reference]])
        both = (spread.variances[:-1] + spread.variances[-1])[:, None]
        fill(methods, np.array([reference]), both, spread.freedom, functools.partial(many_to_one, len(methods)))
    # Of two constants images alone say how far they may be apart.
    fill(constants, constants, np.zeros((len(constants), len(constants))), math.inf, functools.partial(many_to_one, 1))
    half_width = np.sqrt(squares)
    np.fill_diagonal(half_width, np.nan)
    return Comparisons(tuple(row.label for row in rows), difference, half_width, seeds.astype(int))


def _values(rows: Sequence[Row], cells: Sequence[Cell]) -> np.ndarray:
    """[R, S], NaN where a row has no such seed; a constant has its value at every seed."""
    place = {seed: number for number, seed in enumerate(sorted({seed for cell in cells for seed in cell.values}))}
    values = np.full((len(cells), len(place)), np.nan)
    for number, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        if row.constant:
            values[number] = cell.mean
        else:
            values[number, [place[seed] for seed in cell.values]] = list(cell.values.values())
    return values


def _spread(values: np.ndarray) -> Spread:
    """Of values [R, S], NaN where a row has no such seed, as row + seed + what is left (a two-way layout without interaction)."""
    known = np.isfinite(values)
    seeds = int(known.any(axis=0).sum())
    values, known = values[:, known.any(axis=0)], known[:, known.any(axis=0)]
    row_means = np.nanmean(values, axis=1)
    if known.all():
        effects = values.mean(axis=0) - values.mean()
    elif seeds <= len(values):
        effects = _effects(known, values - row_means[:, None])
    else:  # the same, by way of the rows, which are fewer
        seed_means = np.nanmean(values, axis=0)
        of_rows = _effects(known.T, (values - seed_means).T)
        effects = np.nanmean(values - of_rows[:, None], axis=0)
        effects -= effects.mean()
    left = values - effects
    left -= np.nanmean(left, axis=1, keepdims=True)
    own = known.sum(axis=1) - 1
    freedom = int(known.sum()) - len(values) - (seeds - 1)
    shared = float(effects.var(ddof=1))
    if freedom <= 0:  # one row: all that a seed does is what it does to all of them
        return Spread(np.zeros(len(values)), math.inf, shared, seeds - 1)
    variances, prior = moderated(np.nansum(left**2, axis=1) / (own * freedom / own.sum()), own)
    # Whole degrees of freedom, rounded down: then columns share their quantiles.
    return Spread(variances, float(min(math.floor(min(prior, freedom)) + int(own.min()), freedom)), shared, seeds - 1)


def _effects(known: np.ndarray, centred: np.ndarray) -> np.ndarray:
    """Least squares: what each column does to all rows, from values [R, S] less their rows' means, NaN where there is none."""
    known = known.astype(np.float64)
    count = known.sum(axis=1)
    normal = np.diag(known.sum(axis=0)) - (known / count[:, None]).T @ known
    return np.linalg.lstsq(normal, np.nansum(centred, axis=0), rcond=None)[0]


def _image_variances(cells: Sequence[Cell], constant: np.ndarray) -> np.ndarray:
    """[R, R] variance of a difference's mean over test images: of each image's mean over the seeds that both have. 0 where it is not
    known which images were right, or not of the same images."""
    found = np.zeros((len(cells), len(cells)))
    groups: dict[tuple, list[int]] = {}
    for place, cell in enumerate(cells):
        if cell.correct is not None and cell.correct.shape[1] > 1:
            seeds = () if constant[place] else tuple(sorted(cell.values))
            groups.setdefault((cell.correct.shape[1], seeds), []).append(place)
    for (images, seeds), first in groups.items():
        for (others, other_seeds), second in groups.items():
            common = frozenset(seeds or other_seeds) & frozenset(other_seeds or seeds)
            if images == others and (common or not seeds):
                left, right = (_image_means(cells, group, common) for group in (first, second))
                squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
                found[np.ix_(first, second)] = np.maximum(squares, 0) / (images - 1) / images
    return found


def _draw_variances(cells: Sequence[Cell], constant: np.ndarray) -> tuple[np.ndarray, int]:
    """[R, R] variance of a difference's mean over draws of labels, of each draw's mean over the seeds that both have, and K; 0 where
    there are no draws, or not the same number."""
    found, count = np.zeros((len(cells), len(cells))), max((cell.draws.shape[1] for cell in cells if cell.draws is not None), default=0)
    of = {place: cell.draws for place, cell in enumerate(cells) if cell.draws is not None and cell.draws.shape[1] == count}
    for first, second in itertools.combinations(of, 2):
        seeds, others = (() if constant[place] else cells[place].values for place in (first, second))
        common = frozenset(seeds or others) & frozenset(others or seeds)
        left, right = (of[place][_chosen(cells[place], common)].mean(axis=0) for place in (first, second))
        found[first, second] = found[second, first] = float(np.var(left - right, ddof=1)) / count
    return found, count


def _chosen(cell: Cell, seeds: frozenset[int]) -> list[int] | slice:
    """The rows of a cell that are of these seeds; all of a constant's, which has none of its own."""
    return [number for number, seed in enumerate(cell.values) if seed in seeds] or slice(None)


def _image_means(cells: Sequence[Cell], group: Sequence[int], seeds: frozenset[int]) -> np.ndarray:
    """[rows of the group, n] percent, each image's mean over these seeds, less the row's mean."""
    means = []
    for place in group:
        cell = cells[place]
        means.append(100 * cell.correct[_chosen(cell, seeds)].mean(axis=0))
    return np.stack(means) - np.mean(means, axis=1, keepdims=True)
