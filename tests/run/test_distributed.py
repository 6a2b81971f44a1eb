"""Several processes for one run: rows, gathers, means and BatchNorm against one process; whole runs; what goes wrong.

The pieces run in two processes that this file starts on itself (`python -m test_distributed [JOB]`); each compares with what one
process gives.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

import methods
from bench.compute.collectives import agree, alone, average_gradients, gather, mean_of_batch, rank, rows_of, shard, size, total
from bench.encoders.batch_norm import GroupedBatchNorm, require_shares, synchronise
from bench.encoders.features import extract
from bench.errors import UserError
from bench.machine.signals import Interrupted, StopSignals
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.folder import RunFolder
from bench.run.place import Place
from bench.run.processes import FollowerDied, Kept, join_as_follower, serve, shared_by_processes
from bench.spec import Budget, RunSpec
from bench.training.checkpoint import Checkpoints

HERE = Path(__file__).parent


def network() -> nn.Module:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 6), nn.BatchNorm1d(6)
    return nn.Sequential(*parts).double()


def gradients(total_rows: int, groups: int = 1) -> tuple[float, dict]:
    """Loss, and gradients and buffers by name, of a contrast plus a mean over a batch of so many rows."""
    model = network()
    if groups > 1:
        model[1] = GroupedBatchNorm(8, groups).double()
    synchronise(model)
    generator = torch.Generator().manual_seed(1)
    images = shard(torch.randn(total_rows, 3, 8, 8, generator=generator, dtype=torch.float64))
    own = model(images)
    rows = gather(own)
    loss = (rows @ rows.T).logsumexp(1).mean() + mean_of_batch(own.square().mean(1).exp().mean(), len(own))
    loss.backward()
    average_gradients(model)
    state = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return loss.item(), state | {name: value.double() for name, value in model.named_buffers()}


def pieces() -> None:
    """What both processes assert."""
    assert size() == 2 and [rows_of(7, number) for number in (0, 1)] == [slice(0, 4), slice(4, 7)]
    everything = torch.arange(7) * 10
    assert torch.equal(shard(everything), everything[rows_of(7)]) and torch.equal(gather(shard(everything)), everything)
    assert torch.equal(gather(shard(everything[:6]), even=True), everything[:6])
    assert total(rank() + 1) == 3 and agree([5.0 + rank()]) == [5.0]
    # An even batch, an uneven one, and fixed groups of BatchNorm.
    for rows, groups in ((8, 1), (7, 1), (8, 4)):
        loss, state = gradients(rows, groups)
        with alone():
            expected, reference = gradients(rows, groups)
        assert abs(loss - expected) < 1e-12 * abs(expected)
        for name, value in reference.items():
            torch.testing.assert_close(state[name], value, rtol=1e-10, atol=1e-12, msg=f"{name}, {rows} rows, {groups} groups")
    # More images than fill a batch of features, fewer batches than processes, and the same bits as in one process.
    model = network().float()
    mean, std = torch.zeros(3), torch.ones(3)
    for count in (1203, 400):
        images = torch.randint(256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
        assert torch.equal(
            extract(model, model, images, mean, std, "float32", shared=True), extract(model, model, images, mean, std, "float32")
        )


def in_two(tmp_path: Path, what: str, monkeypatch, kept: Kept | None = None) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    with shared_by_processes(2, {"what": what}, RunFolder(tmp_path), "test_distributed", kept):
        {"pieces": pieces, "dies": lambda: gather(torch.ones(1))}[what]()


@pytest.mark.slow
def test_pieces_in_two_processes(tmp_path, monkeypatch):
    in_two(tmp_path, "pieces", monkeypatch)


@pytest.mark.slow
def test_a_process_that_dies_ends_the_run_with_its_last_words(tmp_path, monkeypatch):
    with pytest.raises(FollowerDied, match=r"rank-1\.log: out of luck"):
        in_two(tmp_path, "dies", monkeypatch)
    assert not dist.is_initialized() and not list(tmp_path.glob("meeting-*"))


@pytest.mark.slow
def test_a_kept_process_goes_from_one_job_to_the_next_until_it_fails(tmp_path, monkeypatch):
    kept, numbers = Kept("test_distributed"), []
    for what in ("pieces", "pieces", "dies", "pieces"):
        failing = pytest.raises(FollowerDied, match=r"rank-1\.log: out of luck") if what == "dies" else contextlib.nullcontext()
        with failing:
            in_two(tmp_path, what, monkeypatch, kept)
        assert not dist.is_initialized()
        numbers.append(kept.process.pid)
    assert numbers[0] == numbers[1] == numbers[2] != numbers[3] and kept.process.poll() is None
    last = kept.process
    kept.stop()
    assert last.poll() is not None


def test_a_process_that_cannot_begin_is_noticed(tmp_path):
    ended = pytest.raises(FollowerDied, match="ended before it began")
    with ended, shared_by_processes(2, {}, RunFolder(tmp_path), "bench.no_such_module"):
        pass


def planned(**changes) -> RunSpec:
    facts = {"method": "moco", "dataset": "digits", "budget": Budget("steps", 6), "image_size": 16, "precision": "float32"} | changes
    return complete(RunSpec(**facts, recipe_changes={"batch_size": 64}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "budget"), [("moco", Budget("steps", 6)), ("moco", Budget("flops", 3e9)), ("jigsaw", Budget("steps", 3))], ids=str
)
def test_a_run_in_two_processes_is_the_run_in_one(tmp_path, method, budget):
    """Losses, the number of steps and what was paid agree, BatchNorm's statistics of whole images included; the record says how many
    shared it, and its id does not."""
    spec, curves = planned(method=method, budget=budget), []
    for processes in (1, 2):
        place = Place(tmp_path / f"results{processes}", tmp_path / f"scratch{processes}", processes=processes)
        execute(spec, ("knn",), place)
        (record,) = ResultStore(place.results).records()
        assert record.id == spec.id and record.hardware["processes"] == processes and record.status == "done"
        curves.append((record.cost.steps, record.cost.flops, record.loss_curve))
    (steps, flops, one), (other_steps, other_flops, two) = curves
    assert (steps, flops) == (other_steps, other_flops)
    assert one[0][1] == pytest.approx(two[0][1], rel=1e-5) and one[-1][1] == pytest.approx(two[-1][1], rel=1e-2)


@pytest.mark.slow
def test_a_budget_in_seconds_is_spent_by_one_clock(tmp_path, monkeypatch):
    """Hooks and start-up take longer on one process than on another; progress is one number all the same, and the run ends."""
    slow = tmp_path / "slow_hook.py"
    text = methods.require("deepcluster").read_text()
    hook = "    def before_epoch(self, extract, generator):\n"
    assert text.count(hook) == 1
    wait = "        import os, time\n\n        time.sleep(0.0 if 'SECOND' in os.environ else 0.7)\n"
    slow.write_text(text.replace(hook, hook + wait))
    place = Place(tmp_path / "results", tmp_path / "scratch", processes=2)
    facts = {"dataset": "digits", "image_size": 16, "precision": "float32", "recipe_changes": {"batch_size": 256}}
    spec = complete(RunSpec(method=str(slow), budget=Budget("seconds", 6), **facts), processes=2)
    popen = subprocess.Popen

    def second(command, env=None, **options):
        return popen(command, env={**(env or os.environ), "SECOND": "yes"}, **options)

    monkeypatch.setattr("bench.run.processes.subprocess.Popen", second)
    execute(spec, ("knn",), place)
    (record,) = ResultStore(place.results).records()
    assert record.status == "done" and 6 <= record.cost.seconds < 10


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    spec, signals = planned(), StopSignals()
    signals.received = signal.SIGTERM
    with pytest.raises(Interrupted):
        execute(spec, ("knn",), Place(tmp_path / "results", tmp_path / "scratch", processes=2), signals)
    before = Checkpoints(tmp_path / "scratch", spec.id).load()["meter"]["cpu_seconds"]
    execute(spec, ("knn",), Place(tmp_path / "results", tmp_path / "scratch"))
    (record,) = ResultStore(tmp_path / "results").records()
    assert record.cost.steps == 6 and record.hardware["processes"] == 2
    assert record.cost.cpu_seconds > before > 0
    assert record.environment["ended_with"]["hardware"]["processes"] == 1


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(UserError, match=r"65 processes cannot share a batch of 64; expected --processes of at most 64"):
        complete(planned().replace(recipe_changes={"batch_size": 64}), processes=65)
    with pytest.raises(UserError, match=r"3 processes cannot share the 8 BatchNorm groups.*expected --processes 1, 2, 4, 8"):
        complete(planned(), processes=3)

    class Other(nn.BatchNorm1d):
        pass

    with pytest.raises(UserError, match="0 is a Other"):
        require_shares(nn.Sequential(Other(3)), 8, 2)


def test_a_budget_in_seconds_is_one_on_so_many_processes():
    spec = RunSpec(method="random", dataset="digits", budget=Budget("seconds", 5))
    one, two = complete(spec), complete(spec, processes=2)
    assert two.device == f"2 x {one.device}" and one.id != two.id


def main(text: str) -> None:
    """The second process."""
    job = json.loads(text)
    torch.set_num_threads(1)
    join_as_follower(job)
    if job["what"] == "dies":
        sys.exit("out of luck")
    pieces()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1]) if sys.argv[1:] else serve(main)
