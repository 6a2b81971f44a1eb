"""The command `list`: what there is, by name, with a line about each."""

import shutil
import sys
import textwrap
from pathlib import Path

import click

from bench.commands.as_json import say_json
from bench.commands.completion import names_from, of_lists
from bench.commands.options import JSON
from bench.defaults import COMMAND
from bench.errors import UserError, unknown


@click.command("list")
@click.argument("what", required=False, shell_complete=names_from(of_lists))
@click.option("--results", metavar="DIR", help="Of `list runs`: folder of records.  [default: results]")
@JSON
def list_names(what, results, as_json):
    """List methods, datasets, encoders, evals, suites or recipes; or the runs that a results folder has."""
    import methods
    from bench import suites
    from bench.data import catalogue
    from bench.encoders import table
    from bench.evaluation import registry
    from bench.plan import recipes

    tables = {
        "methods": lambda: [(name, methods.summary(name)) for name in methods.names()],
        "datasets": lambda: [(name, catalogue.summary(name)) for name in catalogue.names()],
        "encoders": lambda: [(name, f"{table.require(name).summary}\n{in_numbers(name)}") for name in table.names()],
        "evals": lambda: [(name, registry.summary(name)) for name in registry.names()],
        "suites": lambda: [(name, suites.summary(name)) for name in suites.names()],
        "recipes": lambda: [(name, recipes.summary(name)) for name in recipes.published()],
    }
    if what == "runs":
        list_runs(Path(results or "results"), as_json)
        return
    if results is not None:
        raise UserError(f"--results is for `{COMMAND} list runs`")
    if what is not None and what not in tables:
        raise unknown("list", what, (*tables, "runs"))
    if as_json:
        say_json({title: [{"name": name, "summary": text} for name, text in tables[title]()] for title in ([what] if what else tables)})
        return
    wide = terminal_width()
    for title in [what] if what else tables:
        rows = tables[title]()
        width = max(len(name) for name, _ in rows)
        click.echo(click.style(title, bold=True))
        for name, summary in rows:
            first, rest = f"  {name:<{width}}  ", " " * (width + 4)
            for number, line in enumerate(summary.split("\n")):
                lead = rest if number else first
                click.echo(textwrap.fill(line, max(wide, width + 30), initial_indent=lead, subsequent_indent=rest, break_on_hyphens=False))


def terminal_width() -> int:
    """Characters; no bound where it is none: a line is broken for who reads it, and left whole for a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def list_runs(folder: Path, as_json: bool) -> None:
    """A line for each run: what it is, how it ended, and what was measured of it."""
    from bench.commands.console import say_problems
    from bench.commands.report import elsewhere
    from bench.records.store import ResultStore

    store = ResultStore(folder)
    frame = store.frame()
    say_problems(store)
    if frame.empty:
        raise UserError(f"the results folder '{folder}' (--results) has no record{elsewhere(folder)}")
    runs = [
        {**{name: rows.iloc[0][name] for name in RUN}, "evaluators": sorted({name for name in rows["evaluator"] if name})}
        for _, rows in frame.groupby("id", sort=False)
    ]
    if as_json:
        say_json({"results": folder, "runs": runs})
        return
    for run in runs:
        budget = f"{run['budget_amount']:.3g} {run['budget_unit']}"
        name = f"{run['method']} seed {run['seed']}"
        what = f"{run['dataset']}, {run['encoder']}, {budget}"
        click.echo(
            f"{run['id']}  {name:<24} {run['status']:<9} {what}: {', '.join(run['evaluators']) or run['error'] or 'nothing measured'}"
        )


RUN = ("id", "method", "seed", "status", "dataset", "encoder", "budget_amount", "budget_unit", "suite", "error")
"""Columns of the frame that say what a run is."""


def in_short(number: float, gap: str = "") -> str:
    """Three digits and a unit: 11168832 -> 11.2M, 77392 -> 77.4k."""
    size, unit = next((size, unit) for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= size)
    return f"{number / size:#.3g}".rstrip(".") + gap + unit


def in_numbers(name: str) -> str:
    """An encoder's size, cost, features and users in one line, without building anything."""
    import methods
    from bench.encoders.table import FACTS_SIZE, require

    entry = require(name)
    facts = entry.facts
    cost = f"{in_short(facts.parameters)} parameters, {in_short(facts.flops, ' ')}FLOP an item of size {FACTS_SIZE}"
    version = f", version {entry.version}" if entry.version > 1 else ""
    return f"{cost}, {facts.dim} features, of {entry.takes}: {methods.users(name)}{version}"
