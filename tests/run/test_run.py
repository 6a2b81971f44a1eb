"""A run from spec to record: killed at any moment and started again, crashed, diverged, evaluated later, on a full disk."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import methods
from bench.data import catalogue
from bench.data import source as source_module
from bench.data.load import load
from bench.data.source import load_source
from bench.errors import UserError
from bench.evaluation import frozen_encoder
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.machine.lease import claim
from bench.machine.signals import Interrupted
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run import execute as execute_module
from bench.run.execute import RunFailed, execute
from bench.run.place import Place
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.checkpoint import Checkpoints
from bench.training.trainer import Trainer
from places import ROOT

EVALS = ("knn", "label_free")


@pytest.fixture(scope="module")
def spec():
    """MoCo: queue, teacher and permutations, everything that a resume could lose; 24 steps are more than an epoch of 20."""
    return complete(RunSpec(method="moco", dataset="digits", budget=Budget("steps", 24), image_size=16, recipe_changes={"batch_size": 64}))


@pytest.fixture(scope="module")
def undisturbed(spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    execute(spec, EVALS, Place(folder / "results", folder / "scratch", threads=1))
    return ResultStore(folder / "results").records()[0]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "results", tmp_path / "scratch", threads=1)


def the_record(place):
    store = ResultStore(place.results)
    records = store.records()
    assert not store.problems and len(records) == 1
    return records[0]


def equal_outcome(record, other):
    """Bit for bit: weights, loss curve, every result and every meter but the clock's."""
    assert record.weights_sha256 == other.weights_sha256
    assert record.loss_curve == other.loss_curve
    assert record.results == other.results
    for meter in ("steps", "images", "flops"):
        assert getattr(record.cost, meter) == getattr(other.cost, meter)


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.suffix == ".tmp" or path.name.startswith(".")]


KILLS = {
    "in training": "count = [0]\ndef step(self, *a, _f=Trainer.step):\n    count[0] += 1\n    die() if count[0] == 15 else None\n"
    "    return _f(self, *a)\nTrainer.step = step",
    "in writing a checkpoint": "count = [0]\ndef save(state, file, _f=torch.save):\n    count[0] += 1\n    if count[0] == 10:\n"
    "        file.write(b'PK half a checkpoint'); file.flush(); die()\n    return _f(state, file)\ntorch.save = save",
    "between checkpoint and rename": "count = [0]\ndef put(a, b, _f=os.replace):\n    count[0] += str(b).endswith('.pt')\n"
    "    die() if count[0] == 10 else None\n    return _f(a, b)\nos.replace = put",
    "in evaluation": "import bench.evaluation.evaluators.label_free as e\ne.evaluate = lambda *a: die()",
    "in publishing": "import bench.records.store as s\ns.put = lambda *a, **k: die()",
}

