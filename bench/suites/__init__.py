"""Suites: named lists of runs, as Python functions. A suite's records are a plan's, so a report on it shows these runs
and no others; two suites that ask for the same run share its record.

A file of this folder is a suite, named as the file: its docstring's first sentence is the summary, its function `suite` returns the runs.
Names and summaries are read without importing any of them.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import registry
from bench.defaults import COMMAND
from bench.errors import UserError, said
from bench.registry import Registry

if TYPE_CHECKING:
    from bench.spec import RunSpec

SUITES = Registry("suite", "bench.suites", f"{COMMAND} list suites")

SEEDS = (0, 1, 2)
"""Of every suite that compares methods."""


@dataclass(frozen=True)
class Suite:
    """Runs, the evaluators they are measured with, and where their records go by default."""

    runs: "tuple[RunSpec, ...]"
    evals: tuple[str, ...]
    results: str
    defaults: "tuple[RunSpec, ...]" = ()
    """A run of each method as it is, at the budget that `tune` searches at; none where the runs themselves are that."""


def names() -> list[str]:
    """Every suite, sorted."""
    return SUITES.names()


def is_path(name: str) -> bool:
    """Whether `name` is a file of a user's own and not an entry of this folder."""
    return name.endswith(".py") or "/" in name


def label(name: str) -> str:
    """What its records and its report are named by: the name, or the file's; of its trials (mine.py@tune) with what stands behind it."""
    file = re.fullmatch(r"(.*\.py)(@.*)?", name)
    return re.sub(r"[^\w.-]", "_", Path(file[1]).stem) + (file[2] or "") if file else name


def load(name: str) -> Suite:
    """The suite of this name or in this file; a UserError with the nearest name, or with what is wrong with the file."""
    if not is_path(name):
        return SUITES.load(name).suite()
    if not name.endswith(".py") or not Path(name).is_file():
        raise UserError(f"there is no file '{name}'; expected a suite's name, or a Python file whose function suite() returns a Suite")
    try:
        module = registry.import_file(Path(name))
        made = module.suite() if hasattr(module, "suite") else None
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"the suite '{name}' cannot be made: {said(error)}") from error
    if not isinstance(made, Suite) or not made.runs:
        raise UserError(f"the suite '{name}' must have a function suite() that returns a bench.suites.Suite with runs in it, not {made!r}")
    return made


def search_of(name: str) -> str | None:
    """The suite that by its name is the search of this one's settings: cifar10_search of cifar10, of a file the one beside it
    whose name has _search behind it. None where there is none."""
    if is_path(name):
        beside = Path(name).with_name(f"{Path(name).stem}_search.py")
        return str(beside) if beside.is_file() else None
    return f"{name}_search" if f"{name}_search" in names() else None


def summary(name: str) -> str:
    """The first sentence of the file's docstring."""
    return SUITES.summary(name)
