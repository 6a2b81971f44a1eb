"""The queue: what its file may hold, one entry after the other, an end in time, records carried out, and what is said without a GPU."""

import itertools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench import suites
from bench.commands import figure_together, grid
from bench.data import catalogue
from bench.errors import UserError
from bench.launch import queue
from bench.launch.queue import Entry
from bench.plan.complete import complete
from bench.suites import _shrunk
from places import ROOT

ENTRY = '[[entry]]\nwhat = "a"\nminutes = 3\nrun = ["demo", "--workers", "4"]\n'

SAY = "import sys, time, signal, subprocess; "

IGNORES = SAY + "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(queue, "LOOK", 0.02)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "has no entry; expected"),
        (ENTRY + "[other]\n", "has an unknown other; expected"),
        ("[[entry", "cannot be read"),
        (ENTRY.replace("minutes = 3\n", ""), r"0.minutes = .*: Field required"),
        (ENTRY.replace("3", "0"), "minutes = 0; expected more than 0"),
        (ENTRY + 'benchmarks = ["views"]\n', "must have either run or benchmarks"),
        (ENTRY.replace("run", "ran"), "0.ran"),
        (ENTRY.replace("demo", "demmo"), "unknown suite 'demmo'"),
    ],
)
def test_a_queue_that_is_no_queue_is_refused(text, expected, tmp_path):
    path = tmp_path / "queue.toml"
    path.write_text(text)
    with pytest.raises((UserError, ValueError), match=expected):
        queue.load(path)
    with pytest.raises(UserError, match="there is no queue"):
        queue.load(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENTRY.replace("--workers", "--worker"), "No such option '--worker'. Did you mean '--workers'?"),
        (ENTRY.replace('"4"', '"auto"'), "Invalid value for '--workers': 'auto'"),
        (ENTRY.replace(', "4"', ""), "Option '--workers' requires an argument"),
        (ENTRY.replace('"demo"', '"demo", "byol"'), "unexpected extra argument (byol)"),
        (ENTRY.replace('"--workers", "4"', '"--seeds", "9"'), "the suite 'demo' has no run at seed 9"),
        (ENTRY.replace('"--workers", "4"', '"--method", "byoll"'), "unknown method of the suite demo 'byoll'. Did you mean 'byol'?"),
        (ENTRY.replace('"--workers", "4"', '"--budget", "3steps"'), "the suite 'demo' describes its runs itself; leave out --budget"),
        (ENTRY.replace("demo", "mine.py"), "there is no file 'mine.py'"),
        (ENTRY.replace("demo", "dmo@tune"), "unknown suite 'dmo'. Did you mean 'demo'?"),
        (ENTRY.replace('run = ["demo", "--workers", "4"]', 'benchmarks = ["vews"]'), "unknown benchmark 'vews'. Did you mean 'views'?"),
    ],
)
@pytest.mark.parametrize("tiny", [(), ("--tiny", "tiny")])
def test_what_an_entry_would_be_refused_for_is_said_before_any_is_begun(text, expected, tiny, bench, here, monkeypatch):
    monkeypatch.setattr(queue, "work", lambda *rest: pytest.fail("it began"))
    Path("mine.toml").write_text(ENTRY.replace('"a"', '"first"') + text)
    code, out, err = bench("queue", "mine.toml", "--minutes", "5", *tiny)
    assert code == 2 and err.startswith("error: the entry 'a' cannot be run: ") and expected in err and err.count("\n") == 1 and not out


def test_the_queue_for_a_gpu_names_what_there_is_and_seed_by_seed_all_of_it():
    asked: dict[str, list] = {}
    for entry in queue.load(ROOT / "benchmarks/gpu.toml"):
        if entry.run:
            suite, *options = entry.run
            given = {name: options[options.index(name) + 1] for name in ("--method", "--seeds") if name in options}
            runs = grid.of_suite(suite, suites.load(suite).runs, given.get("--method"), given.get("--seeds"))
            asked.setdefault(suite, []).append({run.canonical() for run in runs})
    for suite, parts in asked.items():
        assert all(earlier < later for earlier, later in itertools.pairwise(parts))
        assert len(parts[-1]) == len(suites.load(suite).runs), "the last entry of a suite is what is left of it"


def test_the_first_record_of_200_epochs_is_a_run_of_the_suite_and_is_not_repeated(real_root):
    (run,) = (run for run in suites.load("cifar10_200epochs").runs if (run.method, run.seed) == ("simclr", 0))
    assert (Path(ROOT) / "results/cifar10_200epochs/cifar10" / f"simclr-0-{complete(run, real_root, tried=False).id}.json").exists()


def test_entries_come_one_after_the_other_and_a_failure_is_no_end(monkeypatch):
    codes = iter((0, 3, 0))
    monkeypatch.setattr(Entry, "command", lambda entry, tiny=None: python(f"raise SystemExit({next(codes)})"))
    entries = [Entry(what=name, minutes=1, run=("demo",)) for name in "abc"]
    said = []
    outcomes = queue.work(entries, 60, said.append)
    assert [(outcome.entry.what, outcome.state) for outcome in outcomes] == [("a", "done"), ("b", "failed"), ("c", "done")]
    assert said[0] == "begin  a: run_bench.py run demo" and said[1].startswith("done   a, after")


def test_what_has_not_ended_in_time_is_asked_to_stop_and_nothing_is_begun_after_it(monkeypatch):
    code = SAY + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); time.sleep(60)"
    monkeypatch.setattr(Entry, "command", lambda entry, tiny=None: python(code))
    began = time.monotonic()
    outcomes = queue.work([Entry(what=name, minutes=1, run=("demo",)) for name in "ab"], 2, lambda text: None)
    assert [outcome.state for outcome in outcomes] == ["stopped", "left"] and time.monotonic() - began < 2.5


