"""What clean takes away, and what it leaves; and completion in a shell."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.machine.lease import claim
from bench.run.folder import run_folder
from places import ROOT

RUN = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "4steps", "--seeds", "0", "--evals", "label_free"]


def begin(run_id):
    """What a run leaves that was begun from here and has no record."""
    folder = run_folder(Path(".scratch"), run_id)
    folder.path.mkdir(parents=True)
    folder.heartbeat.write_text("{}")
    (folder.path / "step-000000001.pt").write_bytes(bytes(3 * 2**20))
    return folder.path


def test_clean_says_what_it_would_free_and_frees_no_more(bench, here):
    assert bench("run", "--method", "rotation", *RUN, "--launcher", "debug")[0] == 0
    (recorded,) = Path(".scratch").glob("*/heartbeat.json")
    unfinished, held = begin("ab" * 8), begin("ac" * 8)
    (Path(".scratch") / "notes.txt").write_text("mine")
    submitit = Path(".scratch/submitit")
    submitit.mkdir(exist_ok=True)
    for name, age in (("old.out", 3), ("new.out", 0)):
        (submitit / name).write_text("x")
        os.utime(submitit / name, (time.time() - age * 86400,) * 2)
    with claim(held):
        for options, gone in (([], []), (["--yes"], [recorded.parent, submitit / "old.out"]), (["--unfinished", "--yes"], [unfinished])):
            before = set(Path(".scratch").rglob("*"))
            code, out, err = bench("clean", *options)
            assert code == 0, err
            lost = before - set(Path(".scratch").rglob("*"))
            assert {path for path in lost if path.parent not in lost} == set(gone), (options, lost)
            assert ("--yes frees it" in out) == (options == [])
    assert held.exists() and (submitit / "new.out").exists() and Path(".scratch/notes.txt").exists()
    assert len(list(Path("results/digits").iterdir())) == 1
    assert "3.0 MiB  1 folders of runs that have no record that ended" in out


def test_clean_without_a_scratch_folder_is_a_mistake(bench, here):
    code, _, err = bench("clean")
    assert code == 2 and "the scratch folder '.scratch' (--scratch) is not there" in err
    Path(".scratch").mkdir()
    assert bench("clean")[1].split() == ["0", "B", "in", "all,", "of", ".scratch"]
    code, _, err = bench("clean", "--results", "nowhere")
    assert code == 2 and "the results folder 'nowhere' (--results) is not there" in err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("run_bench.py sta", ["status"]),
        ("run_bench.py plan demo", ["demo", "demo_search"]),
        ("run_bench.py run --method simclr,sims", ["simclr,simsiam"]),
        ("run_bench.py run --method family:co", ["family:contrastive"]),
        ("run_bench.py plan --method x --dataset mnist", ["mnist5k"]),
        ("run_bench.py list enc", ["encoders"]),
        ("run_bench.py check swa", ["swav"]),
    ],
)
def test_a_shell_completes_names(typed, expected):
    """As bash asks: without torch, in a moment."""
    words = typed.split()
    asked = {"_RUN_BENCH_PY_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run([sys.executable, "run_bench.py"], cwd=ROOT, env={**os.environ, **asked}, capture_output=True, text=True)
    found = [line.split(",", 1)[1] for line in done.stdout.splitlines()]
    assert set(expected) <= set(found) and all(name.startswith(words[-1]) for name in found), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(bench, shell):
    code, out, _ = bench("completion", shell)
    assert code == 0 and "_RUN_BENCH_PY_COMPLETE" in out and "run_bench.py" in out


def test_another_shell_is_a_mistake(bench):
    code, _, err = bench("completion", "bsh")
    assert code == 2 and "unknown shell 'bsh'. Did you mean 'bash'?" in err
