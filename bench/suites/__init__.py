"""Suites: named lists of runs, as Python functions. A suite's records are a plan's, so a report on it shows these runs
and no others; two suites that ask for the same run share its record."""

from bench.defaults import COMMAND
from bench.errors import unknown
from bench.suites import cifar10, demo, tiny_imagenet50
from bench.suites.suite import Suite

SUITES = {
    "cifar10": cifar10.suite,
    "cifar10_search": cifar10.search,
    "demo": demo.suite,
    "demo_search": demo.search,
    "tiny_imagenet50": tiny_imagenet50.suite,
}


def names() -> list[str]:
    """Every suite, sorted."""
    return sorted(SUITES)


def load(name: str) -> Suite:
    """The suite, or a UserError with the nearest name."""
    if name not in SUITES:
        raise unknown("suite", name, SUITES, f"All suites: {COMMAND} list suites")
    return SUITES[name]()


def summary(name: str) -> str:
    """The first line of the suite's docstring."""
    return SUITES[name].__doc__.split("\n")[0]
