"""Published numbers on the published setting: which are beside ours, and what lies within an interval."""

import re
from dataclasses import replace

import pytest
from test_published import SIZES, on, value
from test_reports import frame_of, run

from bench.records.record import Result, Snapshot
from bench.spec import Recipe
from reports.pages import met, published
from reports.tables.build import build

ON_THE_SETTING = {"dataset": "cifar10", "encoder": "resnet18", "image_size": 32}


def on_it(method, accuracy, seed=0):
    return run(method, accuracy, seed, changes=ON_THE_SETTING, targets=())


def told(method, number, **changes):
    facts = {
        "encoder": "ResNet-18 (3x3 stem)",
        "batch_size": "256",
        "epochs": "0.5",
        "differs": "their probe",
        "setting": "a wider head",
        "confidence": "paper",
    }
    return value(method, number, **{**facts, **changes})


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """20,000 images of 40,000: half an epoch."""
    records = [on_it("simclr", 60 + seed, seed) for seed in range(3)]
    records += [on("cifar10", "simclr", 60, seed) for seed in range(3)]  # the small ResNet's
    records.append(on_it("byol", 40))
    return frame_of(tmp_path_factory.mktemp("results"), records)


def test_only_what_is_on_the_setting_is_beside_ours(frame):
    theirs = [
        told("simclr", 61.0),
        told("simclr", 62.0, batch_size=""),
        told("simclr", 99.0, batch_size="512"),
        told("simclr", 99.0, epochs="1"),
        told("simclr", 99.0, epochs=""),
        told("simclr", 99.0, encoder="ResNet-18"),
        told("simclr", 99.0, measure="linear_svm"),
        told("simclr", 99.0, dataset="cifar100"),
        told("byol", 40.0),
        told("moco", 50.0),
    ]
    ((table, pairs),) = met.met(build(frame), theirs, [], SIZES)
    assert table.key["encoder"] == "resnet18"
    assert [(pair.row.method, pair.column.key, pair.theirs["value"]) for pair in pairs] == [
        ("simclr", "linear", "61.0"),
        ("simclr", "linear", "62.0"),
        ("byol", "linear", "40.0"),
    ]
    assert met.met(build(frame), theirs, [], {}) == [], "without the size of the data set no length in epochs is known"


def test_a_number_is_met_where_it_lies_in_our_interval(frame):
    theirs = [told("simclr", number) for number in (61.0, 75.0)] + [told("byol", 40.0)]
    made = met.met(build(frame), theirs, [], SIZES)
    assert [pair.within for pair in made[0][1]] == [True, False, None], "of one seed there is no interval"
    page = met.markdown(made)
    assert "1 of 2 published numbers lie within" in page
    (line,) = [line for line in page.splitlines() if "75.0" in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[0] == "simclr" and re.fullmatch(r"6\d\.\d ± \d+\.\d", cells[1]) and re.fullmatch(r"-1\d\.\d", cells[5])
    assert cells[6:9] == ["no", "0.5", "their probe; a wider head; here trained on train, 40,000 images"] and cells[10] == "paper"


def look(share, accuracy):
    """At a share of 20,000 images, of which step it is a little later; on test, as it was asked for."""
    found = Result(evaluator="knn", dataset="cifar10", split="test", metric="top1_k200_T0.1", value=accuracy, n=100)
    images = round(20_000 * share) + 50
    return Snapshot(asked=share, share=images / 20_000, steps=1, images=images, flops=0.0, evals=("knn",), results=(found,))


def point(epoch, number, epochs="0.5", **changes):
    facts = {"epochs": epochs, "epoch": epoch, "schedule": "cosine", "measure": "knn_k200_T0.1", "encoder": "ResNet-18 (3x3 stem)"}
    row = value("simclr", number, batch_size="256", differs="their kNN", **facts)
    return {**row, **changes}


def test_points_of_a_curve_are_beside_what_was_trained_for_as_long_at_the_same_learning_rate(tmp_path):
    """Half an epoch, looked at after a quarter and at its end, as the beginning of a whole one that ends there, or of a longer one."""
    constant = {**ON_THE_SETTING, "recipe": Recipe("sgd", lr=0.1, schedule="constant")}
    for name, changes in (("cosine", ON_THE_SETTING), ("constant", constant)):
        records = [
            replace(run("simclr", 60 + seed, seed, changes=changes, targets=()), snapshots=(look(0.5, 40 + seed), look(1, 52)))
            for seed in range(3)
        ]
        theirs = [
            point("0.25", 41.5),
            point("0.3", 99),
            point("0.5", 52.5),
            point("0.25", 41.5, schedule=""),
            point("0.25", 99, batch_size="64"),
        ]
        longer = [point("0.25", 42.5, epochs="10"), point("0.25", 99, epochs="0.6"), point("0.25", 43.5, epochs="10", schedule="")]
        (table,) = build(frame_of(tmp_path / name, records))
        ((_, pairs),) = met.met([table], [], theirs + longer, SIZES)
        told = {(pair.theirs["epoch"], pair.theirs["epochs"], pair.theirs["schedule"]): pair for pair in pairs}
        same = {("0.25", "0.5", "cosine"), ("0.5", "0.5", "cosine"), ("0.25", "0.5", "")}
        assert told.keys() == (same if name == "cosine" else same | {("0.25", "10", "cosine")}) and len(pairs) == len(told)
        assert told["0.25", "0.5", "cosine"].cell.values == {0: 40, 1: 41, 2: 42}, "a look on the way"
        assert told["0.5", "0.5", "cosine"].cell.mean == pytest.approx(53, abs=1), "the end, and not the look at it"
    page = met.markdown([(table, pairs)])
    (line,) = [re.sub(" +", " ", line) for line in page.splitlines() if "42.5" in line]
    assert "| 0.25 of 10 | their kNN; here trained on train, 40,000 images; here the learning rate is constant" in line
    assert "which a cosine of 10 epochs has lowered by 0.2% there" in line


def test_every_value_of_the_suite_says_what_differs_and_how_sure_it_is():
    found, _ = published.load()
    assert {row["confidence"] for row in found} == {"paper", "copy", "by eye"}
    assert all((row["confidence"] == "copy") == ("secondary copy" in row["source"]) for row in found if row["confidence"] != "by eye")
    of_suite = [row for row in found if row["title"] == "EMP-SSL README" and row["epochs"] in ("1", "10")]
    assert {row["method"] for row in of_suite} == {"simclr", "byol", "vicreg", "swav", "ressl", "emp_ssl"}
    assert all(row["setting"] for row in of_suite)
