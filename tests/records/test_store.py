"""The result store: whole or not there, never lost, never twice; the frame; and the page that describes a record."""

import dataclasses
import errno
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.records import record as record_module
from bench.records.frame import COLUMNS
from bench.records.record import Cost, Result, RunRecord
from bench.records.store import ResultStore
from bench.spec import Budget, Recipe, RunSpec
from places import ROOT

COST = Cost(steps=78, images=20000, flops=2.4e12, seconds=15.0, setup_seconds=1.0, evaluation_seconds=2.0, peak_memory_bytes=2**29)


def make_spec(seed=0, method="simclr", dataset="mnist5k", **changes):
    facts = {
        "budget": Budget("images", 20000), "encoder": "resnet8", "image_size": 28, "precision": "bf16",
        "method_version": "1", "data_revision": "abc",
        "recipe": Recipe("sgd", lr=0.1, batch_size=128), "hyper_parameters": {"temperature": 0.5},
    } | changes  # fmt: skip
    return RunSpec(method=method, dataset=dataset, seed=seed, **facts)


def make_result(evaluator="knn", value=85.0, metric="top1", weights=None):
    return Result(evaluator=evaluator, dataset="mnist5k", split="test", metric=metric, value=value, n=8, chosen={"k": 20, "T": 0.1},
                  correct="/w==", weights=weights)  # fmt: skip


def make_record(spec=None, evals=("knn",), status="done", weights_sha256="a" * 64, **facts):
    spec = spec or make_spec()
    results = tuple(make_result(name.split(":")[0]) for name in evals) if status == "done" else ()
    facts = {
        "results": results,
        "cost": COST,
        "suite": "demo",
        "hardware": {"model": "Xeon"},
        "environment": {"threads": 2, "commit": "f00"},
    } | facts
    weights_sha256 = weights_sha256 if status == "done" else None
    return RunRecord(id=spec.id, spec=spec.to_json(), status=status, evals=evals, weights_sha256=weights_sha256, **facts)


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "results")


def files(store):
    return sorted(path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file())


def test_a_record_comes_back_as_it_went_in(store):
    record = make_record(loss_curve=((0.0, 5.5), (0.1 + 0.2, 1 / 3)))
    path = store.publish(record)
    assert path == store.folder / "mnist5k" / f"simclr-0-{record.id}.json"
    assert store.records() == [record] == store.find(record.id)
    assert store.find("0" * 16) == [] and store.problems == []
    assert json.loads(path.read_text())["cost"]["flops"] == 2.4e12
    assert len(path.read_text().splitlines()) == len(dataclasses.fields(RunRecord)) + 2 + 2, "a line for each field and each result"


@pytest.mark.parametrize(
    ("dataset", "directory"),
    [("mnist5k", "mnist5k"), ("folder:/data/My birds", "My_birds"), ("folder:/data/birds/", "birds"), ("folder:birds", "birds"),
     ("folder:/data/..", "dataset"), ("folder:C:\\pictures\\.cats", "cats")],
)  # fmt: skip
def test_a_data_set_has_one_plain_directory(store, dataset, directory):
    record = make_record(make_spec(dataset=dataset, method="/home/me/my method.py"))
    assert store.publish(record) == store.folder / directory / f"my_method-0-{record.id}.json"
    assert store.records() == [record]


def test_records_of_some_runs_are_read_and_no_others(store):
    runs = [make_record(make_spec(seed)) for seed in range(3)]
    paths = [store.publish(record) for record in runs]
    later = make_record(make_spec(1), evals=("linear",))
    store.publish(later)
    paths[2].write_text("broken")
    assert store.records({runs[1].id, "0" * 16}) == [runs[1], later] and store.problems == []
    assert store.records([]) == [] and store.problems == []
    assert {record.id for record in store.records()} == {runs[0].id, runs[1].id} and [path for path, _ in store.problems] == paths[2:]


