"""What `report` writes: every page and figure of some tables; and whether a folder of them is as it would be written."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import click
import pandas

from bench.commands.request import Request
from bench.errors import UserError
from bench.records.store import ResultStore
from reports.tables.build import build
from reports.tables.table import Table


class Reported(NamedTuple):
    """What is written about."""

    store: ResultStore
    frame: pandas.DataFrame
    """Of it, or of a part."""
    tables: list[Table]
    """Of the frame."""
    versions: tuple[dict[str, int], dict[str, int]]
    """Of methods and of encoders, by name, that tables were made by."""
    units: dict[str, str]
    """Of data sets, by name: what the size of their items is a number of."""
    planned: dict[str, tuple]
    """A suite's name -> its complete runs."""
    beside: dict[str, Request]
    """Suites whose tables stand in overview.md too."""


def write_pages(reported: Reported, folder: Path) -> list[Path]:
    """Every page and figure, into a folder; the files."""
    import methods
    from bench.data import catalogue
    from reports.pages import agreement, budgets, differences, leaderboard, met, overview, published
    from reports.plots import budget_curves, cost, families, losses, profiles, snapshots, years
    from reports.tables.budgets import courses

    frame, tables, versions = reported.frame, reported.tables, reported.versions
    written = leaderboard.write(tables, folder) + differences.write(tables, folder) + agreement.write(tables, folder)
    written += cost.write(tables, folder) + profiles.write(tables, folder)
    family = {name: methods.family(name) for name in methods.names()}
    year_of = {name: year for name in family if (year := methods.year(name))}
    written += families.write(tables, folder, family) + years.write(tables, folder, year_of, family)
    more, planned = tables_beside(reported)
    settings, searches = searched(planned)
    written += overview.write([*tables, *more], folder, overview.Facts(family, year_of, settings, searches))
    along = courses(tables)
    written += budgets.write(along, folder) + budget_curves.write(along, folder) + snapshots.write(tables, folder)
    shown = {run for table in tables for row in table.rows for _, run in row.runs}
    curves = {record.id: record.loss_curve for record in reported.store.records(shown) if record.loss_curve}
    written += losses.write(tables, folder, curves)
    sizes = {name: catalogue.entry(name).sizes for name in catalogue.names()}
    return written + published.write(tables, folder, frame, sizes, versions) + met.write(tables, folder, frame, sizes, versions)


def tables_beside(reported: Reported) -> tuple[list[Table], dict[str, tuple]]:
    """The tables of the suites beside, and the runs of all suites by name."""
    tables, planned = [], dict(reported.planned)
    for name, request in reported.beside.items():
        plan, _, frame = recorded_of(request)
        planned[name] = plan.runs
        tables += [] if frame.empty else build(frame, *reported.versions, reported.units)
    return tables, planned


def recorded_of(request: Request) -> tuple[Any, Any, pandas.DataFrame]:
    """(plan, store, the frame of the plan's runs) of a request that describes runs."""
    plan, store = request.plan(look=True)
    frame = store.frame()
    mine = pandas.DataFrame(frame[frame["id"].isin([run.id for run in plan.runs])])
    return plan, store, mine.reset_index(drop=True)


def searched(planned: dict[str, tuple]) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """(a run's id -> its setting in words, (method, encoder) -> FLOPs of the search), of the methods of suites that `tune` has searched.
    planned: as in `Reported`."""
    from bench.suites._tuned import read
    from reports.pages.overview import DEFAULT, SAME, TUNED

    settings, searches = {}, {}
    for suite, runs in planned.items():
        chosen = read(suite) if "@" not in suite else {}
        for run in runs:
            if found := chosen.get((run.method, run.encoder)):
                word = (TUNED if any(found.settings.values()) else SAME) if found.is_at(run) else DEFAULT
                settings[run.id], searches[run.method, run.encoder] = word, found.search_flops
    return settings, searches


def compared(reported: Reported, folder: Path) -> None:
    """Say which files of the folder are not as they would be written; then exit code 1. Not all that is written need be in it."""
    there = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not there:
        raise UserError(f"there is nothing to compare in '{folder}' (--output)")
    with tempfile.TemporaryDirectory() as made:
        write_pages(reported, Path(made))
        again = {path: Path(made, path.name) for path in there}
        stale = [path for path, other in again.items() if not other.is_file() or other.read_bytes() != path.read_bytes()]
    for path in stale:
        click.echo(f"error: {path} is not as it would be written", err=True)
    if stale:
        raise SystemExit(1)
    click.echo(f"as written: {len(there)} files in {folder}")
