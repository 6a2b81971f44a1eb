"""The command `site`: a static site of every leaderboard, run, method, figure and data set, from the records."""

from pathlib import Path

import click

from bench.commands.console import note
from bench.defaults import COMMAND

MOST_NAMED = 20
"""Files that `--check` names; of more it says how many."""


@click.command()
@click.option(
    "--results", "folders", metavar="DIR", multiple=True, help="Folder of records; repeatable.  [default: those of records in results]"
)
@click.option("--output", metavar="DIR", default="site", show_default=True, help="Folder of the site.")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where the site is not as it would be written.")
def site(folders, output, check):
    """Write a static site of all results, which needs no server and no network: open DIR/index.html."""
    from bench.commands.request import require_writable
    from bench.commands.site_source import collected
    from reports.site import folder as place
    from reports.site.build import pages

    folder = Path(output)
    if not check:
        require_writable("--output", folder)
    place.require_ours(folder)
    made = pages(collected(folders))
    if not check:
        written = place.write(made, folder)
        size = sum(map(len, made.values()))
        click.echo(f"written: {len(written)} of {len(made)} files, {size / 2**20:,.1f} MiB, changed; open {folder / 'index.html'}")
        return
    stale = place.differing(made, folder)
    for name in stale[:MOST_NAMED]:
        click.echo(f"error: {folder / name} is not as it would be written", err=True)
    if stale:
        if len(stale) > MOST_NAMED:
            note(f"and {len(stale) - MOST_NAMED} more files")
        note(f"`{COMMAND} site --output {output}` writes them again")
        raise SystemExit(1)
    click.echo(f"as written: {len(made)} files in {folder}")