def test_publishing_twice_keeps_one(store):
    assert store.publish(make_record()) == store.publish(make_record(suite="other"))
    assert [record.suite for record in store.records()] == ["demo"]


def publish_many(folder, start):
    start.wait()
    for seed in range(20):
        ResultStore(folder).publish(make_record(make_spec(seed)))


@pytest.mark.parametrize("links", [True, False])
def test_many_threads_publish_one_file_each(store, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    start = threading.Barrier(4)
    threads = [threading.Thread(target=publish_many, args=(store.folder, start)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.frame()) == 20 and store.problems == []
    if links:  # without, a run may have a second part, of which the frame counts one
        assert len(files(store)) == 20


def test_two_processes_publish_one_file_each(store):
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    processes = [context.Process(target=publish_many, args=(store.folder, start)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(files(store)) == 20 and len(store.records()) == 20


def refuse_links(source, target):
    raise OSError(errno.EPERM, "Operation not permitted")


def test_without_hard_links_nothing_is_overwritten_either(store, monkeypatch):
    monkeypatch.setattr(os, "link", refuse_links)
    first = store.publish(make_record())
    before = first.read_bytes()
    assert store.publish(make_record(suite="other")) == first
    assert store.publish(make_record(evals=("linear",))).name.endswith(".2.json")
    assert first.read_bytes() == before and len(files(store)) == 2

    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        store.publish(make_record(evals=("transfer:digits",)))
    assert len(files(store)) == 2


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch, call):
    store.publish(make_record())
    before = files(store)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        store.publish(make_record(make_spec(seed=1)))
    monkeypatch.undo()
    assert files(store) == before and len(store.records()) == 1


def publish_little(folder):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    try:
        ResultStore(folder).publish(make_record())
    except OSError as error:
        os._exit(error.errno)
    os._exit(0)


def test_a_write_that_stops_half_way_leaves_the_store_as_it_was(store):
    """A real short write: the kernel refuses the second kilobyte."""
    pytest.importorskip("resource")
    process = multiprocessing.get_context("spawn").Process(target=publish_little, args=(store.folder,))
    process.start()
    process.join()
    assert process.exitcode == errno.EFBIG
    assert files(store) == []


def test_broken_files_are_reported_and_stay(store):
    whole = store.publish(make_record())
    truncated = store.publish(make_record(make_spec(seed=1)))
    truncated.write_text(truncated.read_text()[:200])
    foreign = store.publish(make_record(make_spec(seed=2)))
    foreign.write_text(foreign.read_text().replace('"temperature": 0.5', '"temperature": 0.4'))
    unknown_field = store.publish(make_record(make_spec(seed=3)))
    unknown_field.write_text(unknown_field.read_text().replace('"suite"', '"suit"'))
    newer = store.publish(make_record(make_spec(seed=4)))
    newer.write_text(newer.read_text().replace(f'"schema_version": {record_module.SCHEMA}', '"schema_version": 99, "sheets": [3]'))
    misplaced = whole.with_name("copy.json")
    misplaced.write_bytes(whole.read_bytes())
    (whole.parent / ".1234.tmp").write_text("{")
    before = files(store)

    assert len(store.records()) == 1
    assert len(store.frame()) == 1
    reasons = dict(store.problems)
    assert sorted(reasons) == sorted([truncated, foreign, unknown_field, newer, misplaced])
    assert "EOF" in reasons[truncated]
    assert "is not the hash of its spec" in reasons[foreign]
    assert "suit" in reasons[unknown_field]
    assert reasons[newer].startswith("made by a newer program: it has layout 99, and this version reads layout ")
    assert f"belongs at mnist5k/{whole.name}" in reasons[misplaced]
    assert files(store) == before

    # A run that a newer program made is refused, and not made again.
    with pytest.raises(UserError, match=r"the record of simclr seed 4, .* was made by a newer program"):
        store.require_known([make_spec(seed=1), make_spec(seed=4)])
    store.require_known([make_spec(seed=seed) for seed in range(4)])

    # The run behind a broken file counts as missing, and its new record goes beside it.
    assert store.missing(make_spec(seed=1), ["knn"]) == ("knn",)
    assert store.publish(make_record(make_spec(seed=1))).name.endswith(".2.json")
    assert store.missing(make_spec(seed=1), ["knn"]) == ()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"schema_version": 99, "runs": []}', "made by a newer program: it has layout 99"),
        ('{"schema_version": 0}', "it has layout 0, and this version reads"),
        ('{"schema_version": true, "runs": []}', "id: Field required"),
        ('{"runs": []}', "id: Field required"),
        ("[99]", "Input should be an object"),
    ],
)
def test_a_layout_is_told_before_anything_else_of_a_record(store, said, reason):
    path = store.path(make_spec())
    path.parent.mkdir(parents=True)
    path.write_text(said)
    assert store.records() == []
    ((where, why),) = store.problems
    assert where == path and (why.startswith(reason) or reason in why), why


