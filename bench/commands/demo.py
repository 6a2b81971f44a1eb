"""The command `demo`: the demo suite trained and evaluated, and its leaderboard."""

import click

from bench.commands.options import PLACES, WORKERS
from bench.commands.report import report
from bench.commands.run import run


@click.command()
@PLACES
@WORKERS
@click.option("--output", metavar="DIR", help="Folder of the leaderboard and figures.  [default: reports/demo]")
@click.pass_context
def demo(context, output, **places):
    """Train and evaluate the demo suite, and print its leaderboard."""
    context.invoke(run, suite="demo", **places)
    click.echo()
    places = {name: places[name] for name in ("threads", "processes", "results", "data_root", "scratch")}
    context.invoke(report, suite="demo", output=output, as_json=False, **places)
