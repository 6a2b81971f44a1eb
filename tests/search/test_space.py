"""What is searched of each method: that every one declares as much, within its domains, and what a wrong declaration is answered with."""

import subprocess
import sys
from typing import Annotated, Literal

import pytest
from annotated_types import Interval

import methods
from bench.domains import Count, Fraction, Positive, domains
from bench.errors import UserError
from bench.plan.complete import check_hyper_parameters
from bench.search.seeds import require_unsearched
from bench.search.space import DIMENSIONS, declared, ruled, space_of
from bench.search.trials import Effort, first_round, second_round
from bench.spec import Budget, Recipe, RunSpec

RECIPE = Recipe("lars", lr=0.45, weight_decay=1e-6)


def method(searched=None, **kinds):
    """A class with these hyper-parameters, named by their kinds, and this search."""
    signature = ", ".join(f"{name}: {name}_kind = {default!r}" for name, (_, default) in kinds.items())
    scope = {f"{name}_kind": kind for name, (kind, _) in kinds.items()}
    exec(f"def __init__(self, make_encoder, data, *, {signature}): ...", scope)
    return type("Mine", (), {"__init__": scope["__init__"], "search": searched or {}})


def complete(hyper_parameters, recipe=RECIPE):
    facts = {"dataset": "digits", "budget": Budget("steps", 1)}
    return RunSpec(method="mine.py", hyper_parameters=hyper_parameters, recipe=recipe, **facts)


@pytest.mark.parametrize("name", [name for name in methods.names() if methods.load(name).trained])
def test_every_method_is_searched_in_as_many_dimensions_within_its_domains(name):
    cls = methods.load(name)
    space = space_of(complete(check_hyper_parameters(name, cls, {})), cls)
    assert len(space.dimensions) == DIMENSIONS and space.distance(space.paper) == 0
    (own,) = (dimension.name for dimension in space.dimensions[2:])
    trials = first_round(space, Effort())
    assert len(trials) == 17 and trials[0].values == space.paper
    for up in (True, False):
        trials += second_round(space, Effort(), dict.fromkeys(space.paper, up), cls)
    for trial in trials:
        assert domains(cls)[own].holds(trial.values[own]), "beyond its edges too"
    assert len({tuple(trial.values.values()) for trial in trials}) == len(trials)


def test_ranges_are_around_the_recipe_and_choices_where_it_decays_nothing():
    lr, decay = ruled(RECIPE)
    assert lr.values == (0.045, 13.5) and decay.values == (1e-7, 1e-5) and decay.paper == 1e-6
    none = ruled(Recipe("adam", lr=1e-3))[1]
    assert none.scale == "choice" and none.paper == 0 and none.place(0.0) == 0 and none.place(1e-3) == 1
    assert lr.words() == "lr 0.045 to 13.5" and none.words() == "weight_decay 0, 1e-05, 0.0001 or 0.001"


def test_a_decay_that_rises_rises_as_far():
    cls = method({"t": ("log", 0.1, 1.0)}, t=(Positive, 0.5))
    space = space_of(complete({"t": 0.5}, Recipe("adamw", lr=5e-4, weight_decay=0.04, weight_decay_end=0.4)), cls)
    own, changes = space.settings({"lr": 1e-3, "weight_decay": 0.1, "t": 0.3})
    assert own == {"t": 0.3} and changes == {"lr": 1e-3, "weight_decay": 0.1, "weight_decay_end": 1.0}


def test_distances_are_by_the_width_of_each_range():
    cls = method({"t": ("log", 0.1, 1.0)}, t=(Positive, 1.0))
    space = space_of(complete({"t": 1.0}), cls)
    assert space.distance({**space.paper, "t": 0.1}) == pytest.approx(1)
    assert space.distance({**space.paper, "t": 0.1**0.5, "weight_decay": 1e-5}) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize(
    ("searched", "kinds", "said"),
    [
        ({}, {"t": (Positive, 0.1)}, r"mine's search is \{\}: expected 1 of its hyper-parameters with a range"),
        ({"temperatur": ("log", 0.1, 1.0)}, {"temperature": (Positive, 0.1)}, r"unknown .* 'temperatur'. Did you mean 'temperature'\?"),
        ({"t": ("log", -0.1, 1.0)}, {"t": (Positive, 0.1)}, "mine's search of t goes to -0.1: expected more than 0"),
        ({"t": ("linear", 0.1, 1.5)}, {"t": (Fraction, 0.1)}, "mine's search of t goes to 1.5: expected more than 0 and at most 1"),
        ({"t": ("choice", "drop", "kep")}, {"t": (Literal["drop", "keep"], "drop")}, "goes to 'kep': .* Did you mean 'keep'"),
        ({"t": ("logg", 0.1, 1.0)}, {"t": (Positive, 0.1)}, "unknown scale of mine's search of t 'logg'. Did you mean 'log'"),
        ({"t": ("log", 1.0, 0.1)}, {"t": (Positive, 0.1)}, r"is \(1.0, 0.1\): expected a low and a higher number above 0"),
        ({"t": ("linear", 0.1)}, {"t": (Positive, 0.1)}, r"is \(0.1,\): expected a low and a higher number"),
        ({"t": ("choice", 1, 1)}, {"t": (Count, 1)}, r"is \(1, 1\): expected two different values or more"),
        ({"t": ("choice", [1], [2])}, {"t": (list, 1)}, r"is \(\[1\], \[2\]\): expected two different values or more"),
        ({"t": 0.5}, {"t": (Positive, 0.1)}, "mine's search of t is 0.5: expected a scale and values"),
        ({"t": ()}, {"t": (Positive, 0.1)}, r"mine's search of t is \(\): expected a scale and values"),
        ({"t": ("linear", "a", "b")}, {"t": (Literal["a", "b"], "a")}, r"is \('a', 'b'\): expected a low and a higher number"),
        ({"t": ("linear", False, True)}, {"t": (bool, False)}, r"is \(False, True\): expected a low and a higher number"),
    ],
)
def test_a_search_that_is_none_is_refused_in_a_line(searched, kinds, said):
    with pytest.raises(UserError, match=said):
        declared("mine", method(searched, **kinds))


