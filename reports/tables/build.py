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
from reports.tables import provenance
from reports.tables.cells import cells_of, with_aggregate, with_clid
from reports.tables.columns import Column
from reports.tables.comparisons import compare
from reports.tables.costs import costs_of, usual, where_seconds
from reports.tables.labels import labels
from reports.tables.lines import listed, not_drawn, notes, title, total, trained_elsewhere, unfinished
from reports.tables.ranks import ranked, with_ties
from reports.tables.settings import ELSEWHERE, Setting, settings_of
from reports.tables.snapshots import on_the_way
from reports.tables.table import KEY, PIXELS, SETTING, Row, Table
from reports.tables.versions import left_out, newest

NOTHING_DRAWN = hashlib.sha256().hexdigest()
"""Hash of no weights at all."""


def build(
    frame: pandas.DataFrame,
    methods: Mapping[str, int] | None = None,
    encoders: Mapping[str, int] | None = None,
    units: Mapping[str, str] | None = None,
) -> list[Table]:
    """A table for each set of comparable runs, sorted by KEY, of the newest versions of methods and encoders alone.

    methods, encoders: the versions that the code has now, by name: an older record never stands in for a newer code's. units: what the
    size of a data set's items is a number of, where it is not pixels. Raises UserError where there is nothing to report."""
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
        unit = (units or {}).get(known["dataset"], PIXELS)
        tables.append(_table({name: known[name] for name in KEY}, shown, left_out(runs, shown), unit))
    return tables


def _devices(frame: pandas.DataFrame) -> list[str]:
    """What a budget in seconds depends on; empty for every other unit."""
    facts = zip(frame.budget_unit, frame.device, frame.hardware, frame.threads, strict=True)
    return [(device or f"{model}, {threads} threads") if unit == "seconds" else (device or "") for unit, device, model, threads in facts]


def _table(key: dict[str, object], frame: pandas.DataFrame, left: str, unit: str) -> Table:
    """Of runs that are comparable and of the newest versions. left: what is said of those that are not."""
    settings = settings_of(frame)
    names = labels([dict(zip(SETTING, setting.key, strict=True)) for setting in settings])
    found: dict[str, Column] = {}
    within: dict[str, Column] = {}
    here = usual([run for setting in settings for run in setting.runs])
    rows, alternates = [], []
    for label, setting in zip(names, settings, strict=True):
        constant, main = _constant(setting), [result for result in setting.results if result.weights is None]
        cells = {**cells_of(main, found, constant), **costs_of(setting.runs, found, here)}
        seeds, lost = len({result.id for result in main}), any(run.status != "done" for run in setting.runs)
        ran, looks = tuple((run.seed, run.id) for run in setting.runs), on_the_way(setting.runs, within)
        rows.append(Row(label, setting.kind, seeds, cells, None, notes(setting), lost, constant, setting.key, ran, looks))
        for weights in sorted({result.weights for result in setting.results if result.weights is not None}):
            others = [result for result in setting.results if result.weights == weights]
            alternates.append((f"{label} {weights}", cells_of(others, found)))
    columns = tuple(sorted(found.values(), key=kinds.position))
    rows = with_clid(with_aggregate(rows, columns))
    over_columns = [column for column in (kinds.AGGREGATE, kinds.CLID) if any(column.key in row.cells for row in rows)]
    columns = tuple(sorted((*columns, *over_columns), key=kinds.position))
    ranked_by = next((column.key for column in columns if column.kind == "accuracy" and column.ranks), None)
    compared = {column.key: compare(rows, column.key) for column in columns if column.kind == "accuracy"}
    rows = ranked(with_ties(rows, columns, compared), ranked_by, compared)
    lines = [unfinished(frame, {setting.key: name for setting, name in zip(settings, names, strict=True)})]
    lines += [f"Other weights: {label}: {listed(cells, columns)}." for label, cells in alternates]
    lines += [trained_elsewhere(frame), left, not_drawn(rows, ranked_by), where_seconds(rows, here), total(frame)]
    return Table(
        key,
        title(key, rows, unit=unit),
        columns,
        rows,
        ranked_by,
        tuple(line for line in lines if line),
        compared,
        provenance.of(frame).commits,
        tuple(sorted(within.values(), key=kinds.position)),
    )


def _constant(setting: Setting) -> bool:
    """Whether it is a floor of which no seed decides anything: it says so, or, in older records, has no weights or those of all seeds
    are the same."""
    weights = {run.weights_sha256 for run in setting.runs}
    same = None not in weights and len(weights) == 1 and (len(setting.runs) > 1 or weights == {NOTHING_DRAWN})
    return setting.kind in ("floor", ELSEWHERE) and (all(run.deterministic for run in setting.runs) or same)
