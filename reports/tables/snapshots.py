"""What was measured of a setting within its runs, share by share of their budget, from the records' snapshots.

    on_the_way(setting.runs, found)      (OnTheWay(0.05, 0.0512, 2048, {"val:knn_top1": Cell(...), ...}, collapsed=0), ...)

Cells are made as a table's are, over the seeds that were looked at there; no table has them as its own.
"""

import json
import math
from collections.abc import Sequence
from statistics import fmean

from bench.records.record import COLLAPSE
from reports.tables.cells import cells_of
from reports.tables.columns import Column
from reports.tables.settings import Measured, Run
from reports.tables.table import OnTheWay


def on_the_way(runs: Sequence[Run], found: dict[str, Column]) -> tuple[OnTheWay, ...]:
    """By the share that was asked for; the columns of accuracies are added to `found`."""
    by_share: dict[float, list[tuple[Run, dict]]] = {}
    for run in runs:
        for one in json.loads(run.snapshots) if isinstance(run.snapshots, str) else ():
            by_share.setdefault(one["asked"], []).append((run, one))
    looks = []
    for share, taken in sorted(by_share.items()):
        measured = [result for run, one in taken for result in _measured(one, run)]
        columns: dict[str, Column] = {}
        cells = cells_of(measured, columns)
        accuracies = {key: column for key, column in columns.items() if column.kind == "accuracy"}
        found |= accuracies
        collapsed = sum((result.evaluator, result.metric) == COLLAPSE and result.value > 0 for result in measured)
        reached, images = (fmean(one[name] for _, one in taken) for name in ("share", "images"))
        looks.append(OnTheWay(share, reached, images, {key: cells[key] for key in accuracies}, collapsed))
    return tuple(looks)


def _measured(one: dict, run: Run) -> list[Measured]:
    """The finite numbers of a snapshot, of the weights that count."""
    results = [result for result in one["results"] if result["weights"] is None and result["value"] is not None]
    return [
        Measured(
            **{name: result.get(name) for name in Measured._fields} | {"eval_dataset": result["dataset"], "seed": run.seed, "id": run.id}
        )
        for result in results
        if math.isfinite(result["value"])
    ]
