"""The benchmarks' own machinery: rounds, ratios, and what is kept. No speed is tested."""

import json

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import claim_rates, error_rates, measure
from places import ROOT


def test_subjects_take_turns_and_are_called_once_off_the_clock():
    calls = []
    seconds = measure.alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b") or 7.0}, repeats=2)
    assert calls == ["a", "b"] * 3
    assert seconds["b"] == [7.0, 7.0] and len(seconds["a"]) == 2 and max(seconds["a"]) < 1


def test_rates_and_ratios_are_medians_of_rounds():
    assert measure.rate([2.0, 1.0, 4.0], 8) == (4.0, 2.0, 8.0)
    # Twice, ten times and half as fast as the other in the same round; of the medians it would be 1 / 2 = 0.5.
    assert measure.ratio([1.0, 1.0, 4.0], [2.0, 10.0, 2.0]) == (2.0, 0.5, 10.0)
    assert measure.spread((1234.4, 0.5, 99999)) == "1,234 (0.5 to 99,999)"


def test_new_rows_and_tables_take_the_place_of_the_same_benchmarks_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "DOCS", tmp_path)
    (tmp_path / "performance.md").write_text("# A\n<!-- views -->\nold\n<!-- /views -->\nB\n<!-- training -->\n<!-- /training -->\nC\n")
    command.keep("training", [{"measure": "training", "method": "simclr", "harness": (1.0, 0.5, 2.0)}], "| table |")
    command.keep("views", [{"measure": "views"}, {"measure": "views"}], "| v1 |")
    command.keep("views", [{"measure": "views", "what": "flip"}], r"| v2 \1 |")
    rows = json.loads((tmp_path / "performance.json").read_text())
    assert [(row["benchmark"], row.get("what")) for row in rows] == [("training", None), ("views", "flip")]
    assert rows[0]["harness"] == [1.0, 0.5, 2.0] and {"machine", "cores", "torch", "commit", "dirty", "date"} <= rows[0].keys()
    page = (tmp_path / "performance.md").read_text()
    assert "old" not in page and "v1" not in page and r"| v2 \1 |" in page and "| table |" in page
    assert page.startswith("# A\n") and page.endswith("C\n") and "\nB\n" in page


def test_a_page_without_a_place_for_a_benchmark_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "DOCS", tmp_path)
    (tmp_path / "performance.md").write_text("# A\n")
    with pytest.raises(AssertionError, match="no place for views"):
        command.keep("views", [], "")


def test_an_unknown_benchmark_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "trainin"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2 and "Did you mean 'training'" in capsys.readouterr().err


@pytest.mark.parametrize("made", [error_rates.equal, error_rates.power, claim_rates.contrasts, claim_rates.agreement])
def test_the_error_rates_of_the_page_can_be_simulated_anew(made):
    head, rows = made(2, np.random.default_rng(0))
    text = (ROOT / "docs/statistics.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert head in lines and all(len(row) == len(head) for row in rows)
    kinds = slice(0, 2)
    assert [row[kinds] for row in rows] == [line[kinds] for line in lines[lines.index(head) + 2 :]][: len(rows)]
