"""Checkpoints: whole or not there, two kept, broken ones passed over aloud, another run's and any code refused."""

import os
import pickle
import resource
import threading
import warnings
from pathlib import Path

import pytest
import torch

from bench.defaults import scratch_root
from bench.errors import UserError
from bench.training.checkpoint import Checkpoints


def state(value: float) -> dict:
    return {"method": {"weight": torch.full((3,), float(value))}, "meter": {"steps": int(value)}, "curve": [[(0.1, 2.0)], 0.5, 1]}


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path, "run0")


def files(checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.iterdir())


def cut(path) -> None:
    """What a full disk leaves."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_round_trip_is_exact(checkpoints):
    values = torch.randn(100)
    saved = {"optimizer": {"w": {"momentum_buffer": values, "step": 3}}, "number": 0.1, "curve": [[(0.1, 2.0)], 0.5, 1], "nothing": None}
    path = checkpoints.save(12, saved)
    assert path.name == "step-000000012.pt" and path.parent == checkpoints.folder
    loaded = Checkpoints(checkpoints.folder.parent, "run0").load()
    assert torch.equal(loaded["optimizer"]["w"].pop("momentum_buffer"), values)
    del saved["optimizer"]["w"]["momentum_buffer"]
    assert loaded == saved | {"run_id": "run0", "step": 12}


def test_nothing_there_is_nothing(checkpoints):
    assert checkpoints.load() is None


def test_the_newest_is_loaded_and_two_are_kept(checkpoints):
    for step in (1, 2, 30, 100):
        checkpoints.save(step, state(step))
        assert checkpoints.load()["meter"]["steps"] == step
    assert files(checkpoints) == ["step-000000030.pt", "step-000000100.pt"]


def test_the_same_step_again_replaces_it(checkpoints):
    checkpoints.save(5, state(1))
    checkpoints.save(5, state(2))
    assert files(checkpoints) == ["step-000000005.pt"] and checkpoints.load()["meter"]["steps"] == 2


@pytest.mark.parametrize("moment", ["torch.save", "os.fsync", "os.replace"])
def test_a_crash_while_saving_leaves_what_was_there(checkpoints, monkeypatch, moment):
    checkpoints.save(1, state(1))
    checkpoints.save(2, state(2))
    before = {path: path.read_bytes() for path in checkpoints.paths()}

    def crash(*args):
        if moment == "torch.save":
            args[1].write(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(moment, crash)
    with pytest.raises(OSError, match="no space"):
        checkpoints.save(3, state(3))
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in checkpoints.paths()} == before
    assert files(checkpoints) == ["step-000000001.pt", "step-000000002.pt"]
    assert checkpoints.load()["meter"]["steps"] == 2


def test_what_a_killed_process_left_is_cleaned(checkpoints):
    checkpoints.save(1, state(1))
    left = checkpoints.folder / "step-000000002.12345.tmp"
    left.write_bytes(b"half of it")
    assert checkpoints.load()["meter"]["steps"] == 1 and not left.exists()


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"not an archive")])
def test_a_broken_newest_is_passed_over_aloud(checkpoints, damage):
    checkpoints.save(1, state(1))
    damage(checkpoints.save(2, state(2)))
    with pytest.warns(UserWarning, match=r"step-000000002\.pt cannot be read .* the one before it"):
        loaded = checkpoints.load()
    assert loaded["meter"]["steps"] == 1


def test_a_broken_one_is_not_one_of_the_two_that_are_kept(checkpoints):
    """The run goes on from step 10 and saves step 12; were 20 still counted, only one whole checkpoint would be left."""
    checkpoints.save(10, state(10))
    cut(checkpoints.save(20, state(20)))
    again = Checkpoints(checkpoints.folder.parent, "run0")
    with pytest.warns(UserWarning, match="step-000000020"):
        again.load()
    again.save(12, state(12))
    assert files(again) == ["step-000000010.pt", "step-000000012.pt"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert again.load()["meter"]["steps"] == 12
    # A step that is reached again is written anew, whatever was wrong with it.
    again.save(20, state(20))
    assert again.load()["meter"]["steps"] == 20 and files(again) == ["step-000000012.pt", "step-000000020.pt"]


def test_nothing_readable_is_the_users_to_decide(checkpoints):
    cut(checkpoints.save(1, state(1)))
    cut(checkpoints.save(2, state(2)))
    with pytest.warns(UserWarning, match="cannot be read"), pytest.raises(UserError, match=r"no checkpoint in .*run0 can be read"):
        checkpoints.load()
    assert len(files(checkpoints)) == 2, "nothing is deleted behind the user's back"


def test_another_runs_file_is_refused(checkpoints):
    path = checkpoints.save(1, state(1))
    other = Checkpoints(checkpoints.folder.parent, "run1")
    other.folder.mkdir()
    os.rename(path, other.folder / path.name)
    with pytest.raises(UserError, match="belongs to run run0, not to run1"):
        other.load()
    torch.save([1, 2], other.folder / path.name)
    with pytest.raises(UserError, match="belongs to run None, not to run1"):
        other.load()


class Bomb:
    """Unpickled by a careless reader, it would write the file it names."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["archive", "bare"])