DRIVER = """
import json, os, signal, sys, torch
torch.set_num_threads(1)
from pathlib import Path
from bench.run.execute import RunFailed, execute
from bench.run.place import Place
from bench.spec import RunSpec
from bench.training.trainer import Trainer
def die(): os.kill(os.getpid(), signal.SIGKILL)
{kill}
spec = RunSpec.from_json(json.loads(sys.argv[1]))
execute(spec, ("knn", "label_free"), Place(Path(sys.argv[2]), Path(sys.argv[3]), threads=1, checkpoint_every=0.0))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", KILLS)
def test_killed_and_started_again_is_the_undisturbed_run(moment, spec, undisturbed, place):
    driver = DRIVER.format(kill=KILLS[moment])
    command = [sys.executable, "-c", driver, json.dumps(spec.to_json()), str(place.results), str(place.scratch)]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not list(place.results.rglob("*.json"))
    state = Checkpoints(place.scratch, spec.id).load()
    assert 0 < state["meter"]["steps"] <= 24
    assert execute(spec, EVALS, place)
    equal_outcome(the_record(place), undisturbed)
    assert not [path for path in leftovers(place.scratch) if path.suffix == ".tmp"]


def test_the_record_says_what_was_done(undisturbed, spec):
    assert undisturbed.status == "done" and undisturbed.evals == EVALS and undisturbed.id == spec.id
    assert undisturbed.cost.steps == 24 and undisturbed.cost.images == 24 * 64 and undisturbed.cost.flops > 0
    assert 0 < undisturbed.cost.cpu_seconds < undisturbed.cost.seconds + 1, "one thread"
    assert undisturbed.cost.seconds > 0 and undisturbed.cost.peak_memory_bytes > 1e6
    assert undisturbed.environment["threads"] == 1 and undisturbed.environment["versions"]["torch"] == torch.__version__.split("+")[0]
    measured = {(result.evaluator, result.weights) for result in undisturbed.results}
    assert measured == {("knn", None), ("label_free", None), ("knn", "teacher")}
    assert undisturbed.loss_curve[-1][0] == 1.0
    assert undisturbed.chance_loss == pytest.approx(np.log(1 + 4096)) and len(undisturbed.short_of) == 2
    assert undisturbed.short_of[0] == "the queue of 4,096 is full after 64 steps, and it has 24"


def test_same_spec_same_bytes(spec, undisturbed, place):
    execute(spec, EVALS, place)
    equal_outcome(the_record(place), undisturbed)


def test_statistics_of_whole_images_are_in_weights_cost_and_checkpoint(place, tmp_path, monkeypatch):
    """Stopped in evaluation and started again, the run is the undisturbed one; a later evaluation finds the same weights."""
    facts = {"dataset": "digits", "image_size": 16, "budget": Budget("steps", 2), "precision": "float32"}
    spec = complete(RunSpec(method="jigsaw", recipe_changes={"batch_size": 64}, **facts))
    execute(spec, ("knn",), Place(tmp_path / "undisturbed", tmp_path / "other", threads=1))
    (undisturbed,) = ResultStore(tmp_path / "undisturbed").records()

    def stopped(*arguments):
        raise Interrupted("in evaluation")

    monkeypatch.setattr(execute_module, "evaluate", stopped)
    with pytest.raises(Interrupted):
        execute(spec, ("knn",), place)
    monkeypatch.undo()
    execute(spec, ("knn",), place)
    record = the_record(place)
    equal_outcome(record, undisturbed)
    state = Checkpoints(place.scratch, spec.id).load()
    exported = load_file(place.scratch / spec.id / "weights.safetensors")
    assert state["retaken"] and all(torch.equal(value, exported[name]) for name, value in state["method"].items())
    step = sum(state["meter"]["step_flops"].values())
    assert state["meter"]["flops"] == record.cost.flops > 2 * step, "two steps, and a look at whole images"
    execute(spec, ("knn", "label_free"), place)
    assert len({part.weights_sha256 for part in ResultStore(place.results).records()}) == 1


def test_what_is_stored_is_not_repeated(spec, undisturbed, place, monkeypatch):
    ResultStore(place.results).publish(undisturbed)
    monkeypatch.setattr(execute_module, "make_record", lambda *a: pytest.fail("trained again"))
    assert execute(spec, EVALS, place) is None


@pytest.mark.slow
def test_a_later_evaluation_is_a_part_of_its_own_on_the_same_weights(spec, undisturbed, place, monkeypatch):
    execute(spec, ("label_free",), place)
    steps = []
    monkeypatch.setattr(Trainer, "step", lambda *a: steps.append(a))
    path = execute(spec, EVALS, place)
    assert path.name.endswith(".2.json") and not steps
    first, second = ResultStore(place.results).find(spec.id)
    assert (first.evals, second.evals) == (("label_free",), ("knn",))
    assert first.weights_sha256 == second.weights_sha256 == undisturbed.weights_sha256
    frame = ResultStore(place.results).frame()
    assert set(frame["evaluator"]) == {"knn", "label_free"} and not frame.duplicated(["id", "evaluator", "metric", "weights"]).any()


def test_a_later_evaluation_of_other_weights_is_refused(spec, undisturbed, place):
    ResultStore(place.results).publish(replace(undisturbed, weights_sha256="0" * 64))
    with pytest.raises(UserError, match="the weights that moco seed 0"):
        execute(spec, (*EVALS, "linear"), place)
    assert len(ResultStore(place.results).records()) == 1


@pytest.mark.parametrize(("steps", "reason"), [(30, "at step"), (1, "1295 of 1295 rows of train_x hold NaN or infinite features")])
def test_a_run_that_diverges_is_recorded_and_not_repeated(place, steps, reason):
    """After one step no loss is computed with the new weights, which are numbers, and so large that no feature is."""
    spec = complete(
        RunSpec(
            method="rotation",
            dataset="digits",
            budget=Budget("steps", steps),
            image_size=16,
            recipe_changes={"batch_size": 64, "lr": 1e30, "warmup": 0.0},
        )
    )
    execute(spec, EVALS, place)
    record = the_record(place)
    assert record.status == "diverged" and reason in record.error and not record.results
    assert execute(spec, EVALS, place) is None


@pytest.mark.parametrize(
    ("room", "advice"), [(16, "a batch of 16 fits here, by a step that was tried: --batch-size 16"), (0, "no smaller")]
)
def test_out_of_memory_is_recorded_with_what_fits(spec, place, monkeypatch, room, advice):
    own = methods.load("moco").loss

    def loss(self, batch, progress):
        if progress > 0.2 and len(batch.index) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return own(self, batch, progress)

    monkeypatch.setattr(methods.load("moco"), "loss", loss)
    with pytest.raises(RunFailed, match="out of memory with 64 images of 16 pixels"):
        execute(spec, EVALS, place)
    record = the_record(place)
    assert record.status == "failed" and advice in record.error and "Tried to allocate 2.00 GiB" in record.error


@pytest.mark.slow
def test_out_of_memory_in_evaluation_says_so(spec, place, monkeypatch):
    def evaluate(*arguments):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(execute_module, "evaluate", evaluate)
    with pytest.raises(RunFailed, match="out of memory outside training"):
        execute(spec, EVALS, place)


@pytest.mark.slow
def test_a_run_that_crashes_is_recorded_with_its_reason_and_tried_again(spec, undisturbed, place, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(execute_module, "evaluate", lambda *a: (_ for _ in ()).throw(RuntimeError("no such kernel")))
        with pytest.raises(RunFailed, match="no such kernel"):
            execute(spec, EVALS, place)
    record = the_record(place)
    assert (record.status, record.error) == ("failed", "RuntimeError: no such kernel")
    execute(spec, EVALS, place)
    equal_outcome(ResultStore(place.results).find(spec.id)[-1], undisturbed)


def test_a_full_disk_fails_the_run_and_leaves_the_store_whole(spec, undisturbed, place, monkeypatch):
    other = replace(undisturbed)
    ResultStore(place.results).publish(other)
    before = {path: path.read_bytes() for path in place.results.rglob("*.json")}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        execute(spec.replace(seed=1), EVALS, place)
    assert {path: path.read_bytes() for path in place.results.rglob("*") if path.is_file()} == before


def test_a_foreign_checkpoint_is_refused(spec, place):
    folder = place.scratch / spec.id
    folder.mkdir(parents=True)
    torch.save({"run_id": "another", "meter": {}}, folder / "step-000000003.pt")
    with pytest.raises(UserError, match="belongs to run another"):
        execute(spec, EVALS, place)
    assert not list(place.results.rglob("*.json"))


@pytest.mark.slow
def test_a_truncated_checkpoint_is_passed_over_and_said(spec, undisturbed, place):
    stopped_after(spec, place, 15)
    checkpoints = Checkpoints(place.scratch, spec.id)
    newest, _ = checkpoints.paths()
    newest.write_bytes(newest.read_bytes()[:1000])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        execute(spec, EVALS, place)
    assert any(newest.name in str(warning.message) for warning in caught)
    equal_outcome(the_record(place), undisturbed)


def stopped_after(spec, place, steps):
    """Run until so many steps are done, then be asked to stop, as by SIGTERM."""
    original, count = Trainer.step, [0]

    def step(self, *arguments):
        loss = original(self, *arguments)
        count[0] += self.optimizer is not None and arguments[1] is not None
        if count[0] == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    Trainer.step = step
    try:
        with pytest.raises(Interrupted):
            execute(spec, EVALS, replace(place, checkpoint_every=0.0))
    finally:
        Trainer.step = original


@pytest.mark.slow
def test_sigterm_writes_a_checkpoint_and_the_run_goes_on_from_it(spec, undisturbed, place):
    former = signal.getsignal(signal.SIGTERM)
    stopped_after(spec, place, 7)
    assert signal.getsignal(signal.SIGTERM) is former
    assert Checkpoints(place.scratch, spec.id).load()["meter"]["steps"] == 7
    assert json.loads((place.scratch / spec.id / "heartbeat.json").read_text())["state"] == "interrupted"
    assert not list(place.results.rglob("*.json"))
    execute(spec, EVALS, place)
    equal_outcome(the_record(place), undisturbed)


@pytest.mark.slow
def test_a_resumed_run_takes_its_own_thread_count(spec, undisturbed, place):
    stopped_after(spec, place, 7)
    try:
        execute(spec, EVALS, replace(place, threads=2))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)
    equal_outcome(the_record(place), undisturbed)


def test_a_run_that_someone_else_holds_is_left_to_them(spec, place):
    (place.scratch / spec.id).mkdir(parents=True)
    started = time.monotonic()
    with claim(place.scratch / spec.id):
        assert execute(spec, EVALS, place) is None
    assert time.monotonic() - started < 5 and not place.results.exists()


def test_floors_cost_what_they_compute_and_a_reference_is_marked(place):
    common = {"dataset": "digits", "budget": Budget("steps", 3), "image_size": 16}
    for method in ("random", "pixels", "pca"):
        execute(complete(RunSpec(method=method, **common)), ("knn",), place)
    execute(complete(RunSpec(method="supervised", recipe_changes={"batch_size": 64}, **common)), ("knn",), place)
    frame = ResultStore(place.results).frame().drop_duplicates("method").set_index("method")
    assert (frame.loc[["random", "pixels"], ["steps", "flops", "seconds"]] == 0).all(axis=None)
    # One look at the training images, without a step.
    assert frame.loc["pca", "steps"] == 0 and frame.loc["pca", "flops"] > 0 and frame.loc["pca", "seconds"] > 0
    assert frame.deterministic.to_dict() == {"random": False, "pixels": True, "pca": True, "supervised": False}
    assert not frame.loc["random", "trained"] and not frame.loc["random", "uses_labels"]
    assert frame.loc["supervised", "uses_labels"] and np.isclose(frame.loc["supervised", "steps"], 3)


@pytest.mark.slow
def test_exported_weights_are_the_runs(spec, undisturbed, place):
    execute(spec, EVALS, place)
    saved = load_file(place.scratch / spec.id / "weights.safetensors")
    state = Checkpoints(place.scratch, spec.id).load()["method"]
    assert saved.keys() == state.keys() and all(torch.equal(saved[name], state[name]) for name in saved)


def test_peak_memory_is_the_runs_own():
    from bench.machine import hardware

    large = torch.ones(100_000_000)
    before = hardware.peak_memory_bytes()
    del large
    hardware.reset_peak_memory()
    assert hardware.peak_memory_bytes() < before - 3e8


def test_an_images_index_does_not_give_its_label_away():
    """mnist5k lies in order of class: position // 360 would be the label."""
    spec = complete(RunSpec(method="random", dataset="mnist5k", budget=Budget("steps", 1)))
    source, _ = load_source(spec, catalogue.require("mnist5k"))
    guess = torch.arange(len(source.labels)) // 360
    assert (guess == source.labels).float().mean() < 0.2


