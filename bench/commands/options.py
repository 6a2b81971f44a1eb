"""The options that several commands of run_bench.py share, and a group of commands that says "did you mean"."""

import click

from bench.commands.as_json import keep_apart
from bench.commands.completion import names_from, of_datasets, of_encoders, of_evaluators, of_methods, of_suites
from bench.defaults import COMMAND, DEFAULT_DATASET, DEFAULT_EVALS, DEFAULT_SEEDS, PRECISIONS, PRETRAIN_SPLITS, RECIPES
from bench.errors import unknown


class Commands(click.Group):
    """Commands with "did you mean", listed in the order they are defined."""

    def list_commands(self, context):
        return list(self.commands)

    def resolve_command(self, context, arguments):
        if arguments and self.get_command(context, arguments[0]) is None:
            raise unknown("command", arguments[0], self.commands, f"All commands: {COMMAND} --help")
        return super().resolve_command(context, arguments)


def options(*decorators):
    """One decorator out of several click options, in the order given."""

    def decorate(function):
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


DATA_ROOT = click.option("--data-root", metavar="DIR", help="Folder of data sets.  [default: $SSLBENCH_DATA, or data]")
RECIPE = click.option("--recipe", metavar="|".join(RECIPES), help="Numbers that --set starts from.  [default: small]")
SETTINGS = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A hyper-parameter, or recipe.FIELD; KEY=A,B tries both. Repeatable."
)

JSON = click.option("--json", "as_json", is_flag=True, callback=keep_apart, help="As JSON, for a program.")

PLACES = options(
    click.option(
        "--threads", type=click.IntRange(1), metavar="N", help="CPU threads of a run.  [default: 1; with GPUs the cores over them]"
    ),
    click.option("--results", metavar="DIR", help="Folder of records.  [default: results, or the suite's own]"),
    click.option("--processes", type=click.IntRange(1), default=1, metavar="N", help="Processes that share each run.  [default: 1]"),
    DATA_ROOT,
    click.option("--scratch", metavar="DIR", help="Folder of checkpoints and logs.  [default: $SSLBENCH_SCRATCH, or .scratch]"),
)

DESCRIBED = options(
    click.option(
        "--dataset",
        metavar="NAME",
        shell_complete=names_from(of_datasets),
        help=f"Data set: a name, folder:PATH, or MINE=folder:PATH.  [default: {DEFAULT_DATASET}]",
    ),
    click.option(
        "--encoder",
        metavar="NAME",
        shell_complete=names_from(of_encoders),
        help="Encoder.  [default: the data set's]",
    ),
    click.option("--image-size", type=int, metavar="PX", help="Pixels a side, of text tokens.  [default: the data set's]"),
    click.option("--batch-size", type=int, metavar="N", help="Items in the global batch.  [default: the method's]"),
    click.option("--precision", metavar="|".join(PRECISIONS), help="[default: bf16 where the device has it]"),
    click.option("--pretrain-split", metavar="|".join(PRETRAIN_SPLITS), help="[default: train]"),
    click.option("--budget", metavar="AMOUNT+UNIT", help="20000items, 500steps, 2e15flops, 600s or 10epochs."),
    click.option("--seeds", metavar="0,1,2", help=f"Or a range, as 0-4. Of a suite: these of it.  [default: {DEFAULT_SEEDS}]"),
    RECIPE,
    SETTINGS,
)
"""What runs are, but for their methods and how they are evaluated."""

RUNS = options(
    click.argument("suite", required=False, shell_complete=names_from(of_suites)),
    click.option(
        "--method",
        metavar="A,B",
        shell_complete=names_from(of_methods, several=True),
        help="Methods: names, paths to files of your own, all, or family:contrastive. Of a suite: these of it.",
    ),
    DESCRIBED,
    click.option(
        "--evals",
        "requests",
        metavar="A,B",
        shell_complete=names_from(of_evaluators, several=True),
        help=f"Evaluators.  [default: {DEFAULT_EVALS}, or the suite's own]",
    ),
    PLACES,
)

WORKERS = options(
    click.option("--launcher", default=None, metavar="local|debug|slurm", help="[default: local]"),
    click.option(
        "--workers", type=click.IntRange(1), metavar="N", help="Runs at a time, with launcher local.  [default: as the cores allow]"
    ),
    click.option(
        "--checkpoint-every", type=click.FloatRange(0), default=60.0, metavar="SECONDS", show_default=True, help="At most this is lost."
    ),
    click.option("--compile", "compiled", is_flag=True, help="Compile encoders: steps take less time, the start some ten seconds more."),
)

SLURM = options(
    click.option("--cluster", metavar="FILE.toml", help="Profile of a SLURM cluster; the options below win over it."),
    click.option("--partition", metavar="NAME"),
    click.option("--account", metavar="NAME"),
    click.option("--qos", metavar="NAME"),
    click.option("--constraint", metavar="FEATURES"),
    click.option("--time", metavar="TIME", help="Of a job: minutes, H:M:S or D-H:M:S.  [default: 4:00:00]"),
    click.option("--memory", metavar="SIZE", help="Of a node, as 32G."),
    click.option("--cpus", type=click.IntRange(1), metavar="N", help="Of each process.  [default: 4]"),
    click.option("--gpus-per-run", type=click.IntRange(0), metavar="N", help="0: on CPUs.  [default: 1]"),
    click.option("--nodes-per-run", type=click.IntRange(1), metavar="N", help="[default: 1]"),
    click.option("--parallel", type=click.IntRange(1), metavar="N", help="Jobs at a time.  [default: 100]"),
    click.option("--pack", type=click.IntRange(1), metavar="N", help="Runs that share a job and its GPU.  [default: 1]"),
    click.option("--dry-run", is_flag=True, help="Print the sbatch script and an estimate; submit nothing."),
)
"""For --launcher slurm alone."""
