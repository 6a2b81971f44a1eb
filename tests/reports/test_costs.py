"""Costs in a table: seconds are a median of seeds on one processor, and say where they are of another."""

import csv
import io
from dataclasses import replace

import pytest
from matplotlib.text import Text
from test_reports import frame_of, run

from reports.pages.leaderboard import markdown, tidy_csv
from reports.plots import cost
from reports.tables.build import build

EPYC, XEON = {"model": "AMD EPYC"}, {"model": "Xeon"}


def timed(method, seconds, hardware=EPYC, seeds=None, threads=1, cpu=None):
    """A record for each of the seconds."""
    made = []
    for seed, value in zip(seeds or range(len(seconds)), seconds, strict=True):
        record = run(method, 60 + len(method), seed)
        spent = replace(record.cost, seconds=value) if cpu is None else replace(record.cost, seconds=value, cpu_seconds=cpu * value)
        made.append(replace(record, cost=spent, hardware=hardware, environment={"threads": threads}))
    return made


def table_of(folder, *groups):
    (table,) = build(frame_of(folder, [record for group in groups for record in group]))
    return table, {row.label: row.cells for row in table.rows}


def test_a_loaded_seed_does_not_decide(tmp_path):
    """byol's seconds in the committed records: their mean, 337, is of no seed."""
    table, cells = table_of(tmp_path, timed("byol", [828.3, 90.1, 93.1]))
    assert cells["byol"]["seconds"].mean == 93.1 and cells["byol"]["seconds"].values == {0: 828.3, 1: 90.1, 2: 93.1}
    assert cells["byol"]["tflop"].mean == pytest.approx(2.4) and not any("†" in line for line in table.lines)


def test_seconds_of_two_processors_share_no_cell(tmp_path):
    groups = timed("byol", [90, 94]), timed("byol", [30], XEON, seeds=[2]), timed("simclr", [50, 60, 70]), timed("moco", [20, 21], XEON)
    table, cells = table_of(tmp_path, *groups)
    assert cells["byol"]["seconds"].mean == 92 and cells["byol"]["seconds"].values == {0: 90, 1: 94}
    assert cells["byol"]["seconds on Xeon, 1 thread"].values == {2: 30}
    assert (cells["moco"]["seconds"].mean, cells["moco"]["seconds"].mark, cells["simclr"]["seconds"].mark) == (20.5, "†", "")
    assert "Seconds on AMD EPYC, 1 thread; † on Xeon, 1 thread: moco." in table.lines
    page = {line.split("|")[2].strip(): line for line in markdown([table]).splitlines() if line.startswith("|")}
    assert "20.5 † |" in page["moco"] and "92 |" in page["byol"] and "on Xeon" not in page["method"]
    listed = [row for row in csv.DictReader(io.StringIO(tidy_csv([table]))) if row["column"].startswith("seconds")]
    assert sorted(value for row in listed for value in row["values"].split()) == sorted(
        ["0=90", "1=94", "2=30", "0=50", "1=60", "2=70", "0=20", "1=21"]
    )


def test_a_row_that_was_nowhere_else_is_of_the_processor_of_most_of_its_seeds(tmp_path):
    groups = timed("simclr", [50, 60, 70]), timed("moco", [20, 21], XEON), timed("moco", [99], {"model": "M1"}, seeds=[2])
    table, cells = table_of(tmp_path, *groups)
    assert cells["moco"]["seconds"].mean == 20.5 and cells["moco"]["seconds on M1, 1 thread"].mean == 99
    assert "Seconds on AMD EPYC, 1 thread; † on Xeon, 1 thread: moco." in table.lines


def test_threads_are_as_another_processor(tmp_path):
    table, cells = table_of(tmp_path, timed("simclr", [50, 60, 70]), timed("byol", [20, 22, 24], threads=2))
    marked = {label: found["seconds"].mark for label, found in cells.items()}
    assert marked == {"byol": "†", "simclr": ""}, "of two with equally many runs, the first by name"
    assert "Seconds on AMD EPYC, 1 thread; † on AMD EPYC, 2 threads: byol." in table.lines


def test_seconds_of_the_processor_are_there_where_records_have_them(tmp_path):
    frame = frame_of(tmp_path, timed("simclr", [50, 60, 700]) + timed("byol", [10, 20, 30]))
    frame["cpu_seconds"] = frame.seconds.where(frame.method == "simclr") * 0.5
    (table,) = build(frame)
    cells = {row.label: row.cells for row in table.rows}
    assert cells["simclr"]["cpu_seconds"].mean == 30 and "cpu_seconds" not in cells["byol"]
    assert "| CPU s |" in markdown([table])
    assert "CPU s |" not in markdown(build(frame.assign(cpu_seconds=float("nan")))).split("## How")[0]


def test_a_figure_marks_what_was_on_another_processor(tmp_path):
    table, _ = table_of(tmp_path, timed("simclr", [50, 60, 70]), timed("moco", [20, 21], XEON))
    words = {text.get_text() for text in cost.draw(table, "seconds", "s").findobj(Text)}
    assert {"moco†", "simclr", "s († on another processor)"} <= words
    assert "moco" in {text.get_text() for text in cost.draw(table, "tflop", "TFLOP").findobj(Text)}