def test_links_that_lead_nowhere_and_what_is_no_file_are_reported_and_skipped(store):
    whole = store.publish(make_record())
    folder = whole.parent
    (store.folder / "gone").symlink_to("nowhere")
    (store.folder / "loop").symlink_to("loop")
    (folder / "dangling.json").symlink_to("nowhere.json")
    (folder / "circle.json").symlink_to("circle.json")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")  # to open it would wait for ever
    (store.folder / "elsewhere").symlink_to(folder)  # a link to what is there is what is there
    for look in (store.records, store.check, store.frame, lambda: store.find(make_spec().id)):
        look()
        reasons = {path.relative_to(store.folder).as_posix(): reason for path, reason in store.problems}
        assert set(reasons) >= {"gone", "loop", *(f"mnist5k/{name}.json" for name in ("dangling", "circle", "folder", "pipe"))}, reasons
        assert reasons["gone"].startswith("a link that leads nowhere") and reasons["mnist5k/pipe.json"] == "it is not a file"
    assert len(store.frame()) == 1


def test_a_link_in_a_records_place_is_a_broken_part(store):
    """The run is made again beside it, once."""
    path = store.path(make_spec())
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere.json")
    assert store.missing(make_spec(), ["knn"]) == ("knn",)
    assert store.publish(make_record()).name.endswith(".2.json") and store.missing(make_spec(), ["knn"]) == ()


def test_a_folder_that_cannot_be_read_is_a_problem(store, monkeypatch):
    refused = store.publish(make_record(make_spec(dataset="digits"))).parent
    store.publish(make_record())
    scandir = os.scandir

    def without(folder):
        if Path(folder) == refused:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", without)
    assert len(store.frame()) == 1 and store.problems == [(refused, "Permission denied")]


def test_a_record_must_be_of_its_spec(store):
    record = dataclasses.replace(make_record(), id="0" * 16)
    with pytest.raises(AssertionError, match="not of its spec"):
        store.publish(record)


def test_later_evaluations_are_parts(store):
    first = store.publish(make_record(evals=("knn",)))
    second = store.publish(make_record(evals=("knn", "linear")))
    assert second.name == first.name.replace(".json", ".2.json")
    assert store.publish(make_record(evals=("linear",))) == second
    for number in range(3, 12):
        assert store.publish(make_record(evals=(f"transfer:{number}",))).name.endswith(f".{number}.json")
    assert [record.evals[-1] for record in store.records()] == ["knn", "linear", *(f"transfer:{number}" for number in range(3, 12))]
    assert store.records() == store.find(make_spec().id)
    assert store.missing(make_spec(), ["knn", "linear", "transfer:11", "label_free"]) == ("label_free",)


