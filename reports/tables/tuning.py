"""What a search of hyper-parameters came to, as a page and a figure are made from: scores on val, what they cost, and reported runs.

expected_best([40, 42, 50])      [44.0, 46.7, 48.0]: of the best of 1, 2 and 3 trials
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from reports.tables.build import build
from reports.tables.table import Table


@dataclass(frozen=True)
class Searched:
    """A method's search."""

    method: str
    """Its name, and where it was searched at several settings what was set."""
    studies: tuple[tuple[float | None, ...], ...]
    """Percent on val of each study's trials of the first round, in the order that they were tried; None: diverged."""
    second: tuple[tuple[float | None, ...], ...]
    """The same of the second round, whose ranges the first decided."""
    best_of_studies: tuple[float, ...]
    """Percent on val."""
    trials: int
    diverged: int
    """Of them, trials of which a run did."""
    default: float | None
    """Percent on val of the method as it is; None where that diverged."""
    tuned: float | None
    """The same as it was chosen; None where all diverged."""
    error: float
    """Standard error of a trial's score, percent."""
    chosen: str
    """What was chosen, in words; '' where that is the method as it is."""
    edges: tuple[str, ...]
    """What the chosen value is the lowest or the highest of that was tried: 'lr, the highest'."""
    search_flops: float
    """Of all trials together."""
    run_flops: float | None
    """Of one run of the method as it is; None where that diverged, since it ended early."""
    default_ids: tuple[str, ...] = ()
    """Reported runs of the method as it is."""
    tuned_ids: tuple[str, ...] = ()
    """And as it was chosen."""


@dataclass(frozen=True)
class Section:
    """The searches of one data set, encoder and budget."""

    title: str
    """'mnist5k · resnet8 · 2,048 images'"""
    searched: tuple[Searched, ...]


def expected_best(scores: Sequence[float | None]) -> list[float]:
    """Of the best of n trials, n from 1 to all of them, were they drawn anew from these with replacement: the sum over scores v of
    v (P(V <= v)^n - P(V < v)^n), percent (the expected validation performance of Dodge et al. 2019, arXiv:1909.03004). As the authors say
    (README of dodgejesse/show_your_work@02391cf) independent draws are assumed; quasi-random ones lie more evenly, and the best of few of
    them is a little better than this. A trial that diverged counts as the lowest of the others; [] where all did."""
    sound = [score for score in scores if score is not None]
    if not sound:
        return []
    ordered = np.sort([min(sound) if score is None else score for score in scores])
    shares = np.arange(len(ordered) + 1) / len(ordered)
    return [float(ordered @ np.diff(shares**n)) for n in range(1, len(ordered) + 1)]


def reported(frame: pandas.DataFrame, section: Section, tuned: bool) -> Table | None:
    """The table of the section's reported runs at one of the two settings; None where there is no record of one. frame: all records."""
    ids = {one for searched in section.searched for one in (searched.tuned_ids if tuned else searched.default_ids)}
    mine = pandas.DataFrame(frame[frame["id"].isin(sorted(ids))]).reset_index(drop=True)
    return None if mine.empty else build(mine)[0]
