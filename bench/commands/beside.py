"""The options of what a run leaves beside its record: its weights, and its numbers for other programs to draw."""

import click

from bench.commands.completion import names_from, of_loggers
from bench.errors import UserError

KEEP = click.option(
    "--keep-weights", type=click.Choice(["none", "encoder"]), default="none", show_default=True, help="What lies beside each record."
)

LOG = click.option(
    "--log",
    "loggers",
    metavar="A,B",
    shell_complete=names_from(of_loggers, several=True),
    help="Also tell losses, learning rates, meters and results to: tensorboard, wandb, mlflow, csv.",
)


def require_kept(keep_weights: str, request) -> None:
    """A UserError where weights are to be kept of what is not exported, before anything is trained."""
    from bench.plan.fits import require_exported

    for name in dict.fromkeys(spec.dataset for spec in request.specs) if keep_weights != "none" else ():
        try:
            require_exported(request.data.require(name))
        except UserError as error:
            raise UserError(f"--keep-weights {keep_weights}: {error}") from error


def loggers_of(names: str | None) -> dict[str, tuple]:
    """Fields of a bench.run.place.Place. A UserError where one of the loggers is not there, or cannot begin here."""
    from bench.commands import grid
    from bench.run.logger import require_ready

    asked = tuple(grid.comma_list(names, "--log")) if names is not None else ()
    require_ready(asked)
    return {"loggers": asked}
