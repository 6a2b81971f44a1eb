"""The command line: the commands in their order, and what a mistake, a warning or Ctrl-C looks like.

    python run_bench.py --help     in a checkout
    sslbench --help                where it is installed

Nothing heavy is imported before every name has been checked.
"""

import os
import sys
import warnings
from pathlib import Path

import click

from bench import __version__
from bench.commands import (
    check,
    cite,
    clean,
    compare,
    completion,
    data,
    demo,
    doctor,
    evaluate,
    export,
    figure,
    listing,
    plan,
    queue,
    report,
    run,
    show,
    site,
    status,
    submit,
    tune,
    verify,
    views,
)
from bench.commands.console import Stopped
from bench.commands.options import Commands
from bench.commands.streams import plain_streams
from bench.defaults import COMMAND, COMMAND_VARIABLE, ROOT
from bench.errors import UserError

COMMANDS = (
    *(demo.demo, listing.list_names, plan.plan, run.run, queue.queue, tune.tune, evaluate.evaluate, export.export),
    *(status.status, status.cancel, run.retry, show.show, status.logs),
    *(report.report, site.site, figure.figure, compare.compare, verify.verify, submit.submit, submit.accept, cite.cite),
    *(check.check, views.views, doctor.doctor, data.data, clean.clean, completion.completion),
)
"""In the order of the help page."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sslbench", message="%(prog)s %(version)s", help="Show the version and exit.")
def cli():
    """Compare self-supervised methods under one budget and one protocol."""


for command in COMMANDS:
    cli.add_command(command)


def show_warning(message, category, filename, *rest) -> None:
    """One of ours as a line for the user; a library's with the place that it comes from."""
    ours = category is UserWarning and Path(filename).is_relative_to(ROOT / "bench")
    click.echo(f"note: {message}" if ours else warnings.formatwarning(message, category, filename, rest[0]).rstrip(), err=True)


@plain_streams()
def main() -> None:
    """Run a command; a mistake in what was typed is one line on standard error and exit code 2."""
    warnings.showwarning = show_warning
    os.environ[COMMAND_VARIABLE] = COMMAND  # for messages of workers
    try:
        cli(sys.argv[1:] or ["--help"], standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(2)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Stopped as error:
        click.echo(f"interrupted: {error}", err=True)
        sys.exit(130)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
