"""What commands say for a program (--json), of a whole results folder without retyping, and to a narrow terminal."""

import json
import shutil
from pathlib import Path

from bench import suites
from bench.commands import listing
from bench.run.folder import run_folder
from places import ROOT

SMALL = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "4steps", "--evals", "label_free"]


def test_every_listing_is_json_too(bench, here):
    command = ["--method", "rotation,random", *SMALL, "--seeds", "0"]
    planned = json.loads(bench("plan", *command, "--json")[1])
    assert [run["to_do"] for run in planned["runs"]] == [True, True] and planned["seconds"] > 0 and planned["evals"] == ["label_free"]
    code, out, err = bench("run", *command, "--launcher", "debug")
    assert code == 0 and "time   about" in out, err
    states = json.loads(bench("status", *command, "--json")[1])
    assert [(run["id"], run["state"]) for run in states] == [(run["id"], "done") for run in planned["runs"]]
    assert states[0]["spec"]["method"] == "rotation" and states[0]["log"] is None
    said = json.loads(bench("report", *command, "--json")[1])
    (table,) = said["tables"]
    assert {row["label"] for row in table["rows"]} == {"rotation", "random"} and Path(said["written"][0]).exists()
    listed = json.loads(bench("list", "--json")[1])
    assert {"methods", "datasets", "suites"} <= set(listed) and {"name": "demo", "summary": suites.summary("demo")} in listed["suites"]
    assert [run["method"] for run in json.loads(bench("list", "runs", "--json")[1])["runs"]] == ["random", "rotation"]


def test_what_a_method_prints_is_no_json(bench, here):
    """On standard output is what a program reads, and nothing else."""
    (here / "mine.py").write_text(
        '"""Mine."""\nfrom methods.rotation import Rotation\n\nprint("imported")\n\n\nclass Mine(Rotation):\n'
        '    def loss(self, batch, progress):\n        print("a loss")\n        return super().loss(batch, progress)\n'
    )
    command = ["--method", "mine.py", *SMALL, "--seeds", "0"]
    code, out, err = bench("plan", *command, "--json")
    assert code == 0 and json.loads(out)["runs"][0]["to_do"] and "imported" in err and "a loss" in err
    assert "imported" in bench("plan", *command)[1], "without --json a method prints where it would"
    (state,) = json.loads(bench("status", *command, "--json")[1])
    assert state["state"] == "to do"


def test_a_whole_folder_is_looked_at_without_retyping(bench, here):
    """What has records, and what was begun for it; nothing of another folder's."""
    for command in (["--method", "rotation", *SMALL, "--seeds", "0"], ["--method", "random", *SMALL, "--seeds", "0,1"]):
        assert bench("run", *command, "--launcher", "debug")[0] == 0
    bench("run", "--method", "pixels", *SMALL, "--seeds", "0", "--launcher", "debug", "--results", "other")
    code, out, _ = bench("status")
    assert code == 0 and out.endswith("3 runs: 3 done\n") and "pixels" not in out
    victim = next(Path("results/digits").glob("rotation*"))
    victim.unlink()
    code, out, _ = bench("status")
    assert "3 runs: 2 done, 1 lost" in out or "3 runs: 2 done, 1 to do" in out, out
    code, out, _ = bench("list", "runs")
    assert code == 0 and len(out.splitlines()) == 2 and "random seed 1" in out and "digits, resnet8, 4 steps: label_free" in out
    code, _, err = bench("status", "--results", "nowhere")
    assert code == 2 and "nowhere has no run, and none was begun for it" in err
    code, _, err = bench("list", "runs", "--results", "nowhere")
    assert code == 2 and "the results folder 'nowhere' (--results) has no record" in err
    assert bench("list", "methods", "--results", "x")[0] == 2 and bench("status", "--watch", "--json")[0] == 2


def test_a_listing_is_as_wide_as_the_terminal_and_whole_for_a_program(bench, monkeypatch):
    whole = bench("list", "suites")[1].splitlines()
    assert len(whole) == 1 + len(suites.names()) and all(line.endswith(".") for line in whole[1:]), "sentences, and whole ones"
    for columns in (60, 90):
        monkeypatch.setattr(listing, "terminal_width", lambda columns=columns: columns)
        lines = [line for what in ("suites", "methods", "datasets", "encoders") for line in bench("list", what)[1].splitlines()]
        assert max(len(line) for line in lines) <= columns


def test_a_plan_says_batch_and_learning_rate(bench, here):
    _, out, _ = bench(
        "plan", "--method", "simclr,rotation", *SMALL, "--seeds", "0", "--set", "recipe.lr=0.5", "--set", "recipe.lr_per_batch=256"
    )
    lines = {line.split()[3]: line for line in out.splitlines() if line.startswith("  to do")}
    assert "lars, batch 64, lr 0.125, temperature=" in lines["simclr"] and "batch 64, lr 0.125" in lines["rotation"]


def test_committed_folders_are_looked_at(bench, here):
    shutil.copytree(ROOT / "results" / "demo_search", here / "results")
    code, out, err = bench("status")
    assert code == 0 and "72 runs: 72 done" in out, err
    assert run_folder(here / ".scratch", "x").asked.name == "asked.json"
