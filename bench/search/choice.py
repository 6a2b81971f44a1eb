"""What trials say: which setting is chosen, which edges won, and the studies as Optuna has them, made anew from records.

    choose(space, scored)     the trial nearest to the paper's values among those within one standard error of the best
    edges(space, scored, of)  {"lr": True}: the highest learning rate that was tried is the one that was chosen

One standard error as in Breiman et al. 1984 (Classification and Regression Trees), there towards the simpler tree, here
towards what the paper has. Imports no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import optuna

from bench.search.space import Space
from bench.search.trials import Trial, distribution, quiet


@dataclass(frozen=True)
class Scored:
    """A trial and what its runs came to."""

    trial: Trial
    values: tuple[float, ...]
    """Percent on val at each seed of trials; empty where a run diverged."""
    flops: float
    """Of its runs together."""

    @property
    def mean(self) -> float:
        """Percent on val; below every other where a run diverged."""
        return fmean(self.values) if self.values else -math.inf


@dataclass(frozen=True)
class Chosen:
    """What a search found."""

    scored: Scored
    best: Scored
    """The highest mean; often the same trial."""
    error: float
    """Standard error of a trial's mean, percent."""
    edges: dict[str, bool]
    """Dimensions in which nothing beyond it was tried -> whether it is the highest value there."""


def choose(space: Space, scored: Sequence[Scored]) -> Chosen | None:
    """Of the best and what is within one standard error of it, the one nearest to the paper's values; None where all diverged."""
    sound = [one for one in scored if one.values]
    if not sound:
        return None
    best, error = max(sound, key=lambda one: one.mean), standard_error(sound)
    alike = [one for one in sound if one.mean >= best.mean - error]
    chosen = min(alike, key=lambda one: (space.distance(dict(one.trial.values)), -one.mean))
    return Chosen(chosen, best, error, edges(space, scored, chosen.trial))


def standard_error(scored: Sequence[Scored]) -> float:
    """Of a trial's mean over its seeds: their variance, pooled over the better half of the trials, as those that have learned nothing
    scatter otherwise. Two seeds alone say next to nothing of it. 0 with one seed."""
    better = sorted(scored, key=lambda one: -one.mean)[: math.ceil(len(scored) / 2)]
    squares = [(value - one.mean) ** 2 for one in better for value in one.values]
    freedom = len(squares) - len(better)
    return math.sqrt(sum(squares) / freedom / len(better[0].values)) if freedom else 0.0


def edges(space: Space, scored: Sequence[Scored], chosen: Trial) -> dict[str, bool]:
    """Ranges in which the chosen value is the lowest or the highest that was tried; choices are all that there are, and have no edge."""
    found = {}
    if chosen.study is None:
        return found
    for dimension in (dimension for dimension in space.dimensions if dimension.scale != "choice"):
        tried = [one.trial.values[dimension.name] for one in scored]
        value = chosen.values[dimension.name]
        if min(tried) < max(tried) and value in (min(tried), max(tried)):
            found[dimension.name] = value == max(tried)
    return found


def rebuilt(space: Space, scored: Sequence[Scored], study: int) -> optuna.Study:
    """A study as Optuna has it, in memory, from records, which stay the truth: trials with their scores, those that diverged as failed. The
    ranges are what was tried in both rounds."""
    mine = [one for one in scored if one.trial.study == study]
    ranges = {}
    for dimension in space.dimensions:
        tried = [*dimension.values, *(one.trial.values[dimension.name] for one in mine)]
        ranged = dimension.scale != "choice"
        ranges[dimension.name] = distribution(replace(dimension, values=(min(tried), max(tried))) if ranged else dimension)
    with quiet():
        made = optuna.create_study(study_name=f"{space.method} {study + 1}", direction="maximize")
    for one in mine:
        state = optuna.trial.TrialState.COMPLETE if one.values else optuna.trial.TrialState.FAIL
        value = one.mean if one.values else None
        made.add_trial(optuna.trial.create_trial(params=dict(one.trial.values), distributions=ranges, value=value, state=state))
    return made


def best_of_studies(space: Space, scored: Sequence[Scored]) -> list[float]:
    """Percent on val: the best trial of each study that has a sound one."""
    studies = sorted({one.trial.study for one in scored if one.trial.study is not None and one.values})
    return [rebuilt(space, scored, study).best_value for study in studies]
