"""The table to look at first: a line for each method and setting, encoders side by side, what the search cost."""

import pytest
from test_reports import frame_of, run

from bench.commands.report_pages import searched
from bench.spec import Budget, Recipe, RunSpec
from bench.suites import _tuned
from reports.pages import overview
from reports.pages.overview import DEFAULT, SAME, TUNED, Facts
from reports.tables.build import build


def line(page: str, *starts: str) -> list[str]:
    """The cells of the one line of the first table that begins so."""
    first = page.split("\n## ")[1]
    found = [[cell.strip() for cell in text.split("|")[1:-1]] for text in first.splitlines() if text.startswith("|")]
    (cells,) = [cells for cells in found if tuple(cells[at] for at in (0, 3)[: len(starts)]) == starts]
    return cells


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    tuned = {"recipe": Recipe("sgd", lr=0.3)}
    records = [run("simclr", 90, seed) for seed in range(3)] + [run("simclr", 95, seed, changes=tuned) for seed in range(3)]
    records += [run("byol", 80, seed) for seed in range(3)]
    records += [run("byol", 70, seed, changes={"encoder": "vit_nano"}) for seed in range(3)]
    records += [run("mae", 60, seed, changes={"encoder": "vit_nano"}) for seed in range(3)]
    records.append(run("random", 40, trained=False, flops=0.0))
    records.append(run("byol", 85, changes={"budget": Budget("images", 40000)}))
    return build(frame_of(tmp_path_factory.mktemp("results"), records))


@pytest.fixture(scope="module")
def page(tables):
    rows = {row.label: row for row in tables[0].rows}
    words = {"simclr lr=0.3": TUNED, "simclr lr=0.1": DEFAULT, "byol": SAME}
    settings = {run_id: word for label, word in words.items() for _, run_id in rows[label].runs}
    searches = {("simclr", "resnet8"): 82e12, ("byol", "resnet8"): 90e12}
    return overview.markdown(tables, Facts({"simclr": "contrastive"}, {"simclr": 2020}, settings, searches))


def test_a_method_has_a_line_for_each_setting_with_what_the_search_cost(page):
    head = line(page, "method", "setting")
    tuned, default, same = line(page, "simclr", TUNED), line(page, "simclr", DEFAULT), line(page, "byol", SAME)
    assert tuned[:4] == ["simclr", "contrastive", "2020", "tuned"] and same[1:3] == ["–", "–"]
    at = head.index("search TFLOP resnet8")
    assert (tuned[at], default[at], same[at]) == ("82", "–", "90")
    assert tuned[head.index("linear resnet8")].startswith("95.") and tuned[head.index("# resnet8")] == "1"
    assert "search TFLOP vit_nano" not in head, "nothing was searched there"


def test_encoders_stand_side_by_side_and_budgets_one_below_the_other(tables, page):
    assert "## mnist5k · resnet8, vit_nano · budget 20,000 items" in page
    head = line(page, "method", "setting")
    mae = line(page, "mae")
    assert mae[head.index("linear resnet8")] == "" and mae[head.index("linear vit_nano")].startswith("60.")
    floor = line(page, "random")
    assert floor[-1].startswith("floor") and floor[head.index("# resnet8")] == ""
    other = page.partition("40,000 items")[2]
    assert "| byol" in other and "linear resnet8" not in other, "one encoder needs no name"
    assert len(tables) == 3


def test_which_runs_are_tuned_is_told_by_what_was_chosen(monkeypatch):
    facts = {"dataset": "d", "encoder": "resnet8", "budget": "1steps", "val": 50.0, "default": 49.0, "trials": 24}
    chosen = {
        ("simclr", "resnet8"): _tuned.Setting("simclr", hyper_parameters={}, recipe_changes={"lr": 3.0}, search_flops=7.0, **facts),
        ("byol", "resnet8"): _tuned.Setting("byol", hyper_parameters={}, recipe_changes={}, **facts),
    }
    monkeypatch.setattr(_tuned, "read", lambda suite: chosen if suite == "mine" else {})
    common = {"dataset": "d", "encoder": "resnet8", "budget": Budget("steps", 1), "image_size": 28, "precision": "bf16"}
    common |= {"method_version": "1", "data_revision": "abc"}
    asked = (("simclr", 3.0), ("simclr", 1.0), ("byol", 1.0), ("moco", 1.0))
    runs = [RunSpec(method=name, recipe=Recipe("sgd", lr=lr), **common) for name, lr in asked]
    settings, searches = searched({"mine": tuple(runs)})
    assert [settings.get(one.id) for one in runs] == [TUNED, DEFAULT, SAME, None]
    assert searches == {("simclr", "resnet8"): 7.0, ("byol", "resnet8"): 0.0}
