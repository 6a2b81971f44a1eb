"""Which trials a search comes to: the same points of the unit cube for every method, since nothing is proposed by what others came to.

    first_round(space, effort)                the default, and of each study its quasi-random trials
    second_round(space, effort, edges, ...)   as many more for every method, beyond the edges that won
    specs_of(asked, space, trial)             a run for each seed of trials

Points are a scrambled Sobol sequence of each study (Optuna's QMCSampler; why quasi-random: Bousquet et al. 2017, arXiv:1706.03200). A trial
is an ordinary run, so whatever launches, resumes and records runs does it. Imports no torch.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from bench.domains import domains
from bench.errors import UserError
from bench.search.seeds import TRIAL_SEEDS
from bench.search.space import DIMENSIONS, RULED, Dimension, Space
from bench.spec import RunSpec

EVALUATION = "validation"
"""What a trial is scored by; test is not handed to it."""


@dataclass(frozen=True)
class Effort:
    """How hard is searched, for every method alike."""

    studies: int = 2
    trials: int = 8
    """Of each study in the first round."""

    def __post_init__(self):
        if self.studies < 1 or self.trials < DIMENSIONS:
            raise UserError(
                f"--studies {self.studies} --trials {self.trials} are too few: expected 1 study or more, and of each at least as many "
                f"trials as there are dimensions, {DIMENSIONS}"
            )

    @property
    def extra(self) -> int:
        """Trials of each study in the second round."""
        return (self.trials + 1) // 2

    @property
    def usual(self) -> bool:
        """Whether it is the one that is meant where none is said."""
        return self == Effort()

    def __str__(self) -> str:
        return f"{self.studies}x{self.trials}"


@dataclass(frozen=True)
class Trial:
    """One point of a space."""

    study: int | None
    """None: the method as it is, in no study."""
    values: Mapping[str, Any]
    """Dimension -> value."""
    second: bool = False
    """Whether it is of the second round."""


class Sobol(optuna.samplers.QMCSampler):
    """Optuna's, for a space that is known before the first trial: else it draws that one independently."""

    def __init__(self, space: Mapping[str, Any], seed: int):
        super().__init__(scramble=True, seed=seed)
        self.space = dict(space)

    def infer_relative_search_space(self, study, trial):
        return self.space


def distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    """The range as Optuna has it."""
    if dimension.scale == "choice":
        return optuna.distributions.CategoricalDistribution(dimension.values)
    kind = optuna.distributions.IntDistribution if dimension.whole else optuna.distributions.FloatDistribution
    return kind(*dimension.values, log=dimension.scale == "log")


def proposals(dimensions: tuple[Dimension, ...], study: int, count: int) -> list[dict[str, Any]]:
    """The first `count` points of a study's sequence; the same in every process."""
    ranges = {dimension.name: distribution(dimension) for dimension in dimensions}
    with quiet():
        proposing = optuna.create_study(sampler=Sobol(ranges, study))
        asked = [proposing.ask(ranges).params for _ in range(count)]
    return [{dimension.name: dimension.rounded(point[dimension.name]) for dimension in dimensions} for point in asked]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Optuna says each study that it makes, and here they are made at every command; and that its interface of Sobol sequences may change:
    a test holds the points."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def first_round(space: Space, effort: Effort) -> list[Trial]:
    """The method as it is, then of each study its trials. The study's number is its seed."""
    found = [Trial(None, space.paper)]
    for study in range(effort.studies):
        found += [Trial(study, values) for values in proposals(space.dimensions, study, effort.trials)]
    return found


def second_round(space: Space, effort: Effort, edges: Mapping[str, bool], cls: type) -> list[Trial]:
    """More of each study's sequence, in ranges moved over the edges that won. edges: dimension -> whether the high edge did; of a method
    none of whose edges won, the same ranges again."""
    known = domains(cls)
    moved = []
    for dimension in space.dimensions:
        holds = known[dimension.name].holds if dimension.name not in RULED else lambda value: value > 0
        shifted = dimension.shifted(edges[dimension.name], holds) if dimension.name in edges else None
        moved.append(shifted or dimension)
    found = []
    for study in range(effort.studies):
        found += [Trial(study, values, True) for values in proposals(tuple(moved), study, effort.trials + effort.extra)[effort.trials :]]
    return found


def specs_of(asked: RunSpec, space: Space, trial: Trial) -> tuple[RunSpec, ...]:
    """A run for each seed of trials, to be completed. asked: a run of the method as it is."""
    return tuple(spec_at(asked, space, trial, seed) for seed in TRIAL_SEEDS)


def spec_at(asked: RunSpec, space: Space, trial: Trial, seed: int) -> RunSpec:
    """The run of a trial's values at a seed."""
    if trial.study is None:
        return asked.replace(seed=seed)
    own, changes = space.settings(dict(trial.values))
    return asked.replace(seed=seed, hyper_parameters={**asked.hyper_parameters, **own}, recipe_changes={**asked.recipe_changes, **changes})


def effort_of(text: str) -> Effort:
    """'2x8'; '' is the usual one."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if text and not found:
        raise UserError(f"an effort is STUDIESxTRIALS, as 2x8, not '{text}'")
    return Effort(*map(int, found.groups())) if found else Effort()
