"""What reaches a terminal: printable text, whoever wrote it; and a reader that leaves, or a stream that was never open."""

import io
import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bench.budget import Budget
from bench.commands import bars
from bench.commands.console import console, literal
from bench.commands.streams import over, printable, unless_unheard
from bench.launch import local
from bench.machine.lease import claim
from places import ROOT

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[1A\x9b2K\x08\rdone‮"


@pytest.mark.parametrize("text", [HOSTILE, "\x1b[8m", "\x1bc", "a\rb", "\x00"])
def test_no_control_character_is_printed(text):
    shown = printable(text)
    assert all(letter.isprintable() for letter in shown) and shown
    assert printable("a table\tof\r\ntwo lines ±") == "a table\tof\ntwo lines ±"


def written(write) -> str:
    """What a stream's reader gets of what `write(stream)` writes."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    plain = over(stream)
    write(plain)
    plain.flush()
    return stream.buffer.getvalue().decode()


def test_a_stream_prints_what_is_printable_and_headings_in_bold():
    assert written(lambda stream: stream.write(HOSTILE)) == printable(HOSTILE)
    assert written(lambda stream: stream.write("\x1b[1mlogs\x1b[0m\n")) == "\x1b[1mlogs\x1b[0m\n"
    assert written(lambda stream: stream.write(os.fsdecode(b"caf\xe9"))) == "caf\\udce9", "a name that is no UTF-8"


def test_rich_draws_its_own_and_prints_what_is_printable(monkeypatch):
    from rich.table import Table

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    made, table = console(), Table("method")
    table.add_row(HOSTILE)
    made.print(HOSTILE, markup=False)
    made.print(table)
    assert not set("\x1b\x07\x08\x9b\r") & set(sys.stdout.getvalue()) and "x1b]0;owned" in sys.stdout.getvalue()


@pytest.mark.parametrize("ended", [False, True], ids=["a bar", "a line"])
def test_brackets_are_text_and_no_commands_to_rich(tmp_path, monkeypatch, ended):
    """The watch ended in rich's MarkupError, and with it the command, where a method's message had a closing tag in it."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    spec = SimpleNamespace(id="a" * 16, name="mine[/b] seed 0", budget=Budget("steps", 2))
    store = SimpleNamespace(parts=lambda spec: [SimpleNamespace(reason="expected [/b], [red]not[/red] [B, 3]")])
    beat = {"time": math.inf, "state": "failed" if ended else "[/evaluating]"}
    monkeypatch.setattr(bars, "read_heartbeat", lambda scratch, run_id: beat)
    with bars.Watch((spec,), tmp_path, store, console()):
        pass
    with console().status(literal("decoding 3 images of [/birds]")):
        pass
    expected = "failed  expected [/b], [red]not[/red] [B, 3]  (0 to go)" if ended else "[/evaluating]"
    assert "mine[/b] seed 0" in sys.stdout.getvalue() and expected in sys.stdout.getvalue()


@pytest.fixture
def hostile(tmp_path, bench):
    """A folder of one record whose texts move the cursor, and the options that describe its run."""
    what = ["--method", "random", "--dataset", "digits", "--image-size", 8, "--budget", "20steps", "--precision", "float32", "--seeds", 0]
    what += ["--evals", "knn", "--results", tmp_path / "results", "--scratch", tmp_path / "scratch", "--threads", 1]
    assert bench("run", *what, "--launcher", "debug")[0] == 0
    (path,) = tmp_path.glob("results/*/*.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"status": "failed", "evals": [], "results": [], "error": HOSTILE}))
    (beat,) = tmp_path.glob("scratch/*/heartbeat.json")
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"state": "failed"}))
    return what, record["id"]


def test_a_records_text_never_reaches_a_terminal(hostile, tmp_path, bench):
    what, run_id = hostile
    places = ["--results", tmp_path / "results"]
    for command in (["status", *what], ["show", run_id, *places], ["report", *places, "--output", tmp_path / "page"]):
        code, out, err = bench(*command)
        assert code == 0 and not set("\x1b\x07\x08\x9b\r") & set(out + err), command
    assert "x1b]0;owned" in bench("status", *what)[1]


def test_a_stream_that_is_closed_from_the_start_is_no_traceback():
    line = [sys.executable, str(ROOT / "run_bench.py"), "list", "suites"]
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&- <&-', "sh", *line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_is_no_traceback():
    line = [sys.executable, str(ROOT / "run_bench.py"), "list"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_runs_go_on_when_nobody_reads_any_more(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        show = unless_unheard(lambda: print("a bar", flush=True))
        show()
        show()
        print("done", flush=True)  # to nowhere, and no error
        monkeypatch.undo()


def test_the_same_command_twice_names_who_has_the_run(tmp_path, bench, monkeypatch):
    what = ["--method", "random", "--dataset", "digits", "--image-size", 8, "--budget", "20steps", "--precision", "float32", "--seeds", 0]
    what += ["--evals", "knn", "--results", tmp_path / "results", "--scratch", tmp_path / "scratch", "--threads", 1]
    launch, held = local.launch, []

    def at_work(specs, *rest):
        (tmp_path / "scratch" / specs[0].id).mkdir(parents=True)
        held.append(claim(tmp_path / "scratch" / specs[0].id))
        return launch(specs, *rest)

    monkeypatch.setattr(local, "launch", at_work)
    code, out, err = bench("run", *what, "--launcher", "debug")
    assert code == 1 and "1 unfinished" in out
    assert f"is at work: process {os.getpid()} of {held[0].facts['user']} on " in err
    held[0].release()
