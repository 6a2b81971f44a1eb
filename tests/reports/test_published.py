"""Published values beside ours: what the files may hold, which rows stand beside which, the order of methods, equal bytes."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from scipy import stats
from test_reports import frame_of, result, run

import methods
import run_bench
from bench.data import catalogue
from bench.records.record import Result
from reports.pages import published
from reports.tables import columns
from reports.tables.build import build

SIZES = {"cifar10": {"train": 40_000, "val": 10_000, "test": 10_000}}
FOUND, CURVES = published.load()


def on(name, method, accuracy, seed=0, **facts):
    return run(method, accuracy, seed, changes={"dataset": name}, targets=(), **facts)


def study(name="cifar10"):
    accuracies = {"simclr": 60.0, "moco": 50.0, "byol": 40.0, "swav": 30.0}
    records = [on(name, method, accuracy, seed) for method, accuracy in accuracies.items() for seed in range(3)]
    return [*records, on(name, "random", 25.0, trained=False), on(name, "supervised", 80.0, uses_labels=True)]


def value(method, number, **changes):
    """A row as published.csv has it."""
    facts = {"dataset": "cifar10", "encoder": "ResNet-18", "epochs": "200", "batch_size": "512", "measure": "linear"}
    return {"method": method, "value": str(number), "differs": "", "title": "a table", "source": "github:a/b@c:d", **facts, **changes}


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return frame_of(tmp_path_factory.mktemp("results"), study())


def test_every_published_value_has_a_method_a_source_and_a_meaning():
    assert FOUND and CURVES
    for row in (*FOUND, *CURVES):
        assert row["method"] in methods.names() and row["dataset"] in catalogue.names(), row
        assert re.match(r"github:[\w.-]+/[\w.-]+@[0-9a-f]{6,40}:\S+$", row["source"]) or "secondary copy" in row["source"], row
        assert row["measure"] in published.MEASURES and row["encoder"] and row["title"] and row["differs"], row
        assert 0 <= float(row["value"]) <= 100, row
        assert all(not row[name] or float(row[name]) > 0 for name in ("epochs", "batch_size")), row
    assert all(0 < float(row["epoch"]) <= float(row["epochs"]) for row in CURVES)
    # The same value twice would be two lines that say the same.
    assert len({tuple(row.values()) for row in FOUND}) == len(FOUND) and len({tuple(row.values()) for row in CURVES}) == len(CURVES)


def test_what_stands_beside_a_measure_is_a_column_of_ours():
    keys = {columns.column("linear", "x", "test", "top1").key, columns.column("knn", "x", "test", "top1").key}
    keys |= {columns.column("knn", "x", "test", "top1_k200_T0.1").key, columns.column("stages", "x", "test", "top1").key}
    assert {key for key, _ in published.MEASURES.values()} == keys


def test_values_stand_beside_the_column_that_measures_the_same(frame):
    theirs = [
        value("simclr", 91.1, epochs="800"),
        value("simclr", 84.7, measure="knn_k200_T0.1"),
        value("simclr", 88.4, measure="knn_k5", epochs=""),
        value("simclr", 31.0, measure="linear_best_layer"),
        value("simclr", 48.8, dataset="tiny_imagenet"),
        value("simclr", 66.3, epochs="30"),
        value("npid", 80.8, measure="knn_weighted"),
        value("supervised", 95.0),
    ]
    (comparison,) = published.beside(build(frame), theirs, (), SIZES)
    found = [(each.row.label, each.column.key, each.theirs[0]["value"]) for each in comparison.values]
    assert found == [
        *[("simclr", "linear", "66.3"), ("simclr", "linear", "91.1"), ("simclr", "knn", "88.4")],
        *[("simclr", "knn_k200_T0.1", "84.7"), ("supervised", "linear", "95.0")],
    ], "by our order, then by epochs; no stages were measured, npid was not run, Tiny ImageNet is another data set"
    assert comparison.values[0].cell.mean == pytest.approx(60, abs=0.2) and comparison.train_images == 40_000
    (line,) = [line for line in published.markdown([comparison]).splitlines() if "66.3" in line]
    cells = [cell.strip() for cell in line.split(" | ")]
    assert (
        cells[0] == "| simclr" and cells[1].startswith("60.0 ± ") and cells[2:8] == ["linear", "0.5", "66.3", "linear", "ResNet-18", "30"]
    )
    (comparison,) = published.beside(build(frame), theirs)
    assert "20,000" in published.markdown([comparison]) and "our images" in published.markdown([comparison])


def test_points_of_a_curve_are_one_line(frame):
    points = [value("moco", number, epoch=str(epoch), measure="knn_k200_T0.1") for epoch, number in ((1, 31.98), (10, 48.03))]
    (comparison,) = published.beside(build(frame), [value("moco", 82.6)], points, SIZES)
    assert [len(each.theirs) for each in comparison.curves] == [2]
    assert "1: 31.98, 10: 48.03" in published.markdown([comparison])


def test_the_order_is_compared_by_kendalls_tau(frame):
    theirs = [value("simclr", 90), value("moco", 92), value("byol", 80), value("swav", 70), value("random", 10), value("dino", 99)]
    ((order,),) = [comparison.orders for comparison in published.beside(build(frame), theirs)]
    assert order.theirs == ("moco", "simclr", "byol", "swav") and order.ours == ("simclr", "moco", "byol", "swav")
    # One of six pairs is the other way round: (5 - 1) / 6. Of 24 orders four are at least as near, and as many as near the reverse.
    assert order.tau == pytest.approx(4 / 6) and order.p == pytest.approx(8 / 24)
    assert (order.tau, order.p) == pytest.approx(tuple(stats.kendalltau([90, 92, 80, 70], [60, 50, 40, 30])))
    page = published.markdown(published.beside(build(frame), theirs))
    assert "Budgets differ" in page and "| 4 | 0.67 | 0.33 |" in re.sub(" +", " ", page)


def test_orders_are_of_one_source_and_one_protocol(frame):
    mixed = [value("simclr", 90), value("moco", 92), value("byol", 80, epochs="800"), value("swav", 70, title="another")]
    assert published.beside(build(frame), mixed)[0].orders == ()
    twice = [value("simclr", 90), value("moco", 92), value("byol", 80), value("byol", 85)]
    assert published.beside(build(frame), twice)[0].orders == (), "which of byol's two values is meant is not known"
    elsewhere = [value(name, 50 + at, dataset="imagenet1k") for at, name in enumerate(("simclr", "moco", "byol"))]
    (order,) = published.beside(build(frame), [value("simclr", 90, title="another"), *elsewhere])[0].orders
    assert order.protocol["dataset"] == "imagenet1k" and order.tau == -1
    assert published.beside(build(frame), [value("simclr", 90, epochs="1"), *elsewhere])[0].orders == (), "that table has this data set too"


def test_a_method_with_several_settings_has_no_place_in_the_order(tmp_path):
    records = [*study(), run("byol", 45.0, changes={"dataset": "cifar10", "hyper_parameters": {"temperature": 0.1}}, targets=())]
    theirs = [value(name, 50 + at) for at, name in enumerate(("simclr", "moco", "byol", "swav"))]
    (comparison,) = published.beside(build(frame_of(tmp_path, records)), theirs)
    assert [order.ours for order in comparison.orders] == [("simclr", "moco", "swav")]
    assert sum(each.row.label.startswith("byol") for each in comparison.values) == 2


def test_what_cannot_be_told_apart_has_no_tau(tmp_path):
    frame = frame_of(tmp_path, [on("cifar10", name, 50.0) for name in ("simclr", "moco", "byol")])
    page = published.markdown(published.beside(build(frame), [value("simclr", 90), value("moco", 92), value("byol", 80)]))
    assert "| 3 | – | – |" in re.sub(" +", " ", page)


def test_nothing_is_written_where_nothing_is_published(tmp_path):
    nowhere = frame_of(tmp_path / "mnist", study("mnist5k"))
    unknown = frame_of(tmp_path / "unknown", [on("cifar10", "mine", 50.0)])
    namesake = frame_of(tmp_path / "file", [run("mine/simclr.py", 50.0, changes={"dataset": "cifar10"})])
    searched = Result(evaluator="validation", dataset="cifar10", split="val", metric="linear_top1", value=50.0, n=400)
    trial = on("cifar10", "simclr", 50.0)
    trial = frame_of(tmp_path / "search", [replace(trial, results=(searched,))])
    assert list(namesake.method.unique()) == ["simclr"], "the file is called as the method is"
    for frame in (nowhere, unknown, namesake, trial):
        assert published.write(build(frame), tmp_path / "out", frame, SIZES) == []
    assert published.write([], tmp_path / "out", nowhere.iloc[:0], SIZES) == []
    assert not (tmp_path / "out").exists()


def test_a_users_own_file_is_left_out_of_the_table_that_it_shares_with_ours(frame, tmp_path):
    own = [run("mine/simclr.py", 70.0, seed, changes={"dataset": "cifar10"}) for seed in range(4)]
    mixed = frame_of(tmp_path / "results", [*study(), *own])
    labels = {row.label for table in build(mixed) for row in table.rows}
    assert {"simclr file=simclr", "simclr file=mine/simclr.py"} <= labels
    pages = [published.write(build(runs), tmp_path / name, runs, SIZES)[0] for name, runs in (("mixed", mixed), ("ours", frame))]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    tables = build(frame)
    assert published.of_known_methods(tables, frame) is tables, "nothing is built again where nothing is left out"


def test_equal_records_give_equal_bytes(frame, tmp_path):
    first = published.write(build(frame), tmp_path / "first", frame, SIZES)
    again = frame_of(tmp_path / "results", reversed(study()))
    second = published.write(build(again), tmp_path / "second", again, SIZES)
    assert [path.name for path in first] == ["published.md", "published.csv", "published.json"]
    assert all(path.read_bytes() == other.read_bytes() for path, other in zip(first, second, strict=True))
    text = first[0].read_text()
    for known in ("82.6", "MoCo CIFAR-10 demo", "EMP-SSL README", "lightly benchmarks", "github:facebookresearch/moco@f736491"):
        assert known in text
    assert "survey of pretext tasks" not in text, "none of its methods is in the frame"


def test_a_report_writes_the_page_and_says_so(tmp_path):
    frame_of(tmp_path / "results", study())
    done = CliRunner().invoke(run_bench.cli, ["report", "--results", str(tmp_path / "results"), "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'out' / 'published.md'}" in done.output
    text = (tmp_path / "out" / "published.md").read_text()
    assert " 0.444 | " in text, "20,000 images of the 45,000 that cifar10 has for training"


def test_special_characters_of_a_source_are_shown_as_they_are(frame):
    row = value("simclr", 90, title="<b>a | b</b>", source="github:a/b@c:[d](e)", differs="`k` and *T*")
    page = published.markdown(published.beside(build(frame), [row]))
    assert "\\<b\\>a \\| b\\</b\\>" in page and "\\[d\\](e)" in page and "\\`k\\` and \\*T\\*" in page


def test_results_of_stages_stand_beside_the_best_layer(tmp_path):
    record = on("cifar10", "rotation", 50.0)
    best = result("stages", "cifar10", "top1", 55.0, 0)
    record = replace(record, results=(*record.results, best))
    (comparison,) = published.beside(build(frame_of(tmp_path, [record])), [value("rotation", 38.7, measure="linear_best_layer")])
    assert [(each.column.key, each.cell.mean) for each in comparison.values] == [("stages", pytest.approx(55, abs=0.2))]
