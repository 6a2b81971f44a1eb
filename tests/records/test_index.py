"""The index of a results folder: what is as it was is not read again, and nobody can tell that by the answers."""

import errno
import os

import numpy as np
import pytest

from bench.machine import files
from bench.records import column_arrays, paths
from bench.records import index as index_module
from bench.records import store as store_module
from bench.records.index import NAME
from bench.records.record import Cost, Result, RunRecord
from bench.records.store import ResultStore
from bench.spec import Budget, Recipe, RunSpec

RESULTS = tuple(
    Result(evaluator=evaluator, dataset="mnist5k", split="test", metric="top1", value=value, n=8, chosen={"k": 20}, correct="/w==")
    for evaluator, value in (("knn", 85.0), ("linear", None))
)


def spec(seed, method="simclr"):
    facts = {"encoder": "resnet8", "image_size": 28, "precision": "bf16", "method_version": "1", "data_revision": "abc"}
    recipe, budget = Recipe("sgd", lr=0.1, batch_size=128), Budget("images", 20000)
    return RunSpec(method=method, dataset="mnist5k", seed=seed, budget=budget, recipe=recipe, hyper_parameters={"t": 0.5}, **facts)


def record(seed, status="done", evals=("knn", "linear"), weights="a" * 64, method="simclr"):
    run, results = spec(seed, method), RESULTS if status == "done" else ()
    facts = {"cost": Cost(steps=78, images=20000, flops=2.4e12, seconds=15.0), "error": None if status == "done" else "NaN loss"}
    return RunRecord(id=run.id, spec=run.to_json(), suite="x", status=status, evals=evals, results=results, weights_sha256=weights, **facts)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Thirty records and the index of their frame."""
    monkeypatch.setattr(index_module, "WORTH", 5)
    monkeypatch.setattr("os.fsync", lambda _: None)
    store = ResultStore(tmp_path / "results")
    for seed in range(28):
        store.publish(record(seed))
    store.publish(record(28, status="diverged", evals=()))
    store.publish(record(0, method="byol"))
    store.publish(record(0, evals=("label_free",)))
    ResultStore(store.folder).frame()
    return store.folder


@pytest.fixture
def reads(monkeypatch):
    """The files that are read from here on."""
    seen = []
    read = ResultStore._read
    monkeypatch.setattr(ResultStore, "_read", lambda self, path, state: seen.append(path.name) or read(self, path, state))
    return seen


def from_files(folder):
    """The frame as it is without an index."""
    (folder / NAME).unlink(missing_ok=True)
    return ResultStore(folder).frame()


def test_what_is_as_it_was_is_not_read_again(folder, reads):
    store = ResultStore(folder)
    frame = store.frame()
    store.check()
    assert store.missing(spec(0), ("knn", "label_free", "stages")) == ("stages",) and not store.missing(spec(28), ("knn",))
    assert [part.reason for part in store.parts(spec(28))] == ["NaN loss"]
    assert reads == []
    expected = from_files(folder)
    assert len(reads) == 31
    assert frame.equals(expected) and frame.dtypes.equals(expected.dtypes) and frame.attrs == expected.attrs


def test_a_new_a_changed_and_a_lost_file_are_seen(folder, reads):
    (broken,) = folder.glob("*/simclr-3-*.json")
    broken.write_text(broken.read_text()[:-20])
    (lost,) = folder.glob("*/simclr-4-*.json")
    lost.unlink()
    (edited,) = folder.glob("*/simclr-5-*.json")
    edited.write_text(edited.read_text().replace('"suite": "x"', '"suite": "y"'))
    ResultStore(folder).publish(record(90))
    ResultStore(folder).publish(record(6, evals=("transfer:digits",)))
    reads.clear()
    store = ResultStore(folder)
    frame = store.frame()
    # The run that has a second part is read as a whole; it was counted in publishing too, where the first part was known.
    assert sorted({name.split("-")[1] for name in reads}) == ["3", "5", "6", "90"]
    assert [path for path, _ in store.problems] == [broken]
    assert set(frame[frame.seed == 5].suite) == {"y"} and set(frame[frame.method == "simclr"].seed) == {*range(29), 90} - {3, 4}
    assert frame.equals(from_files(folder))


def test_one_store_sees_what_comes_and_goes(folder):
    store = ResultStore(folder)
    before = store.frame()
    path = store.publish(record(91))
    assert set(store.frame().seed) == {*before.seed, 91}
    path.unlink()
    assert store.frame().equals(before)


def test_files_in_another_order_are_the_same_files(folder, reads, monkeypatch):
    """A folder that was copied or packed anew may list them otherwise."""
    expected = ResultStore(folder).frame()
    monkeypatch.setattr(store_module, "listing", lambda *arguments: dict(reversed(paths.listing(*arguments).items())))
    assert ResultStore(folder).frame().equals(expected) and not reads


def test_a_name_that_is_not_text_is_only_a_problem(folder):
    expected = ResultStore(folder).frame()
    for name in (b"\xff.json", b"a\nb.json", b"x.json"):
        with open(os.fsencode(folder / "mnist5k") + b"/" + name, "wb") as file:
            file.write(b"{}")
    for _ in range(2):
        store = ResultStore(folder)
        assert store.frame().equals(expected) and len(store.problems) == 3


def test_columns_come_back_to_the_last_bit():
    real = np.array([0.0, -0.0, np.nan, np.inf, 1 / 3, 5e-324, 0.0])
    many = np.random.default_rng(0).permutation(3 * column_arrays.FEW) - column_arrays.FEW
    texts = ["a", None, "", "ü\n", "a", *map(str, range(300))]
    arrays = {}
    for name, column in (("real", real), ("many", many), ("flag", np.array([True, False, True])), ("texts", texts), ("none", [])):
        column_arrays.pack_column(arrays, name, column)
        found = column_arrays.unpack_column(arrays, name)
        assert found.tolist() == column if isinstance(column, list) else found.tobytes() == column.tobytes() and found.dtype == column.dtype
    assert arrays["real"].dtype == np.uint8 and arrays["texts"].dtype == np.uint16


def test_a_second_part_with_other_weights_is_named_from_the_index_too(folder, reads):
    path = ResultStore(folder).publish(record(7, evals=("stages",), weights="b" * 64))
    for _ in range(2):
        store = ResultStore(folder)
        store.frame()
        assert [found for found, _ in store.problems] == [path]
        store.index.unsaved = 10**6
        store.index.save()
    assert reads.count(path.name) == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_an_index_that_cannot_be_used_is_as_none(folder, content, monkeypatch):
    expected = ResultStore(folder).frame()
    if content is None:
        monkeypatch.setattr(index_module, "made_by", lambda: "other code")
    else:
        (folder / NAME).write_bytes(content)
    store = ResultStore(folder)
    assert not store.index.parts
    assert store.frame().equals(expected)
    assert ResultStore(folder).index.parts, "it was written anew"


def test_a_folder_that_cannot_be_written_to_has_none(folder, monkeypatch):
    (folder / NAME).unlink()

    def refuse(path, content):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files, "write", refuse)
    assert len(ResultStore(folder).frame()) == 59 and not (folder / NAME).exists()


def test_a_small_folder_has_none(tmp_path):
    store = ResultStore(tmp_path)
    store.publish(record(0))
    store.frame()
    store.check()
    assert not (tmp_path / NAME).exists()


def test_a_part_says_of_a_record_what_it_says(folder):
    part = ResultStore(folder).parts(spec(0))[0]
    whole = ResultStore(folder).find(spec(0).id)[0]
    assert part._asdict() == {name: getattr(whole, name) for name in part._fields}


def test_it_holds_no_pickles(folder):
    assert store_module.Index(folder).parts
    with np.load(folder / NAME, allow_pickle=False) as saved:
        assert all(saved[name].dtype != object for name in saved.files)


def test_a_look_at_parts_leaves_the_frames_rows_where_they_are(folder, reads):
    store = ResultStore(folder)
    store.missing(spec(0), ("knn",))
    assert store.index.parts and not store.index.whole and not store.index.framed
    for seed in range(40, 50):
        store.publish(record(seed))
    store.check()  # writes the index anew, with ten parts more
    reads.clear()
    assert len(ResultStore(folder).frame()) == 59 + 20
    assert len(reads) == 10, "the rows of the other runs were still there"
