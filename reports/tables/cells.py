"""What is in a cell: a setting's results over its seeds, and one number for many tasks. What its runs cost: costs.py."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.records.record import unpack
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.settings import Measured
from reports.tables.statistics import interquartile_mean, interval, of_images
from reports.tables.table import Cell, Row

DRAW = re.compile(r"_draw\d+$")
"""What the end of a metric's name is where it is of one draw, beside the mean over all."""


def cells_of(results: Sequence[Measured], found: dict[str, Column], constant: bool = False) -> dict[str, Cell]:
    """Column key -> cell, from results of one setting and one kind of weights, by seed; new columns are added to `found`. constant: no
    seed decides anything of it."""
    groups: dict[tuple[str, str, str, str], list[Measured]] = {}
    draws: dict[tuple[str, str, str, str], list[list[Measured]]] = {}
    for result in results:
        groups.setdefault((result.evaluator, result.eval_dataset, result.split, result.metric), []).append(result)
    for key, part in groups.items():
        if (mean := DRAW.sub("", key[3])) != key[3]:
            draws.setdefault((*key[:3], mean), []).append(part)
    cells = {}
    for key, part in sorted(groups.items()):
        images = _of_draws(draws[key]) if key in draws else _images(part)
        cell = _cell(constant, part, images, _by_draw(part, draws.get(key, ())))
        column = kinds.column(*key, paired=images is not None)
        if column.kind == "number" or column.key not in found:  # of a column's rows, one without images decides for all
            found[column.key] = column
        cells[column.key] = cell
    return cells


def _images(part: Sequence[Measured]) -> np.ndarray | None:
    """bool [S, n]: which images each seed got right; None where that is not known of all, or does not make up the number."""
    # Right and wrong images average to a top-1. Of a mean over classes, where few images of a rare one decide, only seeds are counted.
    if "per_class" in part[0].metric or len({each.n for each in part}) > 1:
        return None
    packed = [(each.correct, each.n) for each in part if isinstance(each.correct, str)]
    return np.stack([unpack(*bits) for bits in packed]) if len(packed) == len(part) else None


def _of_draws(draws: Sequence[Sequence[Measured]]) -> np.ndarray | None:
    """[S, n]: in what share of the draws each seed got an image right; None where that is not known of all."""
    known = [images for part in draws if (images := _images(part)) is not None]
    return np.mean(known, axis=0) if len(known) == len(draws) and len({images.shape for images in known}) == 1 else None


def _by_draw(part: Sequence[Measured], draws: Sequence[Sequence[Measured]]) -> np.ndarray | None:
    """[S, K]: what each of the draws that a number is the mean of gave; None where there are not two, or one lacks a seed."""
    seeds = [each.seed for each in part]
    known = [{each.seed: each.value for each in draw} for draw in draws]
    if len(known) < 2 or any(draw.keys() != set(seeds) for draw in known):
        return None
    return np.array([[draw[seed] for draw in known] for seed in seeds])


def _cell(constant: bool, part: Sequence[Measured], images: np.ndarray | None, draws: np.ndarray | None) -> Cell:
    """Over the seeds of one column."""
    values = {each.seed: each.value for each in part}
    numbers = np.array(list(values.values()))
    half = of_images(images, draws) if constant else interval(numbers, images, draws)
    return Cell(float(np.mean(numbers)), half, values, images, draws)


def with_aggregate(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Rows with each seed's interquartile mean over transfer targets, where there are enough of them and every seed has all."""
    targets = [column.key for column in columns if column.target]
    if len(targets) < kinds.FEWEST_TARGETS:
        return rows
    done = []
    for row in rows:
        cells = [row.cells[key] for key in targets if key in row.cells]
        if len(cells) == len(targets) and all(cell.values.keys() == cells[0].values.keys() for cell in cells):
            # Of each seed one number: one encoder serves all targets, so a seed's scores are no independent draws.
            of_seeds = {seed: interquartile_mean(np.array([cell.values[seed] for cell in cells])) for seed in cells[0].values}
            row = _with(row, kinds.AGGREGATE, of_seeds)
        done.append(row)
    return done


def with_clid(rows: list[Row]) -> list[Row]:
    """Rows with CLID (Lu et al. 2023, arXiv:2206.01251): its two halves, each less its mean over the methods and divided by its deviation
    over them, summed; where two methods have both and differ in them. It is a number of this table, and not of a run."""
    halves = [[row.cells.get(key) for key in kinds.CLID_OF] for row in rows]
    of_methods = [
        [cell.mean for cell in pair if cell] for row, pair in zip(rows, halves, strict=True) if row.kind == "method" and all(pair)
    ]
    if len(of_methods) < 2 or not (spread := np.std(of_methods, axis=0)).all():
        return rows
    middle, done = np.mean(of_methods, axis=0), []
    for row, (learnt, dimension) in zip(rows, halves, strict=True):
        if learnt and dimension and (seeds := learnt.values.keys() & dimension.values.keys()):
            both = {seed: (learnt.values[seed], dimension.values[seed]) for seed in sorted(seeds)}
            of_seeds = {seed: float(((pair - middle) / spread).sum()) for seed, pair in both.items()}
            row = _with(row, kinds.CLID, of_seeds)
        done.append(row)
    return done


def _with(row: Row, column: Column, of_seeds: dict[int, float]) -> Row:
    """The row with a cell that is made of its other ones, seed by seed."""
    numbers = np.array(list(of_seeds.values()))
    return replace(row, cells={**row.cells, column.key: Cell(float(numbers.mean()), interval(numbers), of_seeds)})
