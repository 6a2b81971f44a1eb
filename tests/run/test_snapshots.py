"""A run evaluated on its way: its record says what was seen, and its id, weights and cost are those of a run that nobody looked at."""

import os
import random
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.commands.snapshots import DEFAULT
from bench.compute.randomness import untouched
from bench.evaluation import registry
from bench.machine.signals import Interrupted
from bench.plan.complete import complete
from bench.records.record import Result
from bench.records.store import ResultStore
from bench.run import snapshots
from bench.run.execute import execute
from bench.run.place import Place
from bench.spec import Budget, RunSpec

EVALS = ("label_free",)


@pytest.fixture(scope="module")
def spec():
    """Jigsaw sees no whole image, so BatchNorm's statistics are taken anew at its end."""
    facts = {"method": "jigsaw", "dataset": "digits", "budget": Budget("steps", 4), "image_size": 16, "precision": "float32"}
    return complete(RunSpec(**facts, recipe_changes={"batch_size": 64}))


@pytest.fixture(scope="module")
def plain(spec, tmp_path_factory):
    return made(spec, tmp_path_factory.mktemp("plain"))


def made(spec, folder, **changes):
    place = Place(folder / "results", folder / "scratch", snapshot_evals=EVALS, **changes)
    execute(spec, EVALS, place)
    (record,) = ResultStore(place.results).records()
    return record


def equal(record, plain):
    assert (record.id, record.weights_sha256, record.loss_curve) == (plain.id, plain.weights_sha256, plain.loss_curve)
    assert (record.cost.steps, record.cost.images, record.cost.flops) == (plain.cost.steps, plain.cost.images, plain.cost.flops)


def test_a_run_that_was_looked_at_is_the_run_that_was_not(spec, plain, tmp_path):
    record = made(spec, tmp_path, snapshots=(0.3, 1.0))
    equal(record, plain)
    assert [(one.asked, one.share, one.steps) for one in record.snapshots] == [(0.3, 0.5, 2), (1.0, 1.0, 4)] and plain.snapshots == ()
    assert record.snapshots[-1].results == record.results == plain.results, "what is measured on the way is what is measured at the end"
    assert record.snapshots[0].results != record.results and all(one.seconds > 0 for one in record.snapshots)


def test_a_signal_within_a_look_costs_neither_the_look_nor_a_step(spec, plain, tmp_path, monkeypatch):
    calls, evaluate = [], snapshots.evaluate

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments)

    monkeypatch.setattr(snapshots, "evaluate", interrupted)
    with pytest.raises(Interrupted, match="50% of the budget"):
        made(spec, tmp_path, snapshots=(0.3,))
    record = made(spec, tmp_path, snapshots=(0.3,))
    equal(record, plain)
    assert len(calls) == 2 and [one.steps for one in record.snapshots] == [2]


def test_an_evaluation_that_fails_on_the_way_is_said_and_ends_nothing(spec, plain, tmp_path, monkeypatch):
    def fails(*_):
        raise ValueError("features are not finite")

    monkeypatch.setattr(snapshots, "evaluate", fails)
    with pytest.warns(UserWarning, match="jigsaw seed 0 at 30% of the budget: no snapshot, .*features are not finite"):
        record = made(spec, tmp_path, snapshots=(0.3,))
    equal(record, plain)
    assert record.status == "done" and record.snapshots[0].results == () and "not finite" in record.snapshots[0].error


def test_collapse_is_warned_of(spec):
    facts = {"evaluator": "label_free", "dataset": "digits", "split": "train", "n": 9}
    seen = [Result(**facts, metric="rankme_centred", value=1.2), Result(**facts, metric="collapsed_centred", value=1.0)]
    with pytest.warns(UserWarning, match="at 25% of the budget: its features have collapsed, and differ in 1.2 directions"):
        snapshots.warn(spec, 0.25, seen, None)
    snapshots.warn(spec, 0.25, [replace(one, value=0.0) for one in seen], None)  # a warning would be an error


def test_nothing_that_is_drawn_within_is_missing_after():
    def draw():
        return torch.rand(1).item(), float(np.random.rand()), random.random()

    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = draw()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    with untouched("cpu"):
        draw()
    assert draw() == expected


@pytest.mark.slow
def test_two_processes_are_looked_at_by_the_first(spec, tmp_path):
    shared, unseen = (made(spec, tmp_path / str(shares), processes=2, snapshots=shares) for shares in ((0.3, 0.6), ()))
    equal(shared, unseen)
    assert [one.steps for one in shared.snapshots] == [2, 3]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ("0,0.5", "--snapshots has '0'; expected shares of the budget above 0 and up to 1"),
        ("0.5,1.1", "--snapshots has '1.1'"),
        ("0.5,soon", "--snapshots has 'soon'"),
        ("nan", "--snapshots has 'nan'"),
        ("0.5,0.25", "0.25 does not come after 0.5"),
        ("0.5,0.50", "0.5 does not come after 0.5; expected increasing shares, each once"),
        ("0.5,", "--snapshots has ''"),
    ],
)
def test_shares_that_mean_nothing_are_refused(bench, here, shares, said):
    code, _, errors = bench("run", "--method", "rotation", "--dataset", "digits", "--budget", "64images", "--snapshots", shares)
    assert code == 2 and said in errors and not list(here.iterdir())


def test_evaluators_of_snapshots_are_checked_and_those_that_read_test_are_named(bench, here):
    described = ("run", "--method", "rotation", "--dataset", "digits", "--budget", "1steps", "--seeds", "0", "--launcher", "debug")
    described += ("--image-size", "16", "--batch-size", "32", "--evals", "label_free")
    code, _, errors = bench(*described, "--snapshots", "0.5", "--snapshot-evals", "knm")
    assert code == 2 and "unknown evaluator 'knm'" in errors
    code, _, errors = bench(*described, "--snapshot-evals", "knn")
    assert code == 2 and "--snapshot-evals is for --snapshots" in errors
    assert not any(registry.reads_test(name) for name in (*DEFAULT.split(","), *Place(here).snapshot_evals))
    code, _, errors = bench(*described, "--snapshots", "0.5", "--snapshot-evals", "knn")
    assert code == 0 and "snapshots read test, by knn: choose nothing by them" in errors
    (record,) = ResultStore(here / "results").records()
    assert record.snapshots[0].evals == ("knn", "label_free") and "test" in {result.split for result in record.snapshots[0].results}
