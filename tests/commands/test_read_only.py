"""Who only reads needs no permission to write: on a results folder, or all of the disk, that cannot be written to."""

import os
import sys
from pathlib import Path

import pytest

SMALL = ["--method", "random", "--dataset", "digits", "--image-size", "16", "--budget", "5steps", "--seeds", "0,1", "--evals", "label_free"]

READ_ONLY: list[str] = []
"""Folders in which nothing may be written now; their names as audit events have them."""

WRITES = {"os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.link": (0, 1), "os.utime": (0,), "os.chmod": (0,)}
"""Events that change a folder, and which of their arguments are paths."""


def refuse(event: str, arguments: tuple) -> None:
    """What a mount that is read-only does, for whichever user: the tests may be root's."""
    if not READ_ONLY:
        return
    if event == "open":
        changed = arguments[:1] if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else ()
    else:
        changed = [arguments[number] for number in WRITES.get(event, ())]
    for path in changed:
        if not isinstance(path, int) and any(os.path.abspath(os.fsdecode(path)).startswith(folder + os.sep) for folder in READ_ONLY):
            raise OSError(30, "Read-only file system", str(path))


sys.addaudithook(refuse)


@pytest.fixture
def read_only(monkeypatch):
    """From the call on, these folders cannot be written to."""
    access = os.access

    def within(path):
        return any(os.path.abspath(path) == folder or os.path.abspath(path).startswith(folder + os.sep) for folder in READ_ONLY)

    monkeypatch.setattr(os, "access", lambda path, how: access(path, how) and not (how & os.W_OK and within(path)))
    yield lambda *folders: READ_ONLY.extend(str(Path(folder).absolute()) for folder in folders)
    READ_ONLY.clear()


@pytest.fixture
def recorded(bench, tmp_path, monkeypatch):
    """A working directory with the record of one of the two runs of SMALL, and its scratch folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("SSLBENCH_DATA", "SSLBENCH_SCRATCH"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = bench("run", *SMALL, "--seeds", "0", "--launcher", "debug")
    assert code == 0, err
    return tmp_path


@pytest.mark.parametrize("folders", [["results"], ["results", ".scratch"], ["."]], ids=["results", "scratch too", "all"])
def test_reading_needs_no_permission_to_write(bench, recorded, read_only, folders):
    read_only(*folders)
    before = {path: path.stat().st_mtime_ns for folder in folders for path in Path(folder).rglob("*")}
    for command, expected in (("status", "2 runs: 1 done, 1 to do"), ("plan", "1 in the store (results), 1 to do"), ("report", "random")):
        code, out, err = bench(command, *SMALL)
        assert code == 0 and expected in out and "Traceback" not in err, err
        assert ("no page and no figure is written" in err) == (command == "report" and folders == ["."])
    assert bench("list", "suites")[0] == 0 and bench("data", "check", "digits")[0] == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_scratch_folder_that_was_never_there_is_not_made_by_who_looks(bench, recorded, read_only):
    read_only("elsewhere")
    for command in ("status", "plan"):
        code, _, err = bench(command, *SMALL, "--scratch", "elsewhere/scratch", "--results", "elsewhere/results")
        assert code == 0, err
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    ("command", "folder", "expected"),
    [
        ("run", "results", "'results' (--results) cannot be used: of 'results', it cannot be written to"),
        ("retry", ".scratch", "'.scratch' (--scratch, or $SSLBENCH_SCRATCH) cannot be used: of '.scratch', it cannot be written to"),
        ("report", "out", "'out/pages' (--output) cannot be used: of 'HERE/out', it cannot be written to"),
    ],
)
def test_who_writes_is_told_before_the_work(bench, recorded, read_only, command, folder, expected):
    Path("out").mkdir()
    read_only(folder)
    code, out, err = bench(command, *SMALL, *(["--output", "out/pages"] if command == "report" else []))
    assert code == 2 and expected.replace("HERE", str(recorded)) in err and "plan" not in out and "random" not in out
