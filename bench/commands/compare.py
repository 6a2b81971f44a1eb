"""The command `compare`: two folders of records, setting by setting, seeds paired."""

from collections import Counter
from pathlib import Path

import click

from bench.commands.as_json import say_json
from bench.commands.console import say_problems
from bench.commands.options import JSON
from bench.errors import UserError, unknown


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--columns", metavar="A,B", help="These alone, by header or as leaderboard.csv names them.  [default: those of the tables]")
@JSON
def compare(first, second, columns, as_json):
    """Say by how much the numbers in folder B are not those in A, with intervals: another machine, or another state of the code.

    Settings are paired where all is the same but versions of code, and seeds that both have; what is equal to the last bit is counted and
    not listed."""
    from bench.commands import grid
    from bench.records.store import ResultStore
    from reports.pages import markdown
    from reports.tables.columns import rounded
    from reports.tables.two_folders import side_by_side

    frames = []
    for folder in map(Path, (first, second)):
        if not folder.is_dir():
            raise UserError(f"the results folder '{folder}' is not there")
        frames.append((store := ResultStore(folder)).frame())
        say_problems(store)
        if frames[-1].empty:
            raise UserError(f"'{folder}' holds no record; expected a folder of records, as results/cifar10")
    found = side_by_side(*frames)
    wanted = grid.comma_list(columns, "--columns") if columns else None
    known = {name for pair in found.pairs for name in (pair.column, pair.header)}
    for name in wanted or ():
        if name not in known:
            raise unknown("column", name, known, "Columns that both have: " + ", ".join(sorted({pair.header for pair in found.pairs})))
    pairs = [pair for pair in found.pairs if (pair.shown if wanted is None else {pair.column, pair.header} & set(wanted))]
    if as_json:
        told = {"versions": found.versions, "ambiguous": found.ambiguous, "alone": found.alone, "pairs": pairs}
        say_json({"first": first, "second": second, **told})
        return
    if not found.pairs:
        raise UserError(f"'{first}' and '{second}' have no setting and seed in common: {found.alone[0]} and {found.alone[1]} of their own")
    apart = [pair for pair in pairs if pair.standing != "equal"]
    if apart:
        head = ["setting", "column", "seeds", first, second, "B - A", "95 %", ""]
        body = [
            [
                *(pair.setting, pair.header, str(len(pair.seeds)), rounded(pair.first), rounded(pair.second), f"{pair.difference:+.3g}"),
                "–" if pair.half_width is None else f"± {pair.half_width:.3g}",
                pair.standing,
            ]
            for pair in apart
        ]
        click.echo(markdown.grid(head, body, left=("setting", "column", "")))
    for line in (*found.versions, *(f"{name}: several versions of code in one of them and none in both" for name in found.ambiguous)):
        click.echo(f"code   {line}")
    counts = Counter(pair.standing for pair in pairs)
    said = ", ".join(f"{counts[word]:,} {word}" for word in ("equal", "alike", "above", "below", "no statement") if counts[word])
    click.echo(f"pairs  {len(pairs):,} numbers of {len({pair.setting for pair in pairs}):,} settings: {said}")
    judged = sum(counts[word] for word in ("alike", "above", "below"))
    if judged:
        click.echo(
            f"chance {counts['above'] + counts['below']} lie beyond their own interval; of {judged} alone about {judged / 20:.1f} would"
        )
    if any(found.alone):
        click.echo(f"alone  {found.alone[0]:,} settings only {first} has, {found.alone[1]:,} only {second}")
