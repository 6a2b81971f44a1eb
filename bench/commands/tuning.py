"""A search of hyper-parameters as a suite, NAME@tune, wherever a command takes a suite's name; and what its records say.

    suite("cifar10_budgets@tune", data)      a bench.suites.Suite: every trial of every method, measured on val alone
    suite("cifar10_budgets@tune2x4", data)   with two studies of four trials
    Tuning(specs, Effort(), results, data)   the same of any runs

Nothing is adaptive: trials follow from the method alone, those of the second round from the records of the first. So a search is a list of
runs at each moment, and whatever launches, resumes, watches and cancels runs does it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import methods
from bench import suites
from bench.commands.figure_records import Completions
from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.plan.plan import Plan
from bench.records.store import ResultStore
from bench.search.choice import Chosen, Scored, best_of_studies, choose
from bench.search.seeds import TRIAL_SEEDS, require_unsearched
from bench.search.space import Space, space_of
from bench.search.trials import EVALUATION, Effort, Trial, effort_of, first_round, second_round, spec_at
from bench.spec import RunSpec
from bench.suites import Suite

SEPARATOR = "@tune"
"""Between a suite's name and the effort of a search, which is left out where it is the usual one."""


def suite(name: str, data: DataSets, results: str | None = None) -> Suite:
    """The trials of a suite's methods, those of the second round too once the first one's records ask for them. results: where records are,
    if not in the folder beside the suite's. A UserError where the suite reports a seed that was searched."""
    found, folder = of_suite(name, data, results)
    return Suite(tuple(found.specs), (EVALUATION,), folder)


def of_suite(name: str, data: DataSets, results: str | None = None) -> "tuple[Tuning, str]":
    """The same as a Tuning, and the folder that its records go to by default."""
    base, _, effort = name.rpartition(SEPARATOR)
    searched = suites.load(base)
    require_apart(base, searched)
    folder = f"{searched.results}_tune"
    return Tuning(searched.defaults or searched.runs, effort_of(effort), Path(results or folder), data), folder


def require_apart(name: str, searched: Suite) -> None:
    """A UserError where a seed that the suite reports was searched: by trials, or by the search that its settings are from."""
    seeds: dict[int, str] = dict.fromkeys(TRIAL_SEEDS, "tune")
    if search := suites.search_of(name):
        seeds |= {run.seed: search for run in suites.load(search).runs}
    require_unsearched(f"the suite '{name}'", {run.seed for run in searched.runs}, seeds)


@dataclass(frozen=True)
class Search:
    """One method, in one setting of data, encoder and budget."""

    asked: RunSpec
    """The method as it is."""
    run: RunSpec
    """The same, complete."""
    space: Space
    cls: type


@dataclass(frozen=True)
class Outcome:
    """What a search has come to."""

    search: Search
    trials: tuple[Trial, ...]
    """Those that there are so far."""
    scored: tuple[Scored, ...]
    """Of them those whose runs have records."""

    @property
    def whole(self) -> bool:
        """Whether every trial is scored."""
        return len(self.scored) == len(self.trials)

    @cached_property
    def chosen(self) -> Chosen | None:
        """None where not all trials are scored, or all diverged."""
        return choose(self.search.space, self.scored) if self.whole else None

    @cached_property
    def best_of_studies(self) -> list[float]:
        """Percent on val."""
        return best_of_studies(self.search.space, self.scored)


