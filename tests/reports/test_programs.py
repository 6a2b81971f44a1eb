"""What a report says for programs, and what its pictures say of where they are from: numbers as they are, and the runs behind them."""

import csv
import hashlib
import io
import json

import pytest
from PIL import Image
from test_reports import frame_of, study

from reports.pages import leaderboard, programs
from reports.plots import cost, families
from reports.tables import provenance
from reports.tables.build import build
from reports.tables.provenance import Provenance, together


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return frame_of(tmp_path_factory.mktemp("results"), study())


def test_json_has_what_the_csv_has_and_the_runs_besides(frame):
    tables = build(frame)
    said = json.loads(programs.of_tables(tables))
    cells = {(table["title"], row["label"], key): cell for table in said for row in table["rows"] for key, cell in row["cells"].items()}
    rows = list(csv.DictReader(io.StringIO(leaderboard.tidy_csv(tables))))
    assert len(rows) == len(cells) > 50
    for row in rows:
        cell = cells[said[0]["title"], row["method"], row["column"]]
        assert cell["mean"] == float(row["mean"]) and cell["indistinguishable"] == bool(int(row["indistinguishable"]))
        assert cell["half_width"] == (float(row["half_width"]) if row["half_width"] else None)
        assert cell["values"] == {seed: float(value) for seed, value in (one.split("=") for one in row["values"].split())}
    runs = {run["id"] for table in said for row in table["rows"] for run in row["runs"]}
    assert runs == set(frame.id) and said[0]["made_of"]["runs"] == sorted(runs) and said[0]["ranked_by"] == "linear"


def test_a_csv_beside_its_json():
    text = 'a,run,x,y,z\n"one, two",1234567890123456,1,0.5,\nthree,5e12345678901234,,1,\n'
    first, second = json.loads(programs.twin(text))
    assert first == {"a": "one, two", "run": "1234567890123456", "x": 1, "y": 0.5, "z": None}
    assert second == {"a": "three", "run": "5e12345678901234", "x": None, "y": 1.0, "z": None}
    assert json.loads(programs.twin("x\n1\nany\n")) == [{"x": "1"}, {"x": "any"}], "of one column all values are of one kind"
    assert json.loads(programs.twin("x\n1e999\n")) == [{"x": "1e999"}] and json.loads(programs.twin("x,y\n")) == []


def test_a_report_folder_has_json_beside_every_csv(frame, tmp_path):
    leaderboard.write(build(frame), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaderboard.csv", "leaderboard.json", "leaderboard.md"]


def test_provenance_is_a_function_of_the_records(frame):
    mixed = frame.assign(commit=["b" * 40 if seed else None for seed in frame.seed])
    found, again = provenance.of(mixed), provenance.of(mixed.iloc[::-1])
    assert (
        found == again and found.commits == ("b" * 40, "unknown") and found.protocols == (1,) and found.runs == tuple(sorted(set(frame.id)))
    )
    assert found.digest == hashlib.sha256(("\n".join(sorted(set(frame.id))) + "\n").encode()).hexdigest()
    assert f"{len(found.runs)} runs, SHA-256 of their ids {found.digest}; commits {'b' * 40}, unknown; protocol 1" == found.text()
    other = Provenance(("0",), ("a",), (2,))
    both = together([found, other])
    assert both.runs == ("0", *found.runs) and both.commits == ("a", "b" * 40, "unknown") and both.protocols == (1, 2)
    assert Provenance((), (), ()).text().endswith("commits none; protocol none") and together([]) == Provenance((), (), ())


def test_every_picture_says_what_it_was_made_of(frame, tmp_path):
    (table,) = build(frame.assign(commit="c" * 40))
    paths = cost.write([table], tmp_path) + families.write([table], tmp_path, {"simclr": "a", "byol": "b"})
    assert len(paths) == 6
    for path in paths:
        said = path.read_text() if path.suffix == ".svg" else "".join(Image.open(path).text.values())
        assert table.made_of.text() in said and "c" * 40 in said and all(run in said for run in set(frame.id))
    assert b"Date" not in paths[0].read_bytes() and cost.write([table], tmp_path)[0].read_bytes() == paths[0].read_bytes()


def test_the_grids_of_a_page_are_one_sheet_of_numbers():
    """Intervals and thousands are written for people; columns that a grid lacks are empty."""
    first = ("3 TFLOP", ["method", "ours", "images"], [["simclr", "42.1 ± 0.9 =", "1,200"], ["pixels", "–", "0"]])
    second = ("1 TFLOP", ["method", "theirs"], [["a, b", "12.5"]])
    told = programs.sheet([first, second])
    assert told.splitlines() == [
        "table,method,ours,ours ±,images,theirs",
        "3 TFLOP,simclr,42.1,0.9,1200,",
        "3 TFLOP,pixels,,,0,",
        '1 TFLOP,"a, b",,,,12.5',
    ]
    assert programs.rows(told)[0] == {"table": "3 TFLOP", "method": "simclr", "ours": 42.1, "ours ±": 0.9, "images": 1200, "theirs": None}
