"""All runs as one tidy table: which columns it has, and the rows that a run's records make.

    tidy([([(1, record)], [record])])    a pandas.DataFrame; `ResultStore.frame()` calls this with all that it holds

What each column means: results/README.md.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from operator import itemgetter
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.folder_name import LABEL, labelled
from bench.spec import RunSpec, method_name

if TYPE_CHECKING:  # it takes half a second to import: only tidy() pays for it
    import pandas

TEXT, WHOLE, REAL, FLAG = "object", "int64", "float64", "bool"
COLUMNS = {
    **dict.fromkeys(("id", "suite", "method", "encoder", "dataset"), TEXT),
    **{"seed": WHOLE, "budget_unit": TEXT, "budget_amount": REAL, "status": TEXT},
    **{"steps": WHOLE, "images": WHOLE, "flops": REAL, "seconds": REAL},
    **dict.fromkeys(("evaluator", "eval_dataset", "metric"), TEXT),
    **{"value": REAL, "split": TEXT, "n": WHOLE, "chosen": TEXT, "correct": TEXT, "weights": TEXT, "part": WHOLE},
    **{"main_weights": TEXT, "uses_labels": FLAG, "trained": FLAG, "deterministic": FLAG, "error": TEXT},
    # batch_size is a real column because only those have a NaN: what is not trained has no batches.
    **{"precision": TEXT, "pretrain_split": TEXT, "encoder_version": WHOLE, "image_size": WHOLE, "batch_size": REAL, "protocol": WHOLE},
    **dict.fromkeys(("method_source", "method_version", "data_revision", "hyper_parameters", "recipe", "device"), TEXT),
    **{"cpu_seconds": REAL, "setup_seconds": REAL, "evaluation_seconds": REAL, "peak_memory_bytes": WHOLE},
    **{"hardware": TEXT, "threads": WHOLE, "commit": TEXT, "dirty": FLAG},
    **{"weights_sha256": TEXT, "finished": TEXT, "final_loss": REAL, "at_chance": FLAG, "short_of": TEXT},
    "snapshots": TEXT,
}
"""Columns of the frame and their types."""

_in_order = itemgetter(*COLUMNS)

ROW_ORDER = ("dataset", "method", "seed", "id", "evaluator", "eval_dataset", "metric", "weights", "split")


def tidy(runs: Iterable[tuple[list[tuple[int, Any]], list[Any]]]) -> "pandas.DataFrame":
    """A row per run x evaluator x metric, in an order that depends on nothing but the records.

    runs: of each run (part number, bench.records.record.RunRecord) of all parts in order, and the records whose results count.
    """
    import pandas

    rows = [row for parts, sound in runs for row in _rows(parts, sound)]
    order = itemgetter(*(list(COLUMNS).index(name) for name in ROW_ORDER))
    rows.sort(key=lambda row: ["" if value is None else value for value in order(row)])
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    return pandas.DataFrame(
        {name: pandas.Series(column, dtype=kind) for (name, kind), column in zip(COLUMNS.items(), columns, strict=True)}
    )


def final_loss(curve: Sequence[tuple[float, float]]) -> float | None:
    """A run's loss: the mean over the last tenth of its curve; None where there is none."""
    last = [loss for progress, loss in curve if progress >= 0.9]
    return fmean(last) if last else None


CLOSE = 0.001
"""Of the loss of guessing: a loss that is better by less says of no image more than of another."""


def at_chance(curve: Sequence[tuple[float, float]], chance_loss: float | None) -> bool:
    """Whether a run's loss is no better than what guessing has, or better by less than CLOSE of it."""
    loss = final_loss(curve)
    return chance_loss is not None and loss is not None and loss >= chance_loss - CLOSE * abs(chance_loss)


def dumped(snapshots: Sequence[Any]) -> str | None:
    """As JSON, a list of objects with the fields of bench.records.record.Snapshot; None where there are none."""
    return json.dumps([asdict(one) for one in snapshots], sort_keys=True) if snapshots else None


def one_name_each(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """The same with one name for each folder's content: one that it was given before that of its path, the first in the alphabet."""
    names: dict[str, str] = {}
    columns = ("dataset", "eval_dataset")
    labels = {label for column in columns for label in frame[column].dropna().unique() if label.startswith(LABEL)}
    for label in sorted(labels, key=lambda label: ("/@" in label, label)):
        names.setdefault(label.rpartition("@")[2], label)
    again = lambda label: names[label.rpartition("@")[2]] if label and label.startswith(LABEL) else label  # noqa: E731
    return frame.assign(**{column: frame[column].map(again).astype(TEXT) for column in columns}) if names else frame


def merge(some: "pandas.DataFrame", others: "pandas.DataFrame") -> "pandas.DataFrame":
    """Two tables of `tidy` as the one that it makes of all their runs."""
    import pandas

    if some.empty or others.empty:
        return (others if some.empty else some).reset_index(drop=True)
    both = pandas.concat([some, others])
    return both.sort_values(list(ROW_ORDER), key=lambda column: column.where(column.notna(), ""), kind="stable", ignore_index=True)


def _rows(parts: list[tuple[int, Any]], sound: list[Any]) -> list[tuple]:
    """The rows of one run; arguments as in `tidy`."""
    first, last = parts[0][1], parts[-1][1]
    source = sound[0] if sound else last  # whose training is reported: a failed part only where there is nothing better
    spec = RunSpec.from_json(source.spec)
    run = {
        **vars(spec),
        **{"cpu_seconds": None, **vars(source.cost)},
        **{name: json.dumps(source.spec[name], sort_keys=True) for name in ("hyper_parameters", "recipe")},
        **{"id": source.id, "suite": first.suite, "status": last.status, "error": last.error},
        **{"method": method_name(spec.method), "method_source": spec.method, "batch_size": spec.batch_size},
        **{"budget_unit": spec.budget.unit, "budget_amount": spec.budget.amount},
        **{"main_weights": source.weights, "uses_labels": source.uses_labels, "trained": source.trained},
        "deterministic": source.deterministic,
        "evaluation_seconds": sum(record.cost.evaluation_seconds for record in sound or [source]),
        **{"hardware": source.hardware.get("model"), "threads": source.environment.get("threads") or 0},
        **{"commit": source.environment.get("commit"), "dirty": bool(source.environment.get("dirty"))},
        **{"weights_sha256": source.weights_sha256, "finished": source.finished},
        "final_loss": final_loss(source.loss_curve),
        **{"at_chance": at_chance(source.loss_curve, source.chance_loss), "short_of": "; ".join(source.short_of) or None},
        "snapshots": dumped(source.snapshots),
    }
    dataset = labelled(spec.dataset, spec.data_revision or "")
    measured = {}
    for number, record in parts:
        for result in record.results if any(record is other for other in sound) else ():
            # The first part wins: test is read once, and a second reading changes nothing.
            target = dataset if result.dataset == record.spec["dataset"] else labelled(result.dataset)
            measured.setdefault((result.evaluator, target, result.split, result.metric, result.weights), (number, target, result))
    rows = []
    for number, target, result in measured.values():
        chosen = json.dumps(result.chosen, sort_keys=True) if result.chosen else "{}"
        rows.append({**run, **vars(result), "dataset": dataset, "eval_dataset": target, "chosen": chosen, "part": number})
    empty = dict.fromkeys(("evaluator", "eval_dataset", "metric", "value", "split", "chosen", "correct", "weights"))
    rows = rows or [{**run, **empty, "dataset": dataset, "n": 0, "part": parts[-1][0]}]
    return [_in_order(row) for row in rows]
