"""The options of `run` and `retry` that evaluate a run on its way, and what they are checked for before anything is trained."""

import itertools

import click

from bench.commands.completion import names_from, of_evaluators
from bench.commands.options import options
from bench.errors import UserError

DEFAULT = "validation,label_free"
"""Neither reads test; the second says whether features have collapsed, and joins where it was not asked for."""

SNAPSHOTS = options(
    click.option("--snapshots", metavar="0.05,0.1,...", help="Evaluate each run on its way, at these shares of its budget; on val alone."),
    click.option(
        "--snapshot-evals",
        metavar="A,B",
        shell_complete=names_from(of_evaluators, several=True),
        help=f"Its evaluators there; some read test, and the record says so.  [default: {DEFAULT}]",
    ),
)


def snapshots_of(shares: str | None, evals: str | None, request) -> dict[str, tuple]:
    """Fields of a bench.run.place.Place, for runs of a request. A UserError where shares are not increasing within (0, 1], or an evaluator
    is not there for the runs' data."""
    from bench.commands import grid
    from bench.commands.console import note
    from bench.evaluation import registry
    from bench.plan.names import check_all

    if shares is None:
        if evals is not None:
            raise UserError("--snapshot-evals is for --snapshots: say at which shares of the budget, as in --snapshots 0.1,0.5")
        return {}
    asked = tuple(map(share_of, shares.split(",")))
    for before, after in itertools.pairwise(asked):
        if after <= before:
            raise UserError(f"--snapshots {shares}: {after:g} does not come after {before:g}; expected increasing shares, each once")
    requests = tuple(grid.comma_list(DEFAULT if evals is None else evals, "--snapshot-evals"))
    requests += () if "label_free" in requests else ("label_free",)
    check_all(request.specs, requests, request.data)
    if reading := [one for one in requests if registry.reads_test(registry.parse(one)[0])]:
        note(f"snapshots read test, by {', '.join(reading)}: choose nothing by them; their records say so")
    return {"snapshots": asked, "snapshot_evals": requests}


def share_of(text: str) -> float:
    """'0.05' -> 0.05"""
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"--snapshots has '{text}'; expected shares of the budget above 0 and up to 1, as in 0.05,0.1,0.25,0.5,1")
    return share
