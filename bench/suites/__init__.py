"""Suites: named lists of runs, as Python functions. A suite's records are a plan's, so a report on it shows these runs
and no others; two suites that ask for the same run share its record.

A file of this folder is a suite, named as the file: its docstring's first line is the summary, and its function `suite` returns the runs.
Names and summaries are read without importing any of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.defaults import COMMAND
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


def names() -> list[str]:
    """Every suite, sorted."""
    return SUITES.names()


def load(name: str) -> Suite:
    """The suite, or a UserError with the nearest name."""
    return SUITES.load(name).suite()


def summary(name: str) -> str:
    """The first line of the file's docstring."""
    return SUITES.docstring(name).split("\n")[0]
