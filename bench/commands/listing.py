"""The command `list`: what there is, by name, with a line about each."""

import click

from bench.errors import unknown


@click.command("list")
@click.argument("what", required=False)
def list_names(what):
    """List methods, datasets, encoders, evals, suites or recipes."""
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
    if what is not None and what not in tables:
        raise unknown("list", what, tables)
    for title in [what] if what else tables:
        rows = tables[title]()
        width = max(len(name) for name, _ in rows)
        click.echo(click.style(title, bold=True))
        for name, summary in rows:
            click.echo(f"  {name:<{width}}  " + summary.replace("\n", "\n" + " " * (width + 4)))


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
    cost = f"{in_short(facts.parameters)} parameters, {in_short(facts.flops, ' ')}FLOP an image at {FACTS_SIZE} px"
    version = f", version {entry.version}" if entry.version > 1 else ""
    return f"{cost}, {facts.dim} features, {methods.users(name)}{version}"