class Tuning:
    """The searches of several methods, at one effort, and their records."""

    def __init__(self, specs: Iterable[RunSpec], effort: Effort, results: Path, data: DataSets):
        self.effort, self.results, self.data, self.completions = effort, results, data, Completions()
        # Each setting once, whatever its seeds; what is not trained has nothing to search.
        asked = {spec.replace(seed=0).canonical(): spec.replace(seed=0) for spec in specs}
        self.searches = [self.search(spec) for spec in asked.values() if methods.load(spec.method).trained]
        if not self.searches:
            raise UserError("there is nothing to search: none of these methods is trained")

    def search(self, asked: RunSpec) -> Search:
        """A UserError where the run cannot be completed, or its method declares no search."""
        if asked.budget.unit == "seconds":
            raise UserError(
                f"a search at {asked.budget} would find another setting on each machine: expected steps, items, FLOPs or epochs"
            )
        if "val" in asked.pretrain_split.split("+"):
            raise UserError(
                f"a search on the pretraining split {asked.pretrain_split} would choose by images that were trained on, by some "
                "methods with their labels: expected train (--pretrain-split)"
            )
        cls, run = methods.load(asked.method), self.complete(asked)
        return Search(asked, run, space_of(run, cls), cls)

    def complete(self, spec: RunSpec) -> RunSpec:
        """With an id; nothing of it is tried, and what was completed before is believed while no file of the code changes."""
        return self.completions.run(spec, self.data.require(spec.dataset)).replace(seed=spec.seed)

    @property
    def specs(self) -> list[RunSpec]:
        """The runs of all trials that there are so far, trial by trial, so that a search that is stopped has as much of each method."""
        return [
            spec_at(outcome.search.asked, outcome.search.space, trial, seed)
            for number in range(max(len(outcome.trials) for outcome in self.outcomes))
            for outcome in self.outcomes
            for trial in outcome.trials[number : number + 1]
            for seed in TRIAL_SEEDS
        ]

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """By the records as they were when this was first asked for; `look` asks again."""
        measured = Measured(self.results)
        first = tuple(self.outcome(search, first_round(search.space, self.effort), measured) for search in self.searches)
        self.completions.keep()
        if not all(one.whole for one in first) or not any(one.chosen and one.chosen.edges for one in first):
            return first
        both = []
        for one in first:
            edges = one.chosen.edges if one.chosen else {}
            more = second_round(one.search.space, self.effort, edges, one.search.cls)
            both.append(self.outcome(one.search, [*one.trials, *more], measured))
        self.completions.keep()
        return tuple(both)

    def alike(self, plan: Plan) -> Plan:
        """The plan with the method as it is in the place of each of its trials, which take about as long: one step of it is timed."""
        of = {as_it_is(search.run): search.run for search in self.searches}
        return replace(plan, todo=tuple(of[as_it_is(run)] for run in plan.todo))

    def look(self) -> None:
        """At the records again."""
        self.__dict__.pop("outcomes", None)

    def outcome(self, search: Search, trials: list[Trial], measured: "Measured") -> Outcome:
        """The trials with the scores that there are of them."""
        ids = [[self.complete(spec_at(search.asked, search.space, trial, seed)).id for seed in TRIAL_SEEDS] for trial in trials]
        found = [measured.of(trial, runs) for trial, runs in zip(trials, ids, strict=True)]
        return Outcome(search, tuple(trials), tuple(scored for scored in found if scored))


def as_it_is(run: RunSpec) -> str:
    """What a method's trials have in common with it."""
    return run.replace(seed=0, hyper_parameters={}, recipe=None).canonical()


class Measured:
    """What the records of a folder say of trials."""

    def __init__(self, results: Path):
        frame = ResultStore(results).frame()
        runs = frame.drop_duplicates("id")
        self.flops = dict(zip(runs["id"], runs["flops"], strict=True))
        self.diverged = set(runs["id"][runs["status"] == "diverged"])
        accuracy = frame["metric"].astype(str).str.startswith("linear_") & frame["weights"].isna()
        found = frame[(frame["evaluator"] == EVALUATION) & (frame["split"] == "val") & accuracy]
        self.values = dict(zip(found["id"], found["value"], strict=True))

    def of(self, trial: Trial, ids: list[str]) -> Scored | None:
        """A trial's score; None where a run of it has neither a number nor diverged."""
        if not all(one in self.values or one in self.diverged for one in ids):
            return None
        sound = all(one in self.values for one in ids)
        return Scored(trial, tuple(self.values[one] for one in ids) if sound else (), sum(self.flops[one] for one in ids))