def test_code_in_a_file_is_not_run(checkpoints, tmp_path, form):
    mark, path = tmp_path / "executed", checkpoints.folder / "step-000000001.pt"
    checkpoints.folder.mkdir()
    if form == "archive":
        torch.save({"run_id": "run0", "method": Bomb(mark)}, path)
        torch.load(path, weights_only=False)
    else:
        path.write_bytes(pickle.dumps({"run_id": "run0", "method": Bomb(mark)}, protocol=2))
        pickle.loads(path.read_bytes())
    assert mark.exists(), "the bomb is a bomb"
    mark.unlink()
    with pytest.warns(UserWarning, match="cannot be read"), pytest.raises(UserError):
        checkpoints.load()
    assert not mark.exists()


@pytest.fixture
def slow_disk(monkeypatch):
    """Files that are not written until the event is set."""
    go_on, write = threading.Event(), torch.save
    monkeypatch.setattr("torch.save", lambda *args: (go_on.wait(20), write(*args)))
    yield go_on
    go_on.set()


def test_in_the_background_it_is_the_state_of_the_moment(checkpoints, slow_disk):
    """Tensors, and what lies in lists, change while the file is written."""
    now = {"method": {"weight": torch.zeros(3)}, "curve": [[(0.1, 2.0)], 0.5, 1], "pair": (torch.ones(2), 5), "meter": {"steps": 7}}
    checkpoints.begin(7, now)
    now["method"]["weight"] += 1
    now["pair"][0].fill_(9)
    now["curve"][0].append((0.2, 1.0))
    now["meter"]["steps"] = 8
    assert checkpoints.paths() == [], "begin does not wait"
    slow_disk.set()
    checkpoints.settle()
    loaded = checkpoints.load()
    assert torch.equal(loaded["method"]["weight"], torch.zeros(3)) and torch.equal(loaded["pair"][0], torch.ones(2))
    assert loaded["curve"] == [[(0.1, 2.0)], 0.5, 1] and loaded["meter"] == {"steps": 7} and files(checkpoints) == ["step-000000007.pt"]


def test_the_one_before_is_waited_for(checkpoints, slow_disk):
    checkpoints.begin(1, state(1))
    threading.Timer(0.2, slow_disk.set).start()
    checkpoints.save(2, state(2))
    assert files(checkpoints) == ["step-000000001.pt", "step-000000002.pt"]
    for step in (3, 4, 5):
        checkpoints.begin(step, state(step))
    checkpoints.settle()
    assert files(checkpoints) == ["step-000000004.pt", "step-000000005.pt"]


@pytest.mark.parametrize("method", ["save", "begin"])
def test_a_disk_that_fills_while_torch_writes_is_an_oserror(checkpoints, method):
    """Not torch's RuntimeError, which would be recorded as the method's failure. The limit on a file's size stands for the disk."""
    checkpoints.save(1, state(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            getattr(checkpoints, method)(2, {"weight": torch.zeros(1_000_000)})
            checkpoints.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(checkpoints) == ["step-000000001.pt"]


@pytest.mark.parametrize("later", ["settle", "begin", "save"])
def test_a_full_disk_in_the_background_is_heard_of(checkpoints, monkeypatch, later):
    def full(*_):
        raise OSError(28, "No space left on device")

    checkpoints.save(1, state(1))
    monkeypatch.setattr("os.fsync", full)
    checkpoints.begin(2, state(2))
    with pytest.raises(OSError, match="No space left"):
        getattr(checkpoints, later)(*() if later == "settle" else (3, state(3)))
    monkeypatch.undo()
    assert files(checkpoints) == ["step-000000001.pt"]
    checkpoints.save(3, state(3))
    assert checkpoints.load()["meter"]["steps"] == 3


def test_where_checkpoints_go(monkeypatch):
    monkeypatch.delenv("SSLBENCH_SCRATCH", raising=False)
    assert scratch_root() == Path(".scratch")
    monkeypatch.setenv("SSLBENCH_SCRATCH", "elsewhere")
    assert scratch_root() == Path("elsewhere") and scratch_root("here") == Path("here")