def test_missing_by_status(store):
    wanted = ("linear", "knn")
    assert store.missing(make_spec(), wanted) == wanted
    store.publish(make_record(status="failed", evals=(), error="OSError: gone"))
    assert store.missing(make_spec(), wanted) == wanted
    assert store.frame().status.tolist() == ["failed"]
    store.publish(make_record(status="failed", evals=(), error="OSError: gone again"))
    assert len(files(store)) == 1
    store.publish(make_record(evals=wanted))
    assert len(files(store)) == 2 and store.missing(make_spec(), wanted) == ()
    assert set(store.frame().status) == {"done"}
    store.publish(make_record(status="failed", evals=()))
    assert len(files(store)) == 2, "a crash after it was done says nothing new"

    store.publish(make_record(make_spec(seed=1), status="diverged", evals=(), error="NaN loss at step 12"))
    assert store.missing(make_spec(seed=1), wanted) == ()


def test_other_weights_are_reported_and_left_out(store):
    store.publish(make_record(evals=("knn",)))
    other = store.publish(make_record(evals=("linear",), weights_sha256="b" * 64))
    assert other.name.endswith(".2.json")
    assert store.publish(make_record(evals=("linear",), weights_sha256="b" * 64)) == other
    frame = store.frame()
    assert frame.evaluator.tolist() == ["knn"]
    assert [path for path, _ in store.problems] == [other] and "weights" in store.problems[0][1]
    assert store.missing(make_spec(), ["linear"]) == ("linear",)
    assert store.publish(make_record(evals=("linear",))).name.endswith(".3.json")
    assert store.frame().evaluator.tolist() == ["knn", "linear"]


def test_the_frame(store):
    store.publish(
        make_record(
            make_spec(seed=1), results=(make_result("linear", 93.0), make_result("knn", None), make_result("knn", 80.0, weights="student"))
        )
    )
    store.publish(make_record(make_spec(seed=0), evals=("knn",)))
    store.publish(make_record(make_spec(seed=0), evals=("knn", "linear")))
    store.publish(make_record(make_spec(method="byol"), status="diverged", evals=(), error="NaN loss at step 12"))
    frame = store.frame()
    assert list(frame.columns) == list(COLUMNS) and frame.attrs["folder"] == str(store.folder)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS
    assert frame.method.tolist() == ["byol"] + ["simclr"] * 5
    assert frame.seed.tolist() == [0, 0, 0, 1, 1, 1]
    assert frame.evaluator.tolist() == [None, "knn", "linear", "knn", "knn", "linear"]
    assert frame.part.tolist() == [1, 1, 2, 1, 1, 1], "of two equal measurements the first part's counts"
    assert frame.weights.tolist() == [None, None, None, None, "student", None]
    assert frame.value.isna().tolist() == [True, False, False, True, False, False]
    assert frame.error[0] == "NaN loss at step 12" and frame.status[0] == "diverged" and frame.n[0] == 0

    row = frame.iloc[1]
    assert (row.id, row.suite, row.encoder, row.dataset, row.eval_dataset) == (make_spec().id, "demo", "resnet8", "mnist5k", "mnist5k")
    assert (row.budget_unit, row.budget_amount, row.steps, row.images, row.flops, row.seconds) == ("images", 20000, 78, 20000, 2.4e12, 15)
    assert (row.metric, row.value, row.split, row.n, row.chosen, row.correct) == ("top1", 85, "test", 8, '{"T": 0.1, "k": 20}', "/w==")
    assert (row.image_size, row.batch_size, row.protocol, row.method_version, row.precision) == (28, 128, 1, "1", "bf16")
    assert (row.hardware, row.threads, row.commit, row.dirty, row.device) == ("Xeon", 2, "f00", False, None)
    assert (row.main_weights, row.trained, row.uses_labels, row.pretrain_split) == ("encoder", True, False, "train")
    assert (row.setup_seconds, row.evaluation_seconds, row.peak_memory_bytes) == (1, 4, 2**29), "evaluations add up, training does not"
    assert row.hyper_parameters == '{"temperature": 0.5}' and json.loads(row.recipe)["batch_size"] == 128


