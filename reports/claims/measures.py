"""What a figure's `measure` means: which number of a run's record, and which images it was right of.

linear, knn                        of the data set that was trained on, test, percent
stages, stages:2                   the best stage on test; one stage on val
transfer:digits, transfer:digits:knn
projection:linear, projection:knn, projection:rankme, ...
few_labels:20                      a linear probe on 20 labels a class, the mean of its draws
few_labels:20:own                  the same on the one draw that the run's seed takes, and that a run on train/20 was trained on
rankme, uniformity, alignment, ... without labels
loss                               mean over the last tenth of the curve
images, steps, flops, seconds      what the training took
evaluator:metric                   any other: knn:top1_k200_T0.1
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas

from bench.data.splits import draw_of
from bench.errors import unknown
from bench.records.record import unpack
from reports.claims.points import Point
from reports.tables.columns import best_of

ACCURACIES = ("top1", "mean_per_class")
"""A data set has one or the other."""

PROBES = ("linear", "knn")

LABEL_FREE = ("alignment", "alpha_req", "collapsed_centred", "feature_std", "rankme", "rankme_centred", "uniformity")

OF_TRAINING = {"loss": "final_loss", "images": "images", "steps": "steps", "flops": "flops", "seconds": "seconds"}
"""Measure -> the frame's column."""

OF_ACCURACIES = ("knn", "linear", "projection", "stages", "validation")
"""Evaluators with accuracies on the data set that was trained on."""

KNOWN = (
    *PROBES,
    *LABEL_FREE,
    *OF_TRAINING,
    "stages",
    *("few_labels:20", "few_labels:20:own"),
    "stages:2",
    *(f"projection:{metric}" for metric in (*PROBES, *LABEL_FREE)),
    *("transfer:DATASET", "transfer:DATASET:knn", "EVALUATOR:METRIC"),
)
"""How each kind is written."""


class Found(NamedTuple):
    """Where a measure's number is among a run's results."""

    evaluator: str
    metrics: tuple[str, ...]
    """The first of them that the run has; {draw} stands for the draw that its seed takes."""
    dataset: str | None = None
    """None: the one that was trained on."""
    draws: bool = False
    """The number is the mean of several draws', which have their images each."""
    argument: str = ""
    """Of the evaluator, where it measures one thing by it and not another data set: 20 of few_labels:20."""


def parse(measure: str) -> Found | str:
    """Where its number is, or the frame's column that is. UserError with the nearest name where there is no such measure."""
    head, _, rest = measure.partition(":")
    if measure in OF_TRAINING:
        return OF_TRAINING[measure]
    if measure in PROBES or measure == "stages":
        return Found(measure, ACCURACIES)
    if measure in LABEL_FREE:
        return Found("label_free", (measure,))
    if head == "stages" and rest.isdecimal():
        return Found("stages", tuple(f"stage{rest}_{metric}" for metric in ACCURACIES))
    if head == "few_labels" and (few := re.fullmatch(r"(\d+%?)(:own)?", rest)):
        metrics = tuple(f"{metric}_n{few[1]}" + "_draw{draw}" * bool(few[2]) for metric in ACCURACIES)
        return Found("few_labels", metrics, draws=not few[2], argument=few[1])
    if head == "projection" and rest in PROBES:
        return Found("projection", tuple(f"{rest}_{metric}" for metric in ACCURACIES))
    dataset, _, probe = rest.partition(":")
    if head == "transfer" and dataset and (probe or "linear") in PROBES:
        return Found("transfer", tuple(f"{probe or 'linear'}_{metric}" for metric in ACCURACIES), dataset)
    if head in ("label_free", "projection") and rest in LABEL_FREE:
        return Found(head, (rest,))
    if head in OF_ACCURACIES and any(metric in rest for metric in ACCURACIES):
        return Found(head, (rest,))
    raise unknown("measure", measure, KNOWN)


def best(measure: str) -> float | None:
    """The best value that it can have, as `Column.best` of reports/tables/columns.py has it: of accuracies more is better, of what a
    training took less."""
    metric = measure.rpartition(":")[2]
    return best_of(metric) if metric in LABEL_FREE else -math.inf if measure in OF_TRAINING else math.inf


class Results:
    """The results of runs by their ids."""

    def __init__(self, frame: pandas.DataFrame, ids: Iterable[str]):
        frame = frame[frame.id.isin(set(ids))]
        self.runs, self._rows = {}, {}
        if frame.empty:  # of many figures, and pandas takes as long for it as for a few runs
            return
        self.runs = {row.id: row for row in frame.drop_duplicates("id").itertuples()}
        """Id -> the frame's columns that are the same in all rows of a run."""
        measured = frame[frame.weights.isna() & frame.evaluator.notna()]
        self._rows = {(row.id, row.evaluator, row.eval_dataset, row.metric): row for row in measured.itertuples()}

    def point(self, runs: Mapping[int, str], measure: str) -> Point:
        """Of runs by seed: those that are here and were measured so, in the order of the seeds."""
        where = parse(measure)
        runs = {seed: run for seed, run in sorted(runs.items()) if run in self.runs}
        if isinstance(where, str):
            numbers = {seed: float(getattr(self.runs[run], where)) for seed, run in runs.items()}
            return Point({seed: value for seed, value in numbers.items() if np.isfinite(value)})
        rows = {seed: self._row(run, seed, where) for seed, run in runs.items()}
        rows = {seed: row for seed, row in rows.items() if row is not None and np.isfinite(row.value)}
        right = [self._right(row, where.draws) for row in rows.values()]
        sets = {f"{row.eval_dataset} {row.split} {row.n}" for row in rows.values()}
        known = len(sets) == 1 and all(its is not None for its in right)
        return Point({seed: float(row.value) for seed, row in rows.items()}, np.stack(right) if known else None, *(sets if known else ()))

    def _row(self, run: str, seed: int, where: Found):
        dataset = where.dataset or self.runs[run].dataset
        for metric in where.metrics:
            if row := self._rows.get((run, where.evaluator, dataset, metric.replace("{draw}", str(draw_of(seed))))):
                return row
        return None

    def _right(self, row, draws: bool) -> np.ndarray | None:
        """[n] which images were right, of draws the share of them; None where that is not known, or is not what the value is the share
        of: of a mean over classes, where few images of a rare one decide, seeds alone are counted."""
        if draws:
            named = [self._rows.get((row.id, row.evaluator, row.eval_dataset, f"{row.metric}_draw{draw}")) for draw in range(1, 100)]
            parts = [unpack(its.correct, its.n) for its in named if its is not None and isinstance(its.correct, str)]
            right = np.mean(parts, axis=0) if parts else None
        else:
            right = unpack(row.correct, row.n) if isinstance(row.correct, str) else None
        return right if right is not None and abs(100 * right.mean() - row.value) < 1e-6 else None
