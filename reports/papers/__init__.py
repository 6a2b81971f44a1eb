"""The figures of papers: a file of this folder is a figure, named as the file, and holds one FIGURE."""

from bench.defaults import COMMAND
from bench.registry import Registry
from reports.claims.figure import Figure

FIGURES = Registry("figure", "reports.papers", f"{COMMAND} figure list")


def names() -> list[str]:
    """Every figure, sorted."""
    return FIGURES.names()


def load(name: str) -> Figure:
    """The figure of that name; a UserError with the nearest name where there is none."""
    return FIGURES.load(name).FIGURE


def summary(name: str) -> str:
    """The first sentence of the file's docstring."""
    return FIGURES.summary(name)
