"""What trials say: the choice by one standard error, edges that won, and the studies as Optuna has them."""

import math

import optuna
import pytest

from bench.search.choice import Scored, best_of_studies, choose, edges, rebuilt, standard_error
from bench.search.space import Dimension, Space
from bench.search.trials import Trial

SPACE = Space(
    "mine",
    (
        Dimension("lr", "log", (0.1, 10.0), 1.0),
        Dimension("weight_decay", "choice", (0.0, 1e-4), 0.0),
        Dimension("crop", "linear", (0.0, 1.0), 0.5),
    ),
)


def scored(lr, values, study=0, crop=0.5, decay=0.0, flops=10.0):
    return Scored(Trial(study, {"lr": lr, "weight_decay": decay, "crop": crop}), tuple(values), flops)


def test_of_what_is_as_good_the_nearest_to_the_paper_is_chosen():
    # Pooled over the better half, three of six: each has a variance of 2, so a mean of two seeds one of 1.
    better = [scored(8.0, (49, 51)), scored(2.0, (48.5, 50.5)), scored(1.0, (47.9, 49.9), study=None)]
    worse = [scored(0.2, (30, 40)), scored(0.3, (20, 45)), scored(0.4, (10, 30))]
    assert standard_error([*better, *worse]) == pytest.approx(1.0)
    found = choose(SPACE, [*worse, *better])
    assert found.best.trial.values["lr"] == 8.0 and found.scored.trial.values["lr"] == 2.0, "48.9 is 1.1 below, 49.5 is not"
    near = choose(SPACE, [*worse, *better[:2], scored(1.0, (48.1, 50.1), study=None)])
    assert near.scored.trial.study is None and near.edges == {}


def test_one_seed_has_no_error_and_the_best_is_chosen():
    assert standard_error([scored(1.0, (50,)), scored(2.0, (60,))]) == 0.0
    assert choose(SPACE, [scored(1.0, (50,)), scored(2.0, (60,))]).scored.trial.values["lr"] == 2.0


def test_what_diverged_is_never_chosen():
    assert choose(SPACE, [scored(1.0, ()), scored(2.0, ())]) is None
    found = choose(SPACE, [scored(1.0, (), study=None), scored(9.0, (10, 10)), scored(2.0, (20, 20))])
    assert found.scored.trial.values["lr"] == 2.0 and scored(1.0, ()).mean == -math.inf


def test_the_lowest_and_the_highest_that_were_tried_are_edges():
    trials = [scored(0.2, (1, 1), crop=0.3), scored(9.0, (2, 2), crop=0.1), scored(3.0, (3, 3), crop=0.9, decay=1e-4)]
    assert edges(SPACE, trials, trials[0].trial) == {"lr": False}
    assert edges(SPACE, trials, trials[1].trial) == {"lr": True, "crop": False}
    assert edges(SPACE, trials, trials[2].trial) == {"crop": True}, "choices are all that there are"
    assert edges(SPACE, trials, Trial(None, SPACE.paper)) == {}, "the paper's own value is in no study"
    assert edges(SPACE, trials[:1], trials[0].trial) == {}


def test_a_study_is_made_anew_from_scores():
    trials = [
        scored(0.2, (40, 42)),
        scored(9.0, ()),
        scored(30.0, (44, 46)),
        scored(5.0, (50, 50), study=1),
        scored(1.0, (60, 60), study=None),
    ]
    study = rebuilt(SPACE, trials, 0)
    assert isinstance(study, optuna.Study) and [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.best_value == 45 and study.best_params == {"lr": 30.0, "weight_decay": 0.0, "crop": 0.5}, "beyond the first range"
    assert best_of_studies(SPACE, trials) == [45, 50]
    assert best_of_studies(SPACE, [scored(1.0, ()), scored(1.0, (3, 3), study=1)]) == [3]
