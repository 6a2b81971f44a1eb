"""From the frame of all runs to comparable tables: which runs may stand in one table, what is in a cell, and who is first.

    for table in build(store.frame()): table.title, table.columns, table.rows, table.lines

One table holds one data set, encoder, image size, budget, pretraining split, precision, protocol and, where the budget is
in seconds, one device: nothing else is a fair comparison. Writers are in reports/pages, drawings in reports/plots.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas

from bench.defaults import COMMAND
from bench.errors import UserError
from bench.records.record import unpack
from bench.spec import Budget
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.labels import labels
from reports.tables.statistics import FEWEST_SEEDS, bootstrap_interval, indistinguishable, interquartile_mean, interval, paired_difference

KEY = (
    *("dataset", "data_revision", "encoder", "image_size", "budget_unit", "budget_amount"),
    *("pretrain_split", "precision", "protocol", "device"),
)
"""Runs that differ in one of these never share a table."""

SETTING = ("method", "method_source", "method_version", "hyper_parameters", "recipe")
"""Runs that differ in one of these are rows of their own; what is left is the seed."""


RESULT = ("evaluator", "eval_dataset", "split", "metric")
"""Results that agree in these are one column's."""


@dataclass(frozen=True)
class Cell:
    """A method's number in a column: mean over seeds, half width of its interval (None for fewer than three seeds)."""

    mean: float
    half_width: float | None
    values: dict[int, float]
    """Seed -> value."""
    correct: np.ndarray | None = None
    """bool [S, n], rows in the order of `values`: which test images were right."""
    tied: bool = False
    """Not distinguishable from the best of the column."""


@dataclass(frozen=True)
class Row:
    """A method at one setting."""

    label: str
    kind: str
    """method | floor | ceiling"""
    seeds: int
    """Runs with a result."""
    cells: dict[str, Cell]
    rank: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """Its name: a label is that, and after it the fields in which the method's settings differ."""
        return self.label.split()[0]


