"""How everything here is timed: all subjects of a comparison in one run, in turn, several times; the median and the spread.

seconds = alternate({"ours": step, "theirs": other_step}, repeats=5)
rate(seconds["ours"], images)       (median, lowest, highest) images a second
"""

import statistics
import time
from collections.abc import Callable, Iterable

import torch

from reports.pages.markdown import grid


def alternate(subjects: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each subject in each of `repeats` rounds. What disturbs a round disturbs all subjects of it. Each is called once
    before, off the clock. A subject that returns a float has timed itself, as one does that must fill a queue first."""
    for subject in subjects.values():
        subject()
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repeats):
        for name, subject in subjects.items():
            start = now()
            own = subject()
            seconds[name].append(own if isinstance(own, float) else now() - start)
    return seconds


def now() -> float:
    """Seconds, once the GPU has done what it was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def rate(seconds: list[float], count: float) -> tuple[float, float, float]:
    """(median, lowest, highest) of `count` things a second."""
    rates = [count / taken for taken in seconds]
    return statistics.median(rates), min(rates), max(rates)


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """How many times faster ours is than theirs: (median, lowest, highest) over the rounds, each with itself."""
    ratios = [other / own for own, other in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def spread(values: tuple[float, float, float], digits: int = 3) -> str:
    """'512 (498 to 520)'"""
    shown = [f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}" for value in values]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table, the first column to the left."""
    header = list(header)
    return grid(header, [list(row) for row in rows], left=(header[0],)).rstrip()
