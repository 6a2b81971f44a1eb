"""The commands `submit` and `accept`: somebody's records packed into one folder, and that folder checked before it is taken in."""

from pathlib import Path

import click

from bench.commands.console import note
from bench.defaults import COMMAND
from bench.errors import UserError


@click.command()
@click.argument("results", metavar="DIR")
@click.argument("runs", nargs=-1, metavar="[RUN ...]")
@click.option("--output", metavar="DIR", default="submission", show_default=True, help="New folder, which a pull request can hold.")
@click.option("--by", metavar="NAME", default="", help="Who hands it in.")
def submit(results, runs, output, by):
    """Pack the records of DIR, or the RUNs named, and the files of their methods into one folder, for others to check."""
    folder = Path(results)
    if not folder.is_dir():
        raise UserError(f"the results folder '{results}' is not there")
    from bench.audit import runs as recorded
    from bench.audit.submission import pack

    chosen = [recorded.require(recorded.read([folder]), beginning).id for beginning in runs]
    made = pack(folder, Path(output), by, chosen, lambda name: click.echo(f"packed {output}/{name}"))
    click.echo(f"done   {len(made)} records in {output}; `{COMMAND} accept {output}` is what will be asked of it")


@click.command()
@click.argument("folder", metavar="FOLDER")
@click.option("--results", multiple=True, metavar="DIR", help="Folder of records that are there already; repeatable.  [default: results]")
@click.option("--run-code", is_flag=True, help="Also hold its method files to the contract. This runs them: read them first.")
def accept(folder, results, run_code):
    """Check a submission: nothing is trained, and nothing of it is run unless you say so. Exit code 1 where something is wrong."""
    from bench.audit import accept as checks
    from bench.audit.consistent import LOOKED_AT
    from bench.audit.submission import read
    from bench.records.paths import stores
    from bench.records.store import ResultStore

    place = Path(folder)
    listed, store = read(place), ResultStore(place)
    records = store.files_of()
    others = [Path(each) for each in results] or stores(Path("results"))
    others = [other for other in others if other.resolve() != place.resolve()]
    wrong = list(checks.findings(place, listed, records, store.problems, others))
    own = checks.own_methods(records)
    if run_code and not wrong:
        wrong += checks.keeps_contract(place, records)
    for text in wrong:
        click.echo(f"wrong  {text}")
    for text in checks.notes(records):
        note(text)
    if wrong:
        click.echo(f"refused: {len(wrong)} thing{'s' * (len(wrong) > 1)} of {folder} must be put right")
        raise SystemExit(1)
    click.echo(f"looked at {len(listed.files)} files and {len(records)} records: {LOOKED_AT}; versions, methods, other folders")
    if own and not run_code:
        note(f"not looked at: whether {', '.join(own)} keeps the contract, which runs it (--run-code, once you have read it)")
    said = " --run-code" * bool(own)
    click.echo(
        f"accepted: {len(records)} records stand in {folder} as unverified; `{COMMAND} verify {len(records)} --results {folder}{said}`"
    )
