"""The page and the figure of a search: the best that so many trials find, and the same bytes from the same scores."""

import itertools

import pandas
import pytest
from test_reports import frame_of, run

from reports.pages import tuning as page
from reports.plots import tuning as figure
from reports.tables.tuning import Searched, Section, expected_best

NOTHING = pandas.DataFrame({"id": []})


def of(method, **facts):
    given = {
        "studies": ((40.0, 45.0, 42.0), (44.0, 41.0, 30.0)),
        "second": ((), ()),
        "best_of_studies": (45.0, 44.0),
        "trials": 6,
        "diverged": 0,
        "default": 43.0,
        "tuned": 45.0,
        "error": 0.4,
        "chosen": "lr=1.0",
        "edges": (),
        "search_flops": 14e12,
        "run_flops": 1e12,
    }
    return Searched(method=method, **(given | facts))


def test_the_best_of_n_is_that_of_all_draws_with_replacement():
    scores = [40.0, 42.0, 42.0, 50.0]
    for n, expected in enumerate(expected_best(scores), 1):
        draws = [max(draw) for draw in itertools.product(scores, repeat=n)]
        assert expected == pytest.approx(sum(draws) / len(draws))
    assert expected_best([7.0]) == [7.0] and expected_best([None]) == []
    assert expected_best([50.0, None, 40.0]) == expected_best([40.0, 40.0, 50.0])


def test_a_page_has_two_rows_a_method_the_best_first():
    searched = (
        of("byol", tuned=41.0, chosen="", diverged=2),
        of("simclr", edges=("lr, the highest",)),
        of("dino", tuned=None, default=None, chosen="", best_of_studies=()),
    )
    text = page.page([Section("digits | x", searched)], NOTHING)
    lines = [line for line in text.splitlines() if line.startswith(("| byol", "| simclr", "| dino"))]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in lines]
    assert [(row[0], row[1]) for row in rows] == [
        *(("simclr", "default"), ("simclr", "tuned"), ("byol", "default"), ("byol", "tuned"), ("dino", "default"), ("dino", "tuned"))
    ]
    assert rows[0][2] == "43.0 ± 0.4" and rows[0][7:] == ["1", "as it is"]
    assert rows[1][2:] == ["45.0 ± 0.4", "45.0 44.0", "6", "14", "14", "", "lr=1.0; at edge: lr, the highest"]
    assert rows[3][4] == "6, 2 diverged" and rows[3][8] == "as it is" and rows[5][8] == "all diverged"
    assert "test" not in text.split("## How to read it")[0], "no reported run, no column"


def test_what_a_run_costs_is_not_read_off_one_that_diverged():
    text = page.page([Section("digits", (of("dino", default=None, run_flops=None),))], NOTHING)
    default, tuned = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| dino"))
    assert default[2] == "–" and default[7] == "–" and tuned[5:7] == ["14", "–"]


def reported(tmp_path):
    """(frame, ids by label): two settings of simclr and byol as it is, each at three seeds, and what tuning made of the three."""
    accuracies = {"simclr a": 40, "simclr b": 50, "byol": 60, "simclr a tuned": 70, "simclr b tuned": 45}
    records, ids = [], {}
    for number, (label, accuracy) in enumerate(accuracies.items()):
        made = [run(label.split()[0], accuracy, seed, targets=(), changes={"hyper_parameters": {"n": number}}) for seed in range(3)]
        records, ids[label] = [*records, *made], tuple(record.id for record in made)
    return frame_of(tmp_path, records), ids


def test_each_search_has_the_test_numbers_of_its_own_runs_and_runs_that_are_the_same_count_once(tmp_path, monkeypatch):
    frame, ids = reported(tmp_path)
    searched = tuple(of(f"simclr {one}", default_ids=ids[f"simclr {one}"], tuned_ids=ids[f"simclr {one} tuned"]) for one in "ab")
    searched += (of("byol", chosen="", default_ids=ids["byol"], tuned_ids=ids["byol"]),)
    compared, compare = [], page.compare
    monkeypatch.setattr(page, "compare", lambda rows, key: compared.extend(row.label for row in rows) or compare(rows, key))
    text = page.page([Section("digits", searched)], frame)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith(("| simclr", "| byol"))]
    told = {(row[0], row[1]): (row[3][:2], row[5]) for row in rows}
    assert told["simclr a", "default"][0] == "40" and told["simclr a", "tuned"] == ("70", "above")
    assert told["simclr b", "default"][0] == "50" and told["simclr b", "tuned"] == ("45", "below")
    assert told["byol", "default"][0] == told["byol", "tuned"][0] == "60" and told["byol", "tuned"][1] == page.SAME
    assert len(compared) == 5, "byol's runs once: more of the same would pass for more to judge the variance by"


def test_the_figure_has_a_panel_a_method_and_the_same_bytes(tmp_path):
    section = Section("digits · resnet8 · 2,048 images", (of("simclr"), of("byol"), of("dino", best_of_studies=())))
    first = {path.name: path.read_bytes() for path in figure.write([section], tmp_path / "a")}
    assert first == {path.name: path.read_bytes() for path in figure.write([section], tmp_path / "b")}
    assert set(first) == {f"expected-best-digits_resnet8_2048_images.{kind}" for kind in ("svg", "png")}
    drawn = figure.draw("t", [of("simclr"), of("byol", default=None)])
    assert [axes.get_title() for axes in drawn.axes] == ["byol", "simclr"]
    curves = [len(axes.lines) for axes in drawn.axes]
    assert curves == [4, 5], "two studies, both together, the choice; and the method as it is"


def test_the_scores_are_in_the_csv():
    lines = page.tidy_csv([Section("digits", (of("simclr", second=((46.0, None), ())),))]).splitlines()
    assert lines[:3] == ["table,method,round,study,trial,val", "digits,simclr,default,,,43", "digits,simclr,1,1,1,40"] and len(lines) == 10
    assert lines[8:] == ["digits,simclr,2,1,1,46", "digits,simclr,2,1,2,"]
