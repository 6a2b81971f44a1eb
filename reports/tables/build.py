"""From the frame of all runs to comparable tables: which runs may stand in one table, and what each is made of.

    for table in build(store.frame()): table.title, table.columns, table.rows, table.lines

What a table is: table.py. What is in a cell: cells.py. Who is first: ranks.py. What is said in words: lines.py. Writers are in
reports/pages, drawings in reports/plots.
"""

import hashlib
from collections.abc import Mapping

import pandas

from bench.defaults import COMMAND
from bench.errors import UserError
from reports.tables import columns as kinds
from reports.tables.cells import cells_of, with_aggregate
from reports.tables.columns import Column
from reports.tables.comparisons import compare
from reports.tables.costs import costs_of, places, usual, where_seconds
from reports.tables.labels import labels
from reports.tables.lines import listed, not_drawn, notes, title, total, unfinished
from reports.tables.ranks import ranked, with_ties
from reports.tables.table import KEY, SETTING, Row, Table
from reports.tables.versions import left_out, newest

NOTHING_DRAWN = hashlib.sha256().hexdigest()
"""Hash of no weights at all."""


def build(frame: pandas.DataFrame, methods: Mapping[str, int] | None = None, encoders: Mapping[str, int] | None = None) -> list[Table]:
    """A table for each set of comparable runs, sorted by KEY, of the newest versions of methods and encoders alone.

    methods, encoders: the versions that the code has now, by name: an older record never stands in for a newer code's. Raises UserError
    where there is nothing to report."""
    if frame.empty:
        where = frame.attrs.get("folder")
        raise UserError(f"nothing to report: there is no record{f' in {where}' if where else ''}. Make some with: {COMMAND} run")
    frame = frame.assign(device=_devices(frame)).fillna(dict.fromkeys(("data_revision", "hyper_parameters", "recipe"), ""))
    alike = [name for name in KEY if name != "encoder_version"]
    tables = []
    for key, runs in frame.groupby(alike, sort=True, dropna=False):
        shown = newest(runs, methods or {}, encoders or {})
        version = int((runs if shown.empty else shown).encoder_version.max())
        known = dict(zip(alike, key, strict=True)) | {"encoder_version": version}
        tables.append(_table({name: known[name] for name in KEY}, shown, left_out(runs, shown)))
    return tables


def _devices(frame: pandas.DataFrame) -> list[str]:
    """What a budget in seconds depends on; empty for every other unit."""
    facts = zip(frame.budget_unit, frame.device, frame.hardware, frame.threads, strict=True)
    return [(device or f"{model}, {threads} threads") if unit == "seconds" else (device or "") for unit, device, model, threads in facts]


def _table(key: dict[str, object], frame: pandas.DataFrame, left: str) -> Table:
    """Of runs that are comparable and of the newest versions. left: what is said of those that are not."""
    groups = list(frame.groupby(list(SETTING), sort=True))
    names = labels([dict(zip(SETTING, setting, strict=True)) for setting, _ in groups])
    found: dict[str, Column] = {}
    here = usual(list(places(frame.drop_duplicates("id"))))
    rows, alternates = [], []
    for label, (_, runs) in zip(names, groups, strict=True):
        main = runs[runs.weights.isna()]
        constant = _constant(runs)
        cells = {**cells_of(main, found, constant), **costs_of(runs, found, here)}
        seeds, lost = main[main.evaluator.notna()].id.nunique(), bool((runs.status != "done").any())
        rows.append(Row(label, _kind(runs), seeds, cells, None, notes(runs), lost, constant))
        for weights, other in runs[runs.weights.notna()].groupby("weights"):
            alternates.append((f"{label} {weights}", cells_of(other, found)))
    columns = tuple(sorted(found.values(), key=kinds.position))
    rows = with_aggregate(rows, columns)
    if any(kinds.AGGREGATE.key in row.cells for row in rows):
        columns = tuple(sorted((*columns, kinds.AGGREGATE), key=kinds.position))
    ranked_by = next((column.key for column in columns if column.kind == "accuracy" and column.ranks), None)
    compared = {column.key: compare(rows, column.key) for column in columns if column.kind == "accuracy"}
    rows = ranked(with_ties(rows, columns, compared), ranked_by, compared)
    lines = [unfinished(frame, dict(zip([tuple(setting) for setting, _ in groups], names, strict=True)))]
    lines += [f"Other weights: {label}: {listed(cells, columns)}." for label, cells in alternates]
    lines += [left, not_drawn(rows, ranked_by), where_seconds(rows, here), total(frame)]
    return Table(key, title(key, rows), columns, rows, ranked_by, tuple(line for line in lines if line), compared)


def _kind(runs: pandas.DataFrame) -> str:
    return "floor" if not runs.trained.any() else "ceiling" if runs.uses_labels.any() else "method"


def _constant(runs: pandas.DataFrame) -> bool:
    """Whether it is a floor of which no seed decides anything: it says so, or, in older records, has no weights or those of all seeds
    are the same."""
    weights = runs.drop_duplicates("id").weights_sha256
    same = weights.notna().all() and weights.nunique() == 1
    found = runs.deterministic.all() or (same and (len(weights) > 1 or weights.iloc[0] == NOTHING_DRAWN))
    return _kind(runs) == "floor" and bool(found)