def test_a_method_is_told_what_its_views_are_normalised_with():
    spec = complete(RunSpec(method="random", dataset="mnist5k", budget=Budget("steps", 1)))
    source, _ = load_source(spec, catalogue.require("mnist5k"))
    assert (source.info.mean, source.info.std) == (tuple(source.mean.tolist()), tuple(source.std.tolist()))
    plain = replace(source.info, mean=DatasetInfo.mean, std=DatasetInfo.std)
    assert source.info.mean != DatasetInfo.mean and plain == catalogue.require("mnist5k").info("train")


def test_a_search_does_not_load_test(spec, place, monkeypatch):
    loaded = []
    for module in (source_module, frozen_encoder):
        monkeypatch.setattr(module, "load", lambda data, split, *rest: (loaded.append(split), load(data, split, *rest))[1])
    execute(complete(RunSpec(method="random", dataset="digits", budget=Budget("steps", 1))), ("validation", "label_free"), place)
    assert set(loaded) == {"train", "val"} and the_record(place).status == "done"


@pytest.mark.slow
def test_a_later_evaluation_that_fails_is_no_success(spec, undisturbed, place, monkeypatch):
    execute(spec, EVALS, place)
    monkeypatch.setattr(execute_module, "evaluate", lambda *a: (_ for _ in ()).throw(ValueError("not finite")))
    with pytest.raises(RunFailed, match="ValueError: not finite"):
        execute(spec, (*EVALS, "linear"), place)
    assert ResultStore(place.results).missing(spec, (*EVALS, "linear")) == ("linear",)


