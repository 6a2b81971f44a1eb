"""What run, retry and report say of what is there: runs in the store, checkpoints that are used again, what an interruption leaves."""

import shutil
from pathlib import Path

import pytest

from bench.commands import run as run_module
from bench.launch import local
from bench.records.paths import stores
from places import ROOT

SMALL = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "4steps", "--evals", "label_free"]
ROTATION = ["--method", "rotation", *SMALL]


def test_retry_says_what_was_never_run_and_not_that_it_is_in_the_store(bench, here):
    code, out, _ = bench("retry", *ROTATION)
    assert code == 0 and "0 in the store" in out and "3 to do" in out and "are not repeated" not in out
    assert "retry  0 of 3; the other 3 were never begun, or are at work: `run_bench.py run` begins them" in out
    bench("run", *ROTATION, "--seeds", "0", "--launcher", "debug")
    code, out, _ = bench("retry", *ROTATION)
    assert "1 in the store" in out and "retry  0 of 2;" in out


def test_checkpoints_that_are_used_for_other_results_are_said(bench, here):
    command = ["run", *ROTATION, "--seeds", "0,1", "--launcher", "debug"]
    _, out, _ = bench(*command)
    assert "resume" not in out
    _, out, _ = bench(*command, "--results", "again")
    assert "resume 2 runs go on from checkpoints in .scratch; of 2 the training has ended" in out
    _, out, _ = bench(*command, "--results", "anew", "--scratch", "empty")
    assert "resume" not in out


def test_an_interruption_says_what_is_kept_and_no_more(bench, here, monkeypatch):
    """Of nothing that runs, such as a report, it says nothing of checkpoints."""

    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local, "launch", interrupted)
        code, _, err = bench("run", *ROTATION)
        assert code == 130 and err.endswith("interrupted: no checkpoint was written yet; 0 runs are recorded, and 3 are to do\n")
        bench("run", *ROTATION, "--seeds", "0")
        patch.setattr(run_module, "checkpointed", lambda runs, scratch: runs[:2])
        code, _, err = bench("run", *ROTATION)
        assert code == 130 and "the checkpoints of 2 runs are written, and the same command goes on from there" in err
    for module, command in (("bench.conformance.outcomes", ["check", "random"]), ("bench.commands.doctor.examine", ["doctor"])):
        with monkeypatch.context() as patch:
            patch.setattr(module, interrupted)
            code, _, err = bench(*command)
        assert code == 130 and err.strip() == "interrupted", err


def test_report_names_the_folders_that_have_records(bench, here):
    """As in a fresh clone, whose results/ has a folder for each committed suite."""
    for name in ("first", "second"):
        shutil.copytree(ROOT / "results" / "demo_search", here / "results" / name)
    (here / "results" / "empty").mkdir()
    code, _, err = bench("report")
    assert code == 2 and "results holds no record of it; there are records in results/first, results/second (--results)" in err
    code, _, err = bench("report", "--results", "results/frist")
    assert code == 2 and "'results/frist' (--results) is not there; there are records in results/first, results/second (--results)" in err
    assert stores(here / "results" / "first") == [here / "results" / "first"] and stores(here / "nowhere") == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("sheet.txt", "'sheet.txt' (--output) is no name of an image"),
        ("sheet", "no name of an image"),
        ("file/sheet.png", "is not a folder"),
    ],
)
def test_views_fails_before_the_work_where_it_cannot_write(bench, here, monkeypatch, output, expected):
    Path("file").touch()
    monkeypatch.setattr("bench.commands.contact_sheet.write_contact_sheet", None)
    code, _, err = bench("views", "simclr", "--dataset", "digits", "--output", output)
    assert code == 2 and expected in err