def test_what_is_not_trained_has_no_recipe_and_no_batch_size(store):
    store.publish(make_record(make_spec(method="random", recipe=None), trained=False))
    store.publish(make_record())
    frame = store.frame()
    assert frame.method.tolist() == ["random", "simclr"] and frame.trained.tolist() == [False, True]
    assert frame.batch_size.isna().tolist() == [True, False] and frame.batch_size[1] == 128
    assert frame.recipe[0] == "null"
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS


def test_an_empty_store_has_an_empty_frame_with_all_columns(store):
    frame = store.frame()
    assert frame.empty and list(frame.columns) == list(COLUMNS) and store.records() == []


def test_the_frame_is_quick(store, monkeypatch):
    """10,000 records in a few seconds: so 400 in a small part of one, here with room for a busy machine."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    curve = tuple((i / 100, 5.0 - i / 50) for i in range(100))
    for seed in range(400):
        store.publish(make_record(make_spec(seed), evals=("knn", "linear", "label_free", "transfer:digits"), loss_curve=curve))
    start = time.perf_counter()
    assert len(store.frame()) == 1600
    assert time.perf_counter() - start < 2


def test_importing_the_store_is_light():
    heavy = ("pandas", "torch", "scipy", "matplotlib")
    code = f"import sys; import bench.records.store; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_readme_describes_every_field_and_column():
    """Rows of the tables in results/README.md are '| `field` | type | meaning |'."""
    text = (ROOT / "results" / "README.md").read_text()
    sections = {match[1]: match[2] for match in re.finditer(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S)}
    for title, fields in {
        "RunRecord": [field.name for field in dataclasses.fields(RunRecord)],
        "Cost": [field.name for field in dataclasses.fields(Cost)],
        "Result": [field.name for field in dataclasses.fields(Result)],
        "Snapshot": [field.name for field in dataclasses.fields(record_module.Snapshot)],
        "RunSpec": [field.name for field in dataclasses.fields(RunSpec) if field.name != "recipe_changes"],
        "Recipe": [field.name for field in dataclasses.fields(Recipe)],
        "The frame": list(COLUMNS),
    }.items():
        named = [name for cell in re.findall(r"^\| (`.+?`) \|", sections[title], re.M) for name in re.findall(r"`(.+?)`", cell)]
        assert sorted(named) == sorted(fields), title
    assert record_module.SCHEMA == 4 and "layout 4" in text


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"schema_version": 99, "x": ' + "[" * 100_000 + "]" * 100_000 + "}"], ids=["open", "newer"]
)
def test_a_file_that_nests_for_ever_is_skipped_like_any_bad_record(tmp_path, text):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits/simclr-0-0123456789abcdef.json").write_text(text)
    store = ResultStore(tmp_path)
    assert store.records() == [] and len(store.problems) == 1


def test_snapshots_are_kept_in_the_record_and_are_no_rows(store):
    one = Result(evaluator="validation", dataset="digits", split="val", metric="linear_top1", value=40.0, n=90)
    facts = {"asked": 0.5, "share": 0.55, "steps": 11, "images": 704, "flops": 1e9, "evals": ("validation",)}
    made = make_record(make_spec(0), evals=("knn",))
    store.publish(dataclasses.replace(made, snapshots=(record_module.Snapshot(**facts, results=(one,)),)))
    store.publish(make_record(make_spec(1), evals=("knn",)))
    (kept, without), frame = store.records(), store.frame()
    assert kept.snapshots[0].results == (one,) and without.snapshots == () and set(frame["evaluator"]) == {"knn"}
    text, none = (frame[frame["seed"] == seed]["snapshots"].iloc[0] for seed in (0, 1))
    assert none is None and json.loads(text)[0]["results"][0]["value"] == 40.0 and json.loads(text)[0]["share"] == 0.55