@dataclass(frozen=True)
class Table:
    """Rows in the order to show them: methods by rank, then floors, then ceilings."""

    key: dict[str, object]
    """KEY -> value."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    ranked_by: str | None
    """Key of the column that decides the rank."""
    lines: tuple[str, ...] = field(default=())
    """What is to be said below: runs that are not done, other weights, the total cost."""


def build(frame: pandas.DataFrame) -> list[Table]:
    """A table for each set of comparable runs, sorted by KEY. Raises UserError where there is nothing to report."""
    if frame.empty:
        where = frame.attrs.get("folder")
        raise UserError(f"nothing to report: there is no record{f' in {where}' if where else ''}. Make some with: {COMMAND} run")
    frame = frame.assign(device=_devices(frame)).fillna(dict.fromkeys(("data_revision", "hyper_parameters", "recipe"), ""))
    groups = frame.groupby(list(KEY), sort=True, dropna=False)
    return [_table(dict(zip(KEY, key, strict=True)), runs) for key, runs in groups]


def _devices(frame: pandas.DataFrame) -> list[str]:
    """What a budget in seconds depends on; empty for every other unit."""
    facts = zip(frame.budget_unit, frame.device, frame.hardware, frame.threads, strict=True)
    return [(device or f"{model}, {threads} threads") if unit == "seconds" else (device or "") for unit, device, model, threads in facts]


def _table(key: dict[str, object], frame: pandas.DataFrame) -> Table:
    groups = list(frame.groupby(list(SETTING), sort=True))
    names = labels([dict(zip(SETTING, setting, strict=True)) for setting, _ in groups])
    found: dict[str, Column] = {}
    rows, alternates = [], []
    for label, (_, runs) in zip(names, groups, strict=True):
        main = runs[runs.weights.isna()]
        cells = {**_cells(main, found), **_costs(runs, found)}
        rows.append(Row(label, _kind(runs), main[main.evaluator.notna()].id.nunique(), cells, notes=_notes(runs)))
        for weights, other in runs[runs.weights.notna()].groupby("weights"):
            alternates.append((f"{label} {weights}", _cells(other, found)))
    columns = tuple(sorted(found.values(), key=kinds.position))
    rows = _aggregate(rows, columns)
    if any(kinds.AGGREGATE.key in row.cells for row in rows):
        columns = tuple(sorted((*columns, kinds.AGGREGATE), key=kinds.position))
    ranked_by = next((column.key for column in columns if column.kind == "accuracy" and column.ranks), None)
    lines = [_unfinished(frame, dict(zip([tuple(setting) for setting, _ in groups], names, strict=True)))]
    lines += [f"Other weights: {label}: {_listed(cells, columns)}." for label, cells in alternates]
    lines.append(_total(frame))
    return Table(
        key, _title(key, rows), columns, _ranked(_tied(rows, columns), ranked_by), ranked_by, tuple(line for line in lines if line)
    )


def _kind(runs: pandas.DataFrame) -> str:
    return "floor" if not runs.trained.any() else "ceiling" if runs.uses_labels.any() else "method"


def _cells(results: pandas.DataFrame, found: dict[str, Column]) -> dict[str, Cell]:
    """Column key -> cell, from rows of one setting and one kind of weights; new columns are added to `found`."""
    cells = {}
    # Few columns, sorted once: the frame has forty, and every step on the part of a cell would copy them.
    finite = results.loc[np.isfinite(results.value), [*RESULT, "seed", "value", "correct", "n"]].sort_values("seed", kind="stable")
    for (evaluator, dataset, split, metric), part in finite.groupby(list(RESULT)):
        column = kinds.column(evaluator, dataset, split, metric)
        found.setdefault(column.key, column)
        cells[column.key] = _cell(metric, *(part[name].tolist() for name in ("seed", "value", "correct", "n")))
    return cells


def _cell(metric: str, seeds: list[int], values: list[float], correct: list[str | None], n: list[int]) -> Cell:
    """Over the seeds of one column."""
    images = None
    # Right and wrong images average to a top-1. Of a mean over classes, where few images of a rare one decide, only seeds are counted.
    if "per_class" not in metric and all(isinstance(bits, str) for bits in correct) and len(set(n)) == 1:
        images = np.stack([unpack(*packed) for packed in zip(correct, n, strict=True)])
    return Cell(float(np.mean(values)), interval(np.array(values), images), dict(zip(seeds, values, strict=True)), images)


def _costs(runs: pandas.DataFrame, found: dict[str, Column]) -> dict[str, Cell]:
    """What a run cost, mean over those that were done; over all where none was."""
    runs = runs.drop_duplicates("id").sort_values("seed")
    runs = runs[runs.status == "done"] if (runs.status == "done").any() else runs
    cells = {}
    for column, values in ((column, runs[source] / unit) for column, source, unit in kinds.COSTS):
        found.setdefault(column.key, column)
        cells[column.key] = Cell(float(values.mean()), None, dict(zip(runs.seed.tolist(), values.tolist(), strict=True)))
    return cells


def _aggregate(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Rows with the interquartile mean over transfer targets, where there are enough and every seed has all of them."""
    targets = [column.key for column in columns if column.target]
    if len(targets) < kinds.FEWEST_TARGETS:
        return rows
    done = []
    for row in rows:
        cells = [row.cells[key] for key in targets if key in row.cells]
        if len(cells) == len(targets) and all(cell.values.keys() == cells[0].values.keys() for cell in cells):
            scores = np.array([list(cell.values.values()) for cell in cells]).T
            low, high = bootstrap_interval(scores) if len(scores) >= FEWEST_SEEDS else (math.nan, math.nan)
            half = None if math.isnan(low) else (high - low) / 2
            per_seed = {seed: interquartile_mean(score) for seed, score in zip(cells[0].values, scores, strict=True)}
            row = replace(row, cells={**row.cells, kinds.AGGREGATE.key: Cell(interquartile_mean(scores), half, per_seed)})
        done.append(row)
    return done


