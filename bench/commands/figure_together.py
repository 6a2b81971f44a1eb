"""All figures at one scale as suites: a run that several figures ask for is in one of them, once. And every suite by its name.

    suites_of("cpu", data)          {"all@cpu": ..., "all@cpu+projection": ...}
    load("all@cpu+projection", data)

A suite for each list of evaluators, and for each folder of records: a run is in the one that has every evaluator that a figure asks of it.
"""

import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import suites
from bench.commands import figure_scales
from bench.commands.streams import note
from bench.data.catalogue import DataSets
from bench.defaults import COMMAND
from bench.errors import UserError, unknown
from bench.search.seeds import TRIAL_SEEDS, require_unsearched
from bench.suites import Suite
from bench.suites._shrunk import ENDING, shrunk
from bench.suites._tuned import read

if TYPE_CHECKING:
    from bench.spec import RunSpec

TRIALS = re.compile(r"@tune(\d+x\d+)?$")
"""How the name of a suite's trials ends."""

TITLE = "all"
"""What stands before the @."""


def load(name: str, data: DataSets, results: str | None = None) -> Suite:
    """The suite of this name, be it a suite's, a file's, the trials of one (NAME@tune), NAME@SCALE or one of all@SCALE,
    or any of these made tiny (NAME@try), of which what cannot be made is left out, with a note.
    results: where the records of trials are, where that is not the suite's own folder. A UserError where a suite that was tuned reports a
    seed of trials."""
    if name.endswith(ENDING):
        return served(name, shrunk(load(name.removesuffix(ENDING), data, results)), data)
    if TRIALS.search(name):
        from bench.commands import tuning  # Optuna takes a second to import

        return tuning.suite(name, data, results)
    if figure_scales.is_figure(name):
        return suite(name, data) if name.partition("@")[0] == TITLE else figure_scales.suite(name)
    from reports import papers

    if not suites.is_path(name) and name in papers.names() and name not in suites.names():
        raise UserError(f"'{name}' is a figure: expected one of its scales, {name}@SCALE, as in `{COMMAND} figure run {name}`")
    found = suites.load(name)
    if tuned(name):
        require_unsearched(f"the suite '{name}'", {run.seed for run in found.runs}, dict.fromkeys(TRIAL_SEEDS, "tune"))
    return found


def served(name: str, suite: Suite, data: DataSets) -> Suite:
    """Without the runs that cannot be made of its data set, which are said; else one method that needs colour would keep all others from
    being tried. A UserError where none is left."""
    from bench.commands.figure_records import Completions

    completions, kept, refused = Completions(), [], {}
    for run in suite.runs:
        try:
            completions.run(run, data.require(run.dataset))
            kept.append(run)
        except UserError as error:
            refused[run.method] = str(error)
    completions.keep()
    if not kept:
        raise UserError(f"nothing of '{name}' can be made: {next(iter(refused.values()))}")
    for method, reason in refused.items():
        note(f"{name} leaves out {method}: {reason}")
    return replace(suite, runs=tuple(kept))


def tuned(name: str) -> bool:
    """Whether `tune` has written a choice beside the suite. What else a user keeps there under that name is no business of ours."""
    with contextlib.suppress(UserError):
        return bool(read(name))
    return False


def having(scale: str) -> list[str]:
    """The figures that have this scale; a UserError with the nearest one where none has."""
    from reports import papers

    scales = {name: papers.load(name).scales for name in papers.names()}
    if not any(scale in its for its in scales.values()):
        raise unknown("scale", scale, {one for its in scales.values() for one in its})
    return [name for name, its in scales.items() if scale in its]


def suites_of(scale: str, data: DataSets) -> dict[str, Suite]:
    """By name. A UserError where a run cannot be completed, or no figure has the scale: that two figures ask for one run is seen by its id,
    since one may leave to the method what the other says."""
    from bench.commands.figure_records import Completions
    from reports import papers
    from reports.claims.figure import EVALS, Records

    completions, runs, evals, folders = Completions(), {}, {}, {}
    for name in having(scale):
        chosen = papers.load(name).scales[scale]
        suite = figure_scales.suite_of(papers.load(name), scale)
        folder = [chosen.suite] if isinstance(chosen, Records) else []
        for spec in suite.runs:
            key = completions.run(spec, data.require(spec.dataset)).replace(seed=spec.seed).id, *folder
            runs.setdefault(key, spec)
            evals[key] = tuple(dict.fromkeys((*evals.get(key, ()), *suite.evals)))
            folders[key] = folder, suite.results
    completions.keep()
    groups: dict[str, list[RunSpec]] = {}
    made: dict[str, Suite] = {}
    for key, spec in runs.items():
        folder, results = folders[key]
        apart = folder or [one for one in evals[key] if one not in EVALS]
        name = "+".join([f"{TITLE}@{scale}", *apart])
        groups.setdefault(name, []).append(spec)
        made[name] = Suite(tuple(groups[name]), evals[key], results)
    return made


def suite(name: str, data: DataSets) -> Suite:
    """One of them by its name."""
    scale = name.partition("@")[2].partition("+")[0]
    found = suites_of(scale, data)
    if name not in found:
        raise unknown("suite", name, {*found, *suites.names()})
    return found[name]