def test_a_value_that_the_range_leaves_out_is_refused():
    cls = method({"t": ("log", 0.1, 1.0)}, t=(Positive, 0.5))
    with pytest.raises(UserError, match=r"mine's search leaves out t = 2.0, which is set: expected t 0.1 to 1"):
        space_of(complete({"t": 2.0}), cls)
    chosen = method({"t": ("choice", 0.9, 0.99)}, t=(Positive, 0.9))
    with pytest.raises(UserError, match=r"leaves out t = 0.95, which is set: expected t 0.9 or 0.99"):
        space_of(complete({"t": 0.95}), chosen)


def test_a_default_that_is_no_number_is_in_no_range_and_may_be_a_choice():
    ranged = method({"t": ("log", 0.1, 1.0)}, t=(Positive | None, None))
    with pytest.raises(UserError, match=r"mine's search leaves out t = None, which is set: expected t 0.1 to 1"):
        space_of(complete({"t": None}), ranged)
    chosen = space_of(complete({"t": None}), method({"t": ("choice", None, 0.5)}, t=(Positive | None, None)))
    assert chosen.dimensions[2].words() == "t None or 0.5" and {trial.values["t"] for trial in first_round(chosen, Effort())} == {None, 0.5}


def test_a_range_moves_over_the_edge_that_won_as_far_as_the_domain_goes():
    cls = method({"t": ("linear", 0.2, 0.8)}, t=(Annotated[float, Interval(ge=0, le=1)], 0.5))
    dimension, holds = declared("mine", cls)[0], domains(cls)["t"].holds
    assert dimension.shifted(True, holds).values == (0.5, 0.95), "half a width would lead to 1.1"
    assert dimension.shifted(False, lambda value: True).values == (-0.1, 0.5)
    whole = method({"t": ("linear", 0.0, 1.0)}, t=(Annotated[float, Interval(ge=0, le=1)], 0.5))
    assert declared("mine", whole)[0].shifted(True, domains(whole)["t"].holds) is None, "there is no more of it"
    assert ruled(RECIPE)[0].shifted(True, lambda value: True).values == (0.779, 234)


def test_only_whole_numbers_are_tried_of_a_count():
    cls = method({"t": ("log", 20, 500)}, t=(Count, 100))
    space = space_of(complete({"t": 100}), cls)
    assert all(
        type(trial.values["t"]) is int for trial in (*first_round(space, Effort()), *second_round(space, Effort(), {"t": True}, cls))
    )


def test_whether_numbers_are_whole_is_said_by_the_type_and_not_by_how_a_default_is_written():
    space = space_of(complete({"t": 1}), method({"t": ("linear", 0.5, 2)}, t=(Positive, 1)))
    tried = [trial.values["t"] for trial in first_round(space, Effort())]
    assert len(set(tried)) > 10 and all(0.5 <= value <= 2 for value in tried)


def test_the_points_are_those_that_records_were_made_with():
    """They are a function of the study alone: another sequence, of a newer Optuna, would leave the records of a search behind."""
    cls = method({"t": ("log", 0.05, 1.0)}, t=(Positive, 0.5))
    space = space_of(complete({"t": 0.5}, Recipe("lars", lr=1.0, weight_decay=1e-4)), cls)
    trials = first_round(space, Effort())
    found = [tuple(trial.values.values()) for trial in trials if trial.study is not None]
    assert found[:2] == [(12.8, 0.000729, 0.148), (0.136, 6.47e-05, 0.72)]
    assert found[8:10] == [(0.243, 0.00015, 0.309), (8.07, 1.3e-05, 0.0634)]
    # Of eight points each eighth of each range has one: that is why they are quasi-random.
    for study in (found[:8], found[8:]):
        for number, dimension in enumerate(space.dimensions):
            assert sorted(int(8 * dimension.place(point[number])) for point in study) == list(range(8))


def test_more_points_of_a_study_begin_with_the_fewer():
    cls = method({"t": ("log", 0.05, 1.0)}, t=(Positive, 0.5))
    space = space_of(complete({"t": 0.5}), cls)
    few, many = first_round(space, Effort(1, 4)), first_round(space, Effort(1, 6))
    assert many[:5] == few
    assert [trial.values for trial in second_round(space, Effort(1, 4), {}, cls)] == [trial.values for trial in many[5:]]


def test_too_few_trials_are_refused():
    with pytest.raises(UserError, match=r"--studies 2 --trials 2 are too few: .* at least as many trials as there are dimensions, 3"):
        Effort(2, 2)
    with pytest.raises(UserError, match="--studies 0"):
        Effort(0, 8)


def test_a_reported_seed_that_was_searched_is_refused():
    require_unsearched("mine", {1, 2}, {0: "mine_search"})
    with pytest.raises(UserError, match=r"mine reports seeds 0, 1, which mine_search searched: expected reported seeds that no"):
        require_unsearched("mine", {0, 1, 2}, {0: "mine_search", 1: "mine_search"})


def test_the_room_imports_no_torch():
    code = "import sys; from bench.search import choice, space, trials; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
