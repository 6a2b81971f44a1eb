"""What a plan says of evaluators' time: from records that say it, and nothing where none does."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.commands.console import evaluation_in_words
from bench.commands.request import Request
from bench.machine import hardware
from bench.plan.complete import complete
from bench.plan.evaluation_cost import evaluator_seconds
from bench.records.record import Cost, RunRecord
from bench.records.store import ResultStore
from bench.spec import Budget, RunSpec


@pytest.fixture
def spec():
    return complete(RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), image_size=8))


def recorded(spec: RunSpec, evaluators: dict[str, float], threads: int = 1) -> RunRecord:
    cost = Cost(steps=0, images=0, flops=0, seconds=0, evaluators=evaluators)
    facts = {"suite": "adhoc", "status": "done", "evals": tuple(name for name in evaluators if name != "features"), "cost": cost}
    return RunRecord(id=spec.id, spec=spec.to_json(), **facts, hardware=hardware.hardware(), environment={"threads": threads})


def test_from_records_of_this_processor_with_as_many_threads(spec, tmp_path):
    store = ResultStore(tmp_path)
    store.publish(recorded(spec, {"features": 2.0, "knn": 1.0}))
    store.publish(recorded(spec.replace(seed=1), {"features": 4.0, "knn": 3.0}))
    store.publish(recorded(spec.replace(seed=2), {"features": 400.0, "knn": 300.0, "linear": 7.0}, threads=2))
    todo = (spec.replace(seed=3), spec.replace(seed=4))
    assert evaluator_seconds(todo, ("knn", "linear"), store, 1) == {"features": 6.0, "knn": 4.0, "linear": None}
    # What the store has is not measured again.
    assert evaluator_seconds((spec, *todo), ("knn",), store, 1) == {"features": 6.0, "knn": 4.0}
    other = replace(todo[0], image_size=16)
    assert evaluator_seconds((other,), ("knn",), store, 1) == {"features": None, "knn": None}


def test_a_processor_without_records_is_told_what_others_took(spec, tmp_path):
    store = ResultStore(tmp_path)
    store.publish(replace(recorded(spec, {"features": 2.0, "knn": 1.0}), hardware={"model": "another"}))
    store.publish(replace(recorded(spec.replace(seed=1), {"features": 9.0, "knn": 9.0}), hardware={"model": "another", "gpu": "one"}))
    todo = (spec.replace(seed=3),)
    assert evaluator_seconds(todo, ("knn",), store, 1) == {"features": None, "knn": None}
    assert evaluator_seconds(todo, ("knn",), store, 1, anywhere=True) == {"features": 2.0, "knn": 1.0}
    store.publish(recorded(spec.replace(seed=2), {"features": 4.0, "ood": 3.0}))
    plan = SimpleNamespace(todo=todo, evals=("ood", "knn", "linear"))
    request = SimpleNamespace(threads=1, beside=lambda: [])
    told = "features 4 s, ood 3 s; by other processors knn 1 s; of linear no record says what it takes"
    assert evaluation_in_words(plan, store, request) == told


def test_older_records_say_nothing(spec, tmp_path):
    store = ResultStore(tmp_path)
    store.publish(recorded(spec, {}))
    assert evaluator_seconds((spec.replace(seed=1),), ("knn",), store, 1) == {"features": None, "knn": None}


def test_what_this_folder_does_not_know_is_taken_from_those_beside_it(spec, tmp_path, monkeypatch):
    store, other = ResultStore(tmp_path / "results/mine"), ResultStore(tmp_path / "results/other")
    store.publish(recorded(spec, {"features": 2.0, "knn": 1.0}))
    other.publish(recorded(spec.replace(seed=1), {"features": 40.0, "knn": 30.0, "linear": 7.0}))
    todo = (spec.replace(seed=3),)
    assert evaluator_seconds(todo, ("knn", "linear"), store, 1, [other]) == {"features": 2.0, "knn": 1.0, "linear": 7.0}
    assert evaluator_seconds(todo, ("knn",), store, 1, [None]) == {"features": 2.0, "knn": 1.0}, "where nothing lacks none is read"
    (tmp_path / "mine.py").write_text(
        "from bench.spec import Budget, RunSpec\nfrom bench.suites import Suite\n\n\ndef suite():\n"
        "    run = RunSpec(method='random', dataset='digits', budget=Budget('steps', 1))\n"
        "    return Suite((run,), ('knn',), 'results/mine')\n"
    )
    monkeypatch.chdir(tmp_path)
    assert [one.folder for one in Request(suite="mine.py", threads=1).beside()] == [other.folder.relative_to(tmp_path)]
    assert Request(suite="mine.py", results="results/mine", threads=1).beside() == []
    assert sorted(one.folder.name for one in Request(threads=1).beside()) == ["mine", "other"], "of no suite: all below results"
