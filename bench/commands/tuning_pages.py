"""What `tune` leaves behind: the choice as a file, the page and the figure, and what to type next."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from bench import suites
from bench.commands.tuning import Outcome, Search, Tuning
from bench.defaults import COMMAND
from bench.folder_name import shown
from bench.machine import files
from bench.records.store import ResultStore
from bench.search.seeds import TRIAL_SEEDS
from bench.search.trials import spec_at
from bench.settings import written
from bench.spec import RunSpec, method_name, settled
from bench.suites._tuned import Setting, path_of, text
from reports.pages import tuning as page
from reports.plots import tuning as figure
from reports.tables import provenance
from reports.tables.provenance import Provenance
from reports.tables.tuning import Searched, Section


def finish(tuning: Tuning, reported: tuple[RunSpec, ...], request, suite: str | None, folder: Path) -> None:
    """Write and say everything. reported: runs at the seeds that are reported; where they are a suite's, their records are in its folder.
    suite: its name or file; None where methods were named."""
    seeds = sorted({spec.seed for spec in reported})
    results = Path(suites.load(suite).results) if suite else request.results
    frame = ResultStore(results).frame()
    recorded = set(frame["id"])
    sections: dict[str, list[Searched]] = {}
    for outcome in tuning.outcomes:
        sections.setdefault(title(outcome.search), []).append(searched(tuning, outcome, seeds, recorded))
    told = tuple(Section(name, tuple(found)) for name, found in sections.items())
    chosen = [setting(outcome) for outcome in tuning.outcomes if outcome.chosen]
    effort = tuning.effort
    how = f"{effort.studies} studies of {effort.trials} trials, seeds {', '.join(map(str, TRIAL_SEEDS))}, {len(chosen)} methods"
    for outcome in tuning.outcomes:
        say(outcome)
    path = path_of(suite) if suite else folder / "choice.json"
    files.replace(path, text(how, chosen).encode())
    written = [path, *page.write(told, frame, folder), *figure.write(told, folder, of_trials(tuning, request.results))]
    tuning.completions.keep()
    click.echo(f"written: {', '.join(map(str, written))}")
    if suite:
        click.echo(f"then   {COMMAND} run {suite}: the reported runs, by what was chosen")
    else:
        for outcome in tuning.outcomes:
            if outcome.chosen:
                click.echo(f"then   {command(outcome, request, seeds)}")


def of_trials(tuning: Tuning, results: Path) -> Provenance:
    """What the search was made of, by the records of its trials."""
    frame, mine = ResultStore(results).frame(), {tuning.complete(spec).id for spec in tuning.specs}
    return provenance.of(frame[frame["id"].isin(list(mine))])


def title(search: Search) -> str:
    """'mnist5k · resnet8 · 2,048 images · float32'; with its size, and the pretraining split, where they are not the usual ones."""
    asked, run = search.asked, search.run
    parts = [shown(run.dataset), settled(run.encoder), *([f"size {asked.image_size}"] if asked.image_size else []), str(run.budget)]
    parts += [f"pretrained on {run.pretrain_split}"] if run.pretrain_split != "train" else []
    return " · ".join([*parts, settled(run.precision)])


def name_of(search: Search, searches: Sequence[Search]) -> str:
    """Its method, and where that is searched at several settings what was set: 'simclr projection=256'."""
    name = method_name(search.run.method)
    if sum((method_name(one.run.method), title(one)) == (name, title(search)) for one in searches) == 1:
        return name
    asked = search.asked
    return " ".join([name, *(written(key, value) for key, value in {**asked.hyper_parameters, **asked.recipe_changes}.items())])


def values_in_words(outcome: Outcome) -> str:
    """'lr=12.8 weight_decay=0.000729 temperature=0.148'; '' where the method is best as it is."""
    if outcome.chosen is None or outcome.chosen.scored.trial.study is None:
        return ""
    return " ".join(f"{name}={value}" for name, value in outcome.chosen.scored.trial.values.items())


def edges_in_words(outcome: Outcome) -> tuple[str, ...]:
    """('lr, the highest',)"""
    return tuple(f"{name}, the {'highest' if up else 'lowest'}" for name, up in (outcome.chosen.edges if outcome.chosen else {}).items())


def say(outcome: Outcome) -> None:
    """A line on what a search found."""
    method = method_name(outcome.search.run.method)
    if outcome.chosen is None:
        click.echo(f"chosen {method}: nothing, since every trial diverged")
        return
    chosen, default = outcome.chosen, outcome.scored[0]
    was = f"{default.mean:.1f} as it is" if default.values else "diverged as it is"
    studies = ", ".join(f"{score:.1f}" for score in outcome.best_of_studies)
    edges = f"; at an edge: {'; '.join(edges_in_words(outcome))}" if chosen.edges else ""
    score = f"{chosen.scored.mean:.1f} ± {chosen.error:.1f} on val ({was}; best of each study {studies})"
    click.echo(f"chosen {method}: {values_in_words(outcome) or 'as it is'}: {score}{edges}")


def searched(tuning: Tuning, outcome: Outcome, seeds: list[int], recorded: set[str]) -> Searched:
    """What the page and the figure are made from."""
    search, chosen, default = outcome.search, outcome.chosen, outcome.scored[0]
    trials = [one for one in outcome.scored if one.trial.study is not None]

    def scores(second: bool) -> tuple[tuple[float | None, ...], ...]:
        mine = [one for one in trials if one.trial.second == second]
        studies = range(tuning.effort.studies)
        return tuple(tuple(one.mean if one.values else None for one in mine if one.trial.study == study) for study in studies)

    def ids(trial) -> tuple[str, ...]:
        runs = (tuning.complete(spec_at(search.asked, search.space, trial, seed)).id for seed in seeds)
        return tuple(one for one in runs if one in recorded)

    return Searched(
        method=name_of(search, tuning.searches),
        studies=scores(second=False),
        second=scores(second=True),
        best_of_studies=tuple(outcome.best_of_studies),
        trials=len(trials),
        diverged=sum(not one.values for one in trials),
        default=default.mean if default.values else None,
        tuned=chosen.scored.mean if chosen else None,
        error=chosen.error if chosen else 0.0,
        chosen=values_in_words(outcome),
        edges=edges_in_words(outcome),
        search_flops=sum(one.flops for one in outcome.scored),
        run_flops=default.flops / len(TRIAL_SEEDS) if default.values else None,
        default_ids=ids(default.trial),
        tuned_ids=ids(chosen.scored.trial) if chosen else (),
    )


def setting(outcome: Outcome) -> Setting:
    """What the file has of a method."""
    search, chosen, default = outcome.search, outcome.chosen, outcome.scored[0]
    assert chosen, "where all diverged there is no choice"
    trial = chosen.scored.trial
    own, changes = ({}, {}) if trial.study is None else search.space.settings(dict(trial.values))
    return Setting(
        method=search.asked.method,
        dataset=search.run.dataset,
        encoder=settled(search.run.encoder),
        budget=search.run.budget.written,
        hyper_parameters=own,
        recipe_changes=changes,
        val=round(chosen.scored.mean, 3),
        default=round(default.mean, 3) if default.values else None,
        trials=len(outcome.trials) - 1,
        at_edge=sorted(chosen.edges),
        search_flops=sum(one.flops for one in outcome.scored),
    )


def command(outcome: Outcome, request, seeds: list[int]) -> str:
    """The line that trains and evaluates what was chosen, at the seeds that are reported."""
    asked, run = outcome.search.asked, outcome.search.run
    found = setting(outcome)
    settings = {**asked.hyper_parameters, **found.hyper_parameters}
    settings |= {f"recipe.{name}": value for name, value in {**asked.recipe_changes, **found.recipe_changes}.items()}
    words = ["run", "--method", asked.method, "--dataset", run.dataset, "--encoder", run.encoder, "--budget", found.budget]
    words += ["--image-size", str(asked.image_size)] if asked.image_size else []
    words += ["--pretrain-split", run.pretrain_split] if run.pretrain_split != "train" else []
    words += ["--precision", run.precision, "--seeds", ",".join(map(str, seeds)), "--results", str(request.results)]
    words += [word for name, value in settings.items() for word in ("--set", written(name, value))]
    return f"{COMMAND} {shlex.join(words)}"
