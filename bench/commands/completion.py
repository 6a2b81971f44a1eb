"""Completion in a shell: the command that prints the script for it, and the names that options complete to.

source <(run_bench.py completion bash)
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from bench.defaults import COMMAND
from bench.errors import unknown

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="|".join(SHELLS))
@click.pass_context
def completion(context, shell):
    """Print what a shell needs to complete commands, options and names."""
    kind = get_completion_class(shell)
    if shell not in SHELLS or kind is None:
        raise unknown("shell", shell, SHELLS)
    variable = f"_{COMMAND.replace('.', '_').replace('-', '_')}_COMPLETE".upper()
    click.echo(kind(context.find_root().command, {}, COMMAND, variable).source())


def names_from(source: Callable[[], Iterable[str]], several: bool = False) -> Callable:
    """For an option's shell_complete: the names that begin as typed; of the last one, where several stand with commas between them."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",") if several else ("", "", typed)
        return [CompletionItem(before + comma + name) for name in source() if name.startswith(last)]

    return complete


def of_methods() -> list[str]:
    """All methods, and what stands for several."""
    import methods

    families = sorted({family for name in methods.names() if (family := methods.family(name))})
    return [*methods.names(), "all", *(f"family:{family}" for family in families)]


def of_suites() -> list[str]:
    """Suites, and the figures' scales, which are suites too."""
    from bench import suites
    from bench.commands import figure_scales

    return [*suites.names(), *figure_scales.all_suites()]


def of_figures() -> list[str]:
    from reports import papers

    return [*papers.names(), "all"]


def of_datasets() -> list[str]:
    from bench.data import catalogue

    return catalogue.names()


def of_encoders() -> list[str]:
    from bench.encoders import table

    return table.names()


def of_evaluators() -> list[str]:
    from bench.evaluation import registry

    return registry.names()


def of_loggers() -> list[str]:
    from bench.run.logger import LOGGERS

    return LOGGERS.names()


def of_lists() -> list[str]:
    """What `list` takes."""
    return ["methods", "datasets", "encoders", "evals", "suites", "recipes", "runs"]
