"""--compile: which modules are compiled, for how long, and what the record says of it."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import methods
import run_bench
from bench.encoders.compiled import compiled
from bench.encoders.factory import factory
from bench.errors import UserError
from bench.records.store import ResultStore
from bench.run.surroundings import provenance
from bench.spec import DatasetInfo


@pytest.fixture
def calls(monkeypatch):
    """The modules whose `compile` was called; they run as they are."""
    found = []

    def compile(module):
        found.append(module)
        module._compiled_call_impl = module._call_impl

    monkeypatch.setattr(nn.Module, "compile", compile)
    return found


def byol():
    return methods.load("byol")(factory("resnet8", 32), DatasetInfo(8, 32, mean=(0.5,) * 3, std=(0.5,) * 3))


def test_encoders_are_compiled_for_the_block_alone(calls):
    method, plain = byol(), byol()
    with compiled(method, True):
        assert len(calls) == 2 and method.encoder in calls, "the student's and the teacher's"
        assert method.encoder._compiled_call_impl is not None
        method.encoder(torch.rand(4, 3, 32, 32))
    assert all(module._compiled_call_impl is None for module in calls)
    with compiled(plain, False):
        assert len(calls) == 2


def test_a_record_says_that_it_was_compiled(calls, tmp_path):
    """Of what is trained: untrained features have nothing to compile."""
    options = "--method simclr,random --dataset digits --budget 2steps --batch-size 16 --seeds 0 --evals label_free"
    places = ["--results", str(tmp_path / "results"), "--scratch", str(tmp_path / "scratch")]
    run_bench.cli.main(["run", *options.split(), *places, "--launcher", "debug", "--compile"], standalone_mode=False)
    records = ResultStore(tmp_path / "results").records()
    assert {record.spec["method"]: record.environment.get("compiled") for record in records} == {"simclr": True, "random": None}
    assert calls


def test_a_record_says_that_a_resumed_run_was_compiled_no_more():
    begun = {"hardware": {}, "environment": {"commit": "a", "compiled": True}}
    resumed = {"hardware": {}, "environment": {"commit": "a"}}
    found = provenance(SimpleNamespace(origin=begun), resumed)
    assert found["environment"] == {"commit": "a", "compiled": True, "ended_with": {"compiled": None}}


def test_several_processes_are_not_compiled(tmp_path):
    arguments = ["run", "--method", "simclr", "--dataset", "digits", "--budget", "2steps", "--processes", "2", "--compile"]
    places = ["--results", str(tmp_path / "results"), "--scratch", str(tmp_path / "scratch")]
    with pytest.raises(UserError, match="--compile is for runs of one process so far, not of 2"):
        run_bench.cli.main([*arguments, *places], standalone_mode=False)
