"""NAME@SCALE: a scale of a paper's figure as a suite, wherever a command takes a suite's name.

    suite("simclr_temperature@cpu")           a bench.suites.Suite, of its arms and of the untrained encoders that they are set against
    specs(figure, "cpu")                      the same runs by arm and seed

Whoever calls this hands the suite on: bench/suites knows no figure, as it may import no report.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import methods
from bench import suites
from bench.errors import UserError, unknown
from bench.registry import keyword_defaults
from bench.suites import Suite

if TYPE_CHECKING:
    from bench.spec import RunSpec
    from reports.claims.figure import Arm, Figure, Records, Scale

RESULTS = "results/figures"
"""Where the records of every figure go: two that ask for one run share its record."""

FIRST_CHOICE = "cpu"
"""The scale that is meant where none is named, of figures that have it."""


def is_figure(name: str) -> bool:
    """Whether it is written as NAME@SCALE, and not as a path or a suite's name."""
    return "@" in name and not suites.is_path(name)


def all_suites() -> list[str]:
    """Every NAME@SCALE. Imports every figure."""
    from reports import papers

    return [f"{name}@{scale}" for name in papers.names() for scale in papers.load(name).scales]


def scale_of(name: str, figure: "Figure", scale: str | None) -> str:
    """The scale that is meant; a UserError with the nearest one where the figure has none of that name."""
    if scale is None:
        return FIRST_CHOICE if FIRST_CHOICE in figure.scales else next(iter(figure.scales))
    if scale not in figure.scales:
        raise unknown(f"scale of {name}", scale, figure.scales)
    return scale


def suite(name: str) -> Suite:
    """The runs of a figure at a scale, seed by seed, untrained encoders first; a UserError where there is no such figure or scale."""
    from reports import papers

    title, _, scale = name.partition("@")
    figure = papers.load(title)
    return suite_of(figure, scale_of(title, figure, scale))


def suite_of(figure: "Figure", scale: str) -> Suite:
    """The same of a figure itself."""
    chosen, wanted = figure.scales[scale], specs(figure, scale)
    # A floor may be an arm too: one run is asked for once.
    runs: dict[str, RunSpec] = {}
    arms = sorted(wanted, key=lambda arm: arm in figure.arms)
    for seed in sorted({seed for by_seed in wanted.values() for seed in by_seed}):
        found = [wanted[arm][seed] for arm in arms if seed in wanted[arm]]
        runs |= {spec.canonical(): spec for spec in found}
    of = suites.load(chosen.suite) if hasattr(chosen, "suite") else Suite((), chosen.evals, RESULTS)
    return Suite(tuple(runs.values()), of.evals, of.results)


def specs(figure: "Figure", scale: str) -> "dict[str, dict[int, RunSpec]]":
    """Arm -> seed -> its run, to be completed: of the arms that the scale runs, and of their floors, as reports.claims.judge names them."""
    from reports.claims.figure import Records
    from reports.claims.judge import asked

    chosen = figure.scales[scale]
    if not isinstance(chosen, Records):
        return {name: {seed: spec_of(arm, chosen, seed) for seed in chosen.seeds} for name, arm in asked(figure, scale).items()}
    runs = suites.load(chosen.suite).runs
    found = {name: of_suite(arm, chosen, runs) for name, arm in asked(figure, scale).items()}
    lacking = [name for name, by_seed in found.items() if not by_seed and name in figure.arms]
    if lacking:
        raise UserError(f"the suite '{chosen.suite}' has no run of '{lacking[0]}'; expected one of {described(figure.arms[lacking[0]])}")
    return found


def spec_of(arm: "Arm", chosen: "Scale", seed: int) -> "RunSpec":
    """An arm's run, to be completed, on the numbers of the recipe that the scale names."""
    spec = chosen.spec(arm, seed)
    if chosen.recipe_name is None:
        return spec
    from bench.plan import recipes

    own, changes = recipes.changes(arm.method, chosen.recipe_name)
    return replace(spec, hyper_parameters={**own, **spec.hyper_parameters}, recipe_changes={**changes, **spec.recipe_changes})


def of_suite(arm: "Arm", chosen: "Records", runs: "tuple[RunSpec, ...]") -> "dict[int, RunSpec]":
    """Seed -> the run that a committed suite has of an arm; a UserError where it has two of one seed."""
    from bench.spec import Budget

    encoder, budget, found = arm.encoder or chosen.encoder, arm.budget and Budget.parse(arm.budget), {}
    own = not_default(arm.method, arm.hyper_parameters)
    for spec in runs:
        same = spec.method == arm.method and encoder in (None, spec.encoder) and budget in (None, spec.budget)
        changes = all(spec.recipe_changes.get(key) == value for key, value in arm.recipe.items())
        if not (same and changes and not_default(arm.method, spec.hyper_parameters) == own):
            continue
        if spec.seed in found:
            raise UserError(f"the suite '{chosen.suite}' has several runs of {described(arm)}, seed {spec.seed}; expected an encoder too")
        found[spec.seed] = spec
    return found


def described(arm: "Arm") -> str:
    """'jigsaw normalise=False'"""
    return " ".join([arm.method, *(f"{name}={value}" for name, value in arm.hyper_parameters.items())])


def not_default(method: str, given) -> dict:
    """The hyper-parameters that say something else than the method does by itself. Imports no method."""
    if not given:
        return {}
    defaults = keyword_defaults(methods.require(method))
    return {name: value for name, value in given.items() if name not in defaults or defaults[name] != value}


def ready_here(figure: "Figure", scale: str, root: str | None) -> bool:
    """Whether the data sets of a scale's arms are on this disk."""
    from bench.data.catalogue import DataSets

    data = DataSets(root)
    try:
        for name in {spec.dataset for by_seed in specs(figure, scale).values() for spec in by_seed.values()}:
            data.require(name)
    except UserError:
        return False
    return True
