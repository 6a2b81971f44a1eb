"""A method of one's own that fails: its line stands in the record and on the screen, its traceback and what it printed in its logs."""

import json
import os
import re
from pathlib import Path

import pytest

import methods
from bench.launch import logs as logs_module
from bench.records.record import from_text, to_text
from bench.records.store import ResultStore
from bench.run.crash import place_of
from bench.run.folder import run_folder
from bench.run.heartbeat import Heartbeat
from bench.run.processes import FollowerDied
from bench.spec import Budget, RunSpec
from places import ROOT

RUN = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "4steps", "--seeds", "0", "--evals", "knn"]

START = '"""Mine."""\nfrom methods.rotation import Rotation\n\n\nclass Mine(Rotation):\n'

FAULTS = {
    "loss": "    def loss(self, batch, progress):\n        return self.x if progress else super().loss(batch, progress)\n",
    "after_step": "    def after_step(self, progress):\n        if progress:\n            raise ValueError('two\\nlines')\n",
    "encode": "    def encode(self, images):\n        return {}['a'] if len(images) > 2 else super().encode(images)\n",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_method_is_told_by_file_and_line_everywhere(fault, bench, here):
    """On the screen, in the record, by status, logs and show; and no more once it is mended."""
    text = START + FAULTS[fault]
    (here / "mine.py").write_text(text)
    code, out, err = bench("run", "--method", "mine.py", *RUN, "--launcher", "debug")
    (path,) = (here / "results/digits").iterdir()
    record = json.loads(path.read_text())
    line = f"mine.py:{len(text.splitlines())}"
    assert code == 1 and record["error_at"] == line and "\n" not in record["error"]
    said = [shown for shown in err.splitlines() if shown.startswith("error: ")]
    assert len(said) == 1 and f"({line}); its traceback: .scratch/{record['id']}/traceback.txt" in said[0] and "Traceback" not in out + err
    assert f"({line})" in out
    described = ["--method", "mine.py", *RUN]
    assert f"failed    {record['error']} ({line})" in bench("status", *described)[1]
    _, shown, _ = bench("logs", record["id"][:6])
    assert "Traceback (most recent call last)" in shown and f'mine.py", line {len(text.splitlines())}' in shown
    _, shown, _ = bench("show", record["id"][:6])
    assert f"{record['error']} ({line})" in shown and 'mine.py", line' in shown and str(path.relative_to(here)) in shown


def test_a_traceback_is_of_the_last_try_alone(bench, here):
    (here / "mine.py").write_text(START + FAULTS["after_step"])
    bench("run", "--method", "mine.py", *RUN, "--launcher", "debug")
    (traceback,) = here.glob(".scratch/*/traceback.txt")
    (here / "rotation.py").write_text("")  # nothing of this name in the working directory is taken for ours
    mended = (here / "mine.py").read_text().replace("raise ValueError('two\\nlines')", "pass")
    (here / "mine.py").write_text(mended)
    assert bench("run", "--method", "mine.py", *RUN, "--launcher", "debug")[0] == 0
    (done,) = [record for record in ResultStore("results").records() if record.status == "done"]
    assert done.error_at is None and not run_folder(here / ".scratch", done.id).traceback.exists() and traceback.exists()


def test_the_line_of_another_process_of_the_run_is_in_its_log(tmp_path):
    folder, mine = run_folder(tmp_path, "a" * 16), tmp_path / "mine.py"
    folder.path.mkdir()
    frames = f'  File "{ROOT}/bench/training/step.py", line 3, in loss\n  File "{mine}", line 7, in loss\n  File "x.py", line 9, in y\n'
    folder.log(1).write_text(f"Traceback (most recent call last):\n{frames}ValueError: no\n")
    assert place_of(FollowerDied("a process ended early"), mine, folder) == "mine.py:7"
    assert place_of(RuntimeError("another reason"), mine, folder) is None
    assert place_of(FollowerDied("a process ended early"), methods.require("simclr"), folder) is None


def test_a_record_of_the_layout_before_has_no_line(one_old=ROOT / "results" / "demo_search"):
    path = sorted(one_old.rglob("*.json"))[0]
    record = from_text(path.read_bytes())
    assert record.schema_version == 1 and record.error_at is None and record.reason == record.error
    assert from_text(to_text(record).encode()) == record


def test_of_a_workers_log_a_run_is_shown_its_own_part(tmp_path, monkeypatch):
    """A worker's output is of all its runs; what a run prints is there when it has ended, also where Python keeps it back."""
    out = tmp_path / "worker.out"
    out.write_text("an earlier run\n")
    ids = []
    with out.open("a") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("bench.run.heartbeat.file_behind", lambda descriptor: str(out) if descriptor == 1 else None)
        for seed in (0, 1):
            spec = RunSpec(method="simclr", dataset="digits", budget=Budget("steps", 1), seed=seed, encoder="resnet8", image_size=16,
                           precision="float32", method_version="1", data_revision="x")  # fmt: skip
            ids.append(spec.id)
            run_folder(tmp_path, spec.id).path.mkdir()
            heartbeat = Heartbeat(tmp_path, spec)
            heartbeat.write("starting")
            print(f"printed by {seed}")
            heartbeat.write("done")
    for seed, run_id in enumerate(ids):
        (log,) = logs_module.logs_of(run_id, tmp_path)
        assert (log.path, log.lines, log.whole) == (out, [f"printed by {seed}"], False)
    assert logs_module.part_of(out, 10**6, None).lines[0] == "an earlier run"  # it was begun anew since
    assert logs_module.part_of(tmp_path / "gone", 0, None) is None


def test_an_empty_log_is_not_shown_and_a_run_is_named_by_the_beginning_of_its_id(bench, here):
    for run_id in ("ab" * 8, "ac" * 8):
        folder = run_folder(Path(".scratch"), run_id)
        folder.path.mkdir(parents=True)
        folder.heartbeat.write_text(json.dumps({"state": "training", "name": "simclr seed 0", "time": 0, "progress": 0.25}))
        folder.log(1).write_text("\n")
    code, out, err = bench("logs", "ab")
    assert code == 2 and not out and "has written nothing yet that was kept" in err
    for command in ("logs", "show"):
        code, _, err = bench(command, "a")
        assert code == 2 and f"has 2 runs whose id begins with 'a' ({'ab' * 8}, {'ac' * 8}); expected an id that `status` shows" in err
        for nothing in ("ff", ""):
            code, _, err = bench(command, nothing)
            assert code == 2 and f"has no runs whose id begins with '{nothing}' (none)" in err
    code, out, _ = bench("show", "ab")
    assert code == 0 and "training, 25% of the budget" in out and "it has no record yet" in out


def test_show_prints_one_run_whole(bench, monkeypatch):
    """Of committed records too, from a fresh clone."""
    monkeypatch.chdir(ROOT)
    path = sorted((ROOT / "results" / "cifar10").rglob("simclr-0-*.json"))[0]
    record = json.loads(path.read_text())
    code, out, err = bench("show", record["id"], "--scratch", os.devnull)
    assert code == 0, err
    for expected in (record["id"], "resnet8", "temperature=", "optimizer=", "FLOPs", "linear", "top1", str(path.relative_to(ROOT))):
        assert expected in out
    assert re.search(r"^loss +[▁▂▃▄▅▆▇█]{60}$", out, re.M) and re.search(r"linear +cifar10 +test +top1 +\d", out)
    told = json.loads(bench("show", record["id"], "--json", "--results", "results/cifar10")[1])
    shown = told["records"][0]
    cost = shown.pop("cost")
    assert {name: cost[name] for name in record["cost"]} == record.pop("cost")
    assert {name: shown[name] for name in record} == record and shown["path"] == str(path.relative_to(ROOT)) and shown["error_at"] is None
    code, _, err = bench("show", record["id"], "--results", "nowhere")
    assert code == 2 and "the results folder 'nowhere' (--results) is not there" in err


def test_a_method_that_ends_its_process_has_failed_like_any_other(bench, here):
    """What exit() raises is no Exception: the run was left without a record, and the command without a word."""
    ends = "        if progress:\n            raise SystemExit(3)\n        return super().loss(batch, progress)\n"
    (here / "mine.py").write_text(f"{START}    def loss(self, batch, progress):\n{ends}")
    code, _, err = bench("run", "--method", "mine.py", *RUN, "--launcher", "debug")
    (path,) = (here / "results/digits").iterdir()
    record = json.loads(path.read_text())
    assert code == 1 and "SystemExit: 3 (mine.py:8)" in err
    assert (record["status"], record["error"], record["error_at"]) == ("failed", "SystemExit: 3", "mine.py:8")