def test_what_does_not_stop_is_killed_with_all_that_it_has_started(capfd):
    began = time.monotonic()
    assert queue.one(python(IGNORES), 0.5, 0.3, lambda: None) == "stopped"
    assert time.monotonic() - began < 5
    child = int(capfd.readouterr().out)
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    os.kill(child, 9)
    pytest.fail("it went on")


def test_records_are_carried_out_as_they_come_and_those_of_before_are_not(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    (root / "results" / "a").mkdir(parents=True)
    (root / "results" / "a" / "old.json").write_text("old")
    kept = queue.Kept(root, out)
    kept.carry()
    (root / "results" / "a" / "new.json").write_text("new")
    (root / "results" / ".index").write_text("none of it")
    (root / "docs").mkdir()
    (root / "docs" / "performance.md").write_text("a table")
    kept.carry()
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == ["docs/performance.md", "results/a/new.json"]
    queue.Kept(root, None).carry()
    with pytest.raises(UserError, match=r"\(--out\) lies in what is carried there"):
        queue.Kept(root, root / "results" / "again")


def test_tiny_is_the_same_on_digits_with_its_records_apart(tmp_path):
    entry = Entry(what="a", minutes=1, run=("cifar10_200epochs", "--seeds", "0", "--workers", "6", "--compile"))
    command = entry.command(tmp_path)
    assert command[1:] == [
        *("-m", "run_bench", "run", "cifar10_200epochs@try", "--no-estimate", "--workers", "2"),
        *("--results", f"{tmp_path}/results/try", "--scratch", f"{tmp_path}/scratch"),
    ]
    assert replace(entry, run=(entry.run[0], "--seeds=0", "--workers=6")).command(tmp_path) == command, "however options are written"
    assert replace(entry, run=(), benchmarks=("views",)).command(tmp_path)[1:] == ["-m", "benchmarks", "views", "--quick"]
    suite = figure_together.load("cifar10_200epochs@try", catalogue.DataSets())
    whole = suites.load("cifar10_200epochs")
    assert {run.method for run in suite.runs} == {run.method for run in whole.runs} and suite.evals == whole.evals
    assert len(suite.runs) == len({run.method for run in suite.runs}), "one seed of each setting"
    assert all((run.dataset, run.encoder, run.budget, run.image_size) == ("digits", "resnet8", _shrunk.BUDGET, 32) for run in suite.runs)
    assert {run.recipe_changes["batch_size"] for run in suite.runs} == {_shrunk.BATCH}
    assert suite.results != whole.results and suite.runs[0].hyper_parameters == whole.runs[0].hyper_parameters


@pytest.mark.parametrize("name", ["cifar10_20epochs", "cifar10_vit"])
def test_all_of_a_suite_can_be_tried_tiny_but_what_needs_colour_which_is_said(name, here, capsys):
    data, whole = catalogue.DataSets(), suites.load(name)
    suite = figure_together.load(f"{name}@try", data)
    left_out = {"colorization", "split_brain"}
    assert {run.method for run in suite.runs} == {run.method for run in whole.runs} - left_out
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(f"note: {name}@try leaves out {method}: " in "\n".join(said) for method in left_out)
    assert all("these images are grey" in line for line in said)
    (whitening,) = (run for run in suite.runs if run.method == "w_mse")
    assert whitening.recipe_changes["batch_size"] == 128, "as many as it must have"


def test_of_a_suite_of_which_nothing_can_be_made_tiny_a_line_says_why(bench, here):
    Path("mine.py").write_text(
        '"""One."""\nfrom bench.spec import Budget, RunSpec\nfrom bench.suites import Suite\n\n\ndef suite():\n'
        '    run = RunSpec(method="split_brain", dataset="cifar10", budget=Budget("steps", 9))\n'
        '    return Suite((run,), ("knn",), "results/mine")\n'
    )
    code, _, err = bench("plan", "mine.py@try")
    assert code == 2 and "nothing of 'mine.py@try' can be made: split_brain cannot be built" in err and err.count("\n") == 1


def test_without_a_gpu_it_says_what_it_would_do_and_for_how_long(bench, here):
    Path("mine.toml").write_text(ENTRY + ENTRY.replace("3", "39"))
    code, out, err = bench("queue", "mine.toml", "--minutes", "5")
    assert code == 2 and "no GPU is here, so nothing is begun" in err
    assert "   42 min  all of it" in out and "run_bench.py run demo --workers 4" in out
    assert not (here / "results").exists()


@pytest.mark.slow
def test_it_goes_through_tiny(bench, here):
    Path("mine.py").write_text(
        '"""One."""\nfrom bench.spec import Budget, RunSpec\nfrom bench.suites import Suite\n\n\ndef suite():\n'
        '    runs = tuple(RunSpec(method="random", dataset="mnist5k", budget=Budget("steps", 9), seed=seed) for seed in range(3))\n'
        '    return Suite(runs, ("knn",), "results/mine")\n'
    )
    Path("mine.toml").write_text(ENTRY.replace('"demo"', f'"{here}/mine.py"'))
    code, out, err = bench("queue", "mine.toml", "--minutes", "5", "--tiny", "tiny", "--out", "out")
    assert code == 0, out + err
    assert "queue  1 done" in out
    assert (
        [path.name for path in Path("out/results/try").rglob("random-0-*.json")]
        == [path.name for path in Path("tiny/results/try").rglob("random-0-*.json")]
        != []
    )
