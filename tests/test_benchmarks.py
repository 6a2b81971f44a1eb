"""The benchmarks' own machinery: rounds, ratios, and what is kept. No speed is tested."""

import json

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import claim_rates, error_rates, measure, near_duplicates
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


@pytest.mark.parametrize("name", command.WHAT + command.ON_A_GPU)
def test_every_benchmark_has_its_place_on_the_page(name):
    page = (ROOT / "docs/performance.md").read_text()
    place = f"{name} on a GPU" if name in command.ON_A_GPU else name
    assert f"\n<!-- {place} -->\n" in page and f"\n<!-- /{place} -->\n" in page


def test_what_the_page_on_scale_says_of_reports_was_measured():
    rows = [row for row in json.loads((ROOT / "docs/performance.json").read_text()) if row["benchmark"] == "reports"]
    told = " ".join(row["what"] for row in rows)
    assert [row["goal"] for row in rows] == [10.0, 10.0, 5.0]
    assert all(what in told for what in ("a search of 800 settings", "200 settings with 3 seeds", "4,000 seeds of one setting"))


def test_near_duplicates_are_counted_by_their_correlation(monkeypatch):
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)
    draw = np.random.default_rng(0)
    others = draw.integers(0, 256, (30, 3, 4, 4)).astype(np.uint8)
    test = draw.integers(0, 256, (10, 3, 4, 4)).astype(np.uint8)
    test[2], test[3] = others[5] // 2, np.clip(others[29].astype(int) + draw.integers(-25, 26, (3, 4, 4)), 0, 255)
    test[4] = others[8][[1, 2, 0]]  # the same colours, of other channels: neither
    looks = {
        "values as stored": lambda images: images,
        "lightness": lambda images: np.einsum("bchw,c->bhw", images, (0.299, 0.587, 0.114)),
        "less the mean image": lambda images: images - others.mean(0),
    }
    head, rows = near_duplicates.counts(torch.from_numpy(test), torch.from_numpy(others))
    assert head == ["images", "above 0.95", "above 0.9"] and [row[0] for row in rows] == list(looks)
    for (_, *found), look in zip(rows, looks.values(), strict=True):
        flat = [look(images.astype(float)).reshape(len(images), -1) for images in (test, others)]
        best = np.corrcoef(*flat)[: len(test), len(test) :].max(1)
        assert [int(count) for count in found] == [(best > 0.95).sum(), (best > 0.9).sum()] != [0, 0]


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
