"""The command `check`: does a method keep the contract."""

import click

from bench.commands.completion import names_from, of_methods


@click.command()
@click.argument("method", shell_complete=names_from(of_methods))
@click.option("--encoder", metavar="NAME", help="Encoder to check with.  [default: one that the method can use]")
def check(method, encoder):
    """Check a method of yours (a path), or one of ours, against the contract."""
    import methods
    from bench.encoders import table

    methods.require(method)
    if encoder:
        table.require(encoder)
    from bench.conformance import outcomes
    from bench.conformance.case import Case

    case = Case(method, encoder)
    click.echo(f"{method}: checked with {case.encoder}{', a quarter as wide' if case.narrow < 1 else ''}")
    failed = left = 0
    for outcome in outcomes(case):
        failed += outcome.looked_at and not outcome.passed
        left += not outcome.looked_at and not outcome.passed
        mark = "–   " if not outcome.looked_at else "ok  " if outcome.passed else "FAIL"
        said = "" if not outcome.reason else f"  {outcome.reason}" if not outcome.looked_at else f"\n      {outcome.reason}"
        click.echo(f"{mark}  {outcome.name}{said}")
    also = f", {left} not looked at" if left else ""
    click.echo(f"{method}: " + ("keeps the contract" if not failed else f"{failed} check{'s' * (failed > 1)} failed{also}"))
    if failed:
        raise SystemExit(1)
