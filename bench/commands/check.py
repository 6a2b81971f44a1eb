"""The command `check`: does a method keep the contract."""

import click


@click.command()
@click.argument("method")
@click.option("--encoder", metavar="NAME", help="Encoder to check with.  [default: one that the method can use]")
def check(method, encoder):
    """Check a method of yours (a path), or one of ours, against the contract."""
    import methods
    from bench.encoders import table

    methods.require(method)
    if encoder:
        table.require(encoder)
    from bench.conformance import check_method

    failed = 0
    for outcome in check_method(method, **({"encoder": encoder} if encoder else {})):
        failed += not outcome.passed
        click.echo(f"{'ok  ' if outcome.passed else 'FAIL'}  {outcome.name}" + (f"\n      {outcome.reason}" if not outcome.passed else ""))
    click.echo(f"{method}: " + ("keeps the contract" if not failed else f"{failed} check{'s' * (failed > 1)} failed"))
    if failed:
        raise SystemExit(1)
