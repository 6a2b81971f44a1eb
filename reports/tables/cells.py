"""What is in a cell: a setting's results over its seeds, and one number for many tasks. What its runs cost: costs.py."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.records.record import unpack
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.settings import Measured
from reports.tables.statistics import interquartile_mean, interval, of_images
from reports.tables.table import Cell, Row


def cells_of(results: Sequence[Measured], found: dict[str, Column], constant: bool = False) -> dict[str, Cell]:
    """Column key -> cell, from results of one setting and one kind of weights, by seed; new columns are added to `found`. constant: no
    seed decides anything of it."""
    groups: dict[tuple[str, str, str, str], list[Measured]] = {}
    for result in results:
        groups.setdefault((result.evaluator, result.eval_dataset, result.split, result.metric), []).append(result)
    cells = {}
    for (evaluator, dataset, split, metric), part in sorted(groups.items()):
        seeds, values, correct, n = zip(*((each.seed, each.value, each.correct, each.n) for each in part), strict=True)
        cell = _cell(metric, constant, seeds, values, correct, n)
        column = kinds.column(evaluator, dataset, split, metric, paired=cell.correct is not None)
        if column.kind == "number" or column.key not in found:  # of a column's rows, one without images decides for all
            found[column.key] = column
        cells[column.key] = cell
    return cells


def _cell(
    metric: str, constant: bool, seeds: Sequence[int], values: Sequence[float], correct: Sequence[str | None], n: Sequence[int]
) -> Cell:
    """Over the seeds of one column."""
    images = None
    # Right and wrong images average to a top-1. Of a mean over classes, where few images of a rare one decide, only seeds are counted.
    if "per_class" not in metric and all(isinstance(bits, str) for bits in correct) and len(set(n)) == 1:
        images = np.stack([unpack(*packed) for packed in zip(correct, n, strict=True)])
    half = of_images(images) if constant else interval(np.array(values), images)
    return Cell(float(np.mean(values)), half, dict(zip(seeds, values, strict=True)), images)


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
            numbers = np.array(list(of_seeds.values()))
            row = replace(row, cells={**row.cells, kinds.AGGREGATE.key: Cell(float(numbers.mean()), interval(numbers), of_seeds)})
        done.append(row)
    return done