def _tied(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Rows with the cells marked that cannot be told from the best method of their column."""
    for column in columns:
        contenders = [row for row in rows if row.kind == "method" and column.key in row.cells]
        if column.kind != "accuracy" or not contenders:
            continue
        best = max(contenders, key=lambda row: row.cells[column.key].mean)
        for row in contenders:
            if row is not best and indistinguishable(*compare(best.cells[column.key], row.cells[column.key])):
                marked = replace(row, cells={**row.cells, column.key: replace(row.cells[column.key], tied=True)})
                rows = [marked if other is row else other for other in rows]
    return rows


def compare(first: Cell, second: Cell) -> tuple[float, float | None]:
    """Paired by the seeds that both have, and by test image where both say which were right."""
    seeds = [seed for seed in first.values if seed in second.values]
    if not seeds:
        return math.nan, None
    values = [[cell.values[seed] for seed in seeds] for cell in (first, second)]
    correct = [None, None]
    if first.correct is not None and second.correct is not None and first.correct.shape[1] == second.correct.shape[1]:
        correct = [cell.correct[[list(cell.values).index(seed) for seed in seeds]] for cell in (first, second)]
    return paired_difference(*values, *correct)


def _ranked(rows: list[Row], ranked_by: str | None) -> tuple[Row, ...]:
    """Rows in order of the mean, with their rank; kNN breaks ties. Rank 1 is shared by the best and those below it that cannot
    be told from it, down to the first that can: ranks never go back."""

    def order(row: Row) -> tuple:
        means = [row.cells[key].mean if key in row.cells else -math.inf for key in (ranked_by, "knn")]
        return ("method", "floor", "ceiling").index(row.kind), -means[0], -means[1], row.label

    floors = [row for row in rows if row.kind == "floor" and ranked_by in row.cells]
    rows = sorted(rows, key=order)
    leading = True
    for position, row in enumerate(rows):
        if row.kind == "method" and ranked_by in row.cells:
            cell = row.cells[ranked_by]
            equal = cell.mean == rows[0].cells[ranked_by].mean  # to the last digit: neither is the better one
            leading = leading and (equal or cell.tied)
            above = [floor.label for floor in floors if cell.mean < floor.cells[ranked_by].mean]
            below = [f"below {', '.join(sorted(above))}"] if above else []
            rows[position] = replace(row, rank=1 if leading else position + 1, notes=(*below, *row.notes))
        elif row.kind != "method":
            rows[position] = replace(row, notes=(row.kind, *row.notes))
    return tuple(rows)


def _notes(runs: pandas.DataFrame) -> tuple[str, ...]:
    """What a reader must know of this row beside its numbers."""
    notes = []
    total = runs.id.nunique()
    collapsed = runs[(runs.metric == "collapsed") & (runs.value > 0) & runs.weights.isna()].id.nunique()
    if collapsed:
        notes.append("collapsed" if collapsed == total else f"{collapsed} of {total} collapsed")
    counts = runs.drop_duplicates("id").status.value_counts()
    notes += [f"{counts[status]} of {total} {status}" for status in ("diverged", "failed") if status in counts]
    return tuple(notes)


def _unfinished(frame: pandas.DataFrame, names: dict[tuple, str]) -> str:
    """The line that names every run that diverged or failed."""
    runs = frame.drop_duplicates("id")
    bad = runs[runs.status != "done"]
    if bad.empty:
        return ""
    listed = []
    for run in bad.itertuples():
        label = names[tuple(getattr(run, name) for name in SETTING)]
        reason = " ".join((run.error or "no reason given").split())
        listed.append(f"{label} seed {run.seed} {run.status} ({reason if len(reason) <= 100 else reason[:99] + '…'})")
    return f"Not done, {len(bad)} of {len(runs)} runs: {'; '.join(listed)}."


def _listed(cells: dict[str, Cell], columns: tuple[Column, ...]) -> str:
    """Cells in one line, for weights that are not the ones that count."""
    return ", ".join(
        f"{column.header} {kinds.text(column, cells[column.key])}" for column in columns if column.key in cells and column.shown
    )


def _total(frame: pandas.DataFrame) -> str:
    """What all runs of the table cost together, those that are not done included."""
    runs = frame.drop_duplicates("id")
    places = sorted({f"{run.hardware or 'unnamed hardware'}" for run in runs.itertuples()})
    beside = math.fsum(runs.setup_seconds) + math.fsum(runs.evaluation_seconds)
    return (
        f"Total: {len(runs)} run{'s' * (len(runs) != 1)}, {kinds.rounded(math.fsum(runs.flops) / 1e12)} TFLOP, "
        f"{math.fsum(runs.seconds):,.0f} s of training, {beside:,.0f} s of set-up and evaluation, on {', '.join(places)}."
    )


def _title(key: dict[str, object], rows: list[Row]) -> str:
    """'mnist5k · resnet8 · 28 px · budget 20,000 images · bf16 · protocol 1 · 3 seeds, mean with 95 % interval'"""
    counts = [row.seeds for row in rows if row.seeds]
    low, high = min(counts, default=0), max(counts, default=0)
    seeds = f"{low} seed{'s' * (low != 1)}" if low == high else f"{low} to {high} seeds"
    how = "mean with 95 % interval" if high >= FEWEST_SEEDS else f"mean (an interval needs {FEWEST_SEEDS})"
    parts = [key["dataset"], key["encoder"], f"{key['image_size']} px", f"budget {Budget(key['budget_unit'], key['budget_amount'])}"]
    parts += [key["device"]] if key["device"] else []
    parts += [f"pretrained on {key['pretrain_split']}"] if key["pretrain_split"] != "train" else []
    return " · ".join(str(part) for part in (*parts, key["precision"], f"protocol {key['protocol']}", f"{seeds}, {how}"))