@pytest.mark.slow
def test_a_signal_in_evaluation_is_heard(spec, undisturbed, place, monkeypatch):
    real = FrozenEncoder.two_crops

    def two_crops(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(self)

    monkeypatch.setattr(FrozenEncoder, "two_crops", two_crops)
    with pytest.raises(Interrupted, match="SIGTERM"):
        execute(spec, ("label_free", "knn"), place)
    monkeypatch.undo()
    assert not list(place.results.rglob("*.json"))
    execute(spec, EVALS, place)
    equal_outcome(the_record(place), undisturbed)


MINE = '''"""A method with one encoder under two names."""
from torch import nn
from bench.method import Method
from bench.parts import gather
from bench.spec import Recipe
from bench.views import View


class Mine(Method):
    def __init__(self, make_encoder, data, *, weight=1.0):
        super().__init__()
        self.views = (View(()),)
        self.recipe = Recipe("sgd", lr=0.01, batch_size=64)
        self.encoder = make_encoder()
        self.student = nn.Sequential(self.encoder, nn.Linear(self.encoder.dim, 4))
        self.weight = weight

    def loss(self, batch, progress):
        return self.weight * gather(self.student(batch.views[0])).float().square().mean()
'''


def test_a_module_under_two_names_and_a_file_that_changed(place, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    spec = complete(RunSpec(method=str(path), dataset="digits", budget=Budget("steps", 2), image_size=16))
    execute(spec, ("knn",), place)
    assert the_record(place).status == "done"
    path.write_text(MINE + "\n")
    with pytest.raises(UserError, match="planned with method_version"):
        execute(spec.replace(seed=1), ("knn",), place)
    assert len(ResultStore(place.results).records()) == 1


@pytest.mark.slow
def test_the_record_names_the_code_that_trained(spec, undisturbed, place, monkeypatch):
    stopped_after(spec, place, 7)
    real = execute_module.hardware.environment
    monkeypatch.setattr(execute_module.hardware, "environment", lambda threads: {**real(threads), "commit": "another"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        execute(spec, EVALS, place)
    record = the_record(place)
    assert any("checkpoint of another commit" in str(warning.message) for warning in caught)
    assert record.environment["commit"] == real(1)["commit"] and record.environment["ended_with"] == {"commit": "another"}
    equal_outcome(record, undisturbed)


@pytest.mark.slow
def test_a_failing_run_is_tried_once_a_launch(spec, place, monkeypatch):
    from bench.launch.local import Work

    tries = []

    def fail(*arguments):
        tries.append(arguments)
        raise RuntimeError("always")

    monkeypatch.setattr(execute_module, "evaluate", fail)
    work = Work([spec.to_json()], EVALS, place)
    ((number, said),) = work()
    assert number == 1 and said.startswith(f"moco seed 0 ({spec.id}): RuntimeError: always (test_run.py:")
    assert work() == [] and len(tries) == 1
