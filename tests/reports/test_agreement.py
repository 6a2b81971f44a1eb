"""Whether one evaluation foretells another (agreement.md), and the picture of it (profiles)."""

import csv
import dataclasses
import io
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import stats
from test_reports import frame_of, result
from test_reports import run as record_of

from bench.records.record import Result
from reports.pages import agreement, leaderboard
from reports.plots import profiles
from reports.tables.build import build
from reports.tables.cells import with_clid
from reports.tables.chosen import chosen

LINEAR = {f"method{place}": 50.0 + 4 * place for place in range(9)}
KNN = {name: 20 + (accuracy * 7) % 61 for name, accuracy in LINEAR.items()}

ALPHA = {name: 1 + (accuracy - 90) * (-1) ** place / 20 for place, (name, accuracy) in enumerate(LINEAR.items())}
"""On both sides of 1, nearer the higher the accuracy."""


def record(method, seed, results, **facts):
    return dataclasses.replace(record_of(method, 50, seed, **facts), results=tuple(results))


def run(name, seed, extra=()):
    results = [
        result("linear", "mnist5k", "top1", LINEAR[name] + 3 * (-1) ** (seed + len(name)), seed),
        result("knn", "mnist5k", "top1", KNN[name], seed),
        Result(evaluator="label_free", dataset="mnist5k", split="train", metric="alignment", value=100 - LINEAR[name], n=400),
        Result(evaluator="label_free", dataset="mnist5k", split="train", metric="collapsed", value=LINEAR[name] / 100, n=400),
        *extra,
    ]
    return record(name, seed, results)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    facts = {"evaluator": "label_free", "dataset": "mnist5k", "split": "train", "metric": "alpha_req", "n": 400}
    runs = [run(name, seed, [Result(**facts, value=ALPHA[name])]) for name in LINEAR for seed in range(3)]
    runs += [record("random", seed, [result("linear", "mnist5k", "top1", 10, seed)], trained=False) for seed in range(3)]
    return build(frame_of(tmp_path_factory.mktemp("results"), runs))


def test_correlations_are_scipys_over_the_means_of_methods(tables, tmp_path):
    page, listed, twin = agreement.write(tables, tmp_path)
    rows = {(row["first"], row["second"]): row for row in csv.DictReader(io.StringIO(listed.read_text()))}
    cells = [{key: cell.mean for key, cell in row.cells.items()} for row in tables[0].rows if row.kind == "method"]
    for pair, sign in ((("linear", "knn"), 1), (("linear", "alignment"), -1)):
        expected = sign * stats.spearmanr(*([its[key] for its in cells] for key in pair)).statistic
        its = rows[pair]
        assert float(its["spearman"]) == pytest.approx(expected, abs=1e-5) and its["methods"] == "9"
        assert float(its["low"]) <= expected <= float(its["high"])
    assert float(rows["linear", "alignment"]["spearman"]) == pytest.approx(1), "less of it is better, and the floor is not counted"
    assert float(rows["linear", "alpha_req"]["spearman"]) == pytest.approx(1), "it is best at 1, not where it is largest"
    assert float(rows["alpha_req", "alpha_req"]["spearman"]) == pytest.approx(1), "so do its seeds"
    assert not any("collapsed" in pair for pair in rows)
    text = page.read_text()
    assert "| alignment, less is better " in text and "| alpha_req, nearer 1 is better " in text
    assert "over 9 methods: with it: alignment, less is better 1.00" in text and "alpha_req, nearer 1 is better 1.00" in text
    again = [path.read_bytes() for path in agreement.write(tables, tmp_path / "again")]
    assert again == [page.read_bytes(), listed.read_bytes(), twin.read_bytes()]


def test_rows_are_sorted_by_what_is_better(tables):
    by = {key: [row.cells[key].mean for row in chosen(tables, sort=key)[0].rows if key in row.cells] for key in ("alignment", "alpha_req")}
    assert by["alignment"] == sorted(by["alignment"]) and by["alpha_req"] == sorted(by["alpha_req"], key=lambda alpha: abs(alpha - 1))


def test_how_alike_two_seeds_of_one_measure_are_stands_beside_it(tables):
    (column,) = [column for column in tables[0].columns if column.key == "linear"]
    values = np.array([[row.cells["linear"].values[seed] for row in tables[0].rows if row.kind == "method"] for seed in range(3)])
    pairs = [stats.spearmanr(values[one], values[other]).statistic for one, other in ((0, 1), (0, 2), (1, 2))]
    assert agreement.own_seeds(tables[0], column) == pytest.approx(np.mean(pairs))


def test_seven_methods_are_too_few_and_a_search_is_no_sample_of_methods(tables, tmp_path, monkeypatch):
    few = [run(name, seed) for name in list(LINEAR)[:7] for seed in range(3)]
    assert agreement.write(build(frame_of(tmp_path / "results", few)), tmp_path / "pages") == []
    monkeypatch.setattr(agreement, "MOST_METHODS", 8)
    assert agreement.write(tables, tmp_path / "pages") == [] and not (tmp_path / "pages").exists()


def test_every_row_is_drawn_where_it_is(tmp_path):
    extra = {seed: [result("transfer", "digits", "linear_top1", 70.0 + seed, seed)] for seed in range(3)}
    runs = [run(name, seed, extra[seed] if place else []) for place, name in enumerate(LINEAR) for seed in range(3)]
    runs += [record("random", seed, [result("linear", "mnist5k", "top1", 10, seed)], trained=False) for seed in range(3)]
    (table,) = build(frame_of(tmp_path / "results", runs))
    columns = profiles.evaluations(table)
    assert [column.key for column in columns] == ["linear", "knn"], "all are alike on digits, so that axis has no length"
    assert profiles.write([table], tmp_path) == []
    figure = profiles.draw(table, columns)
    (axes,) = figure.axes
    rows = {row.label: row.cells["linear"].mean for row in table.rows}
    low, high = min(rows.values()), max(rows.values())
    lines = [(line.get_label(), line) for line in axes.lines] + [(bars.get_label(), bars.lines[0]) for bars in axes.containers]
    drawn = {label: line.get_ydata()[0] for label, line in lines if label in rows}
    assert drawn == pytest.approx({label: (mean - low) / (high - low) for label, mean in rows.items()})
    assert {text.get_text() for text in axes.texts} >= {"random", *[row.label for row in table.rows if row.kind == "method"][:5]}
    assert len({to_hex(text.get_color()) for text in axes.texts}) == 7, "five leading ones, floors, numbers"


# Records of many evaluators, as those of cifar10_frozen and cifar10_finetuned.

PERCENTS = {
    "transfer": ("digits", "linear_top1"), "few_labels": ("mnist5k", "top1_n10"), "retrieval": ("mnist5k", "recall_at_1"),
    "shift": ("cifar10_1", "top1"), "finetune": ("mnist5k", "top1"), "linear_sgd": ("mnist5k", "top1_epochs100"),
}  # fmt: skip
"""Evaluator -> (data set, metric) of an accuracy."""
NUMBERS = [
    *(("robustness", "mnist5k", "top1_corrupted"), ("ood", "dtd10", "fpr95_k50"), ("calibration", "mnist5k", "ece")),
    *(("segmentation", "voc2012_part", f"{kind}_mIoU") for kind in ("frozen", "finetuned")),
    *(("detection", "voc2012_part", f"{kind}_{metric}") for kind in ("frozen", "finetuned") for metric in ("AP", "AP50", "AP75")),
    *(("label_free", "mnist5k", metric) for metric in ("rankme", "alpha_req")),
    *(("lidar", "mnist5k", "lidar"), ("nesum", "mnist5k", "nesum")),
    *(("clid", "mnist5k", metric) for metric in ("cluster_learnability", "intrinsic_dimension")),
]
"""(evaluator, data set, metric) of what has no right and wrong images."""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Nine methods and a floor; every number has an order of its own."""

    values = np.random.RandomState(0).uniform(20, 60, (len(PERCENTS) + len(NUMBERS), len(LINEAR) + 1))

    def further(name, seed):
        own = values[:, [*LINEAR, "random"].index(name)].tolist()
        found = [result(evaluator, *facts, own.pop(), seed) for evaluator, facts in PERCENTS.items()]
        facts = {"split": "test", "n": 400}
        return found + [
            Result(evaluator=evaluator, dataset=data, metric=metric, value=own.pop(), **facts) for evaluator, data, metric in NUMBERS
        ]

    runs = [run(name, seed, further(name, seed)) for name in LINEAR for seed in range(3)]
    floor = [result("linear", "mnist5k", "top1", 10, 0), *further("random", 0)]
    return build(frame_of(tmp_path_factory.mktemp("many"), [*runs, record("random", 0, floor, trained=False)]))


def test_a_table_of_many_columns_is_several_by_kind_of_evaluator(many, tables):
    page = leaderboard.markdown(many)
    main, *others = page.partition("## How to read it")[0].split("\n### ")
    assert [part.partition("\n")[0] for part in others] == [title for title, _ in leaderboard.OTHERS[:6]]
    heads = [next(line for line in part.splitlines() if line.startswith("| ")) for part in (main, *others)]
    headers = [cell.strip() for head in heads for cell in head.strip("| ").split(" | ")]
    shown = [column.header for column in many[0].columns if column.shown]
    assert sorted(header for header in headers if header not in ("#", "method", "seeds", "notes")) == sorted(shown), "each once"
    assert max(map(len, page.splitlines())) < 250 and all(f"| {row.label} " in part for part in others for row in many[0].rows)
    assert "mIoU" not in heads[0] and "detection" not in page and "linear mIoU" in heads[-1] and "RankMe" in heads[0]
    assert "### " not in leaderboard.markdown(tables), "few columns stay together"


def test_whatever_is_shown_of_features_says_what_is_better(many):
    shown = [column for column in many[0].columns if (column.shown or column.label_free) and column.kind == "number"]
    assert len(shown) == 19 and all(column.best is not None for column in shown)
    assert {column.key for column in shown if column.best == 1} == {"alpha_req"}
    turned = {column.key for column in shown if column.less}
    assert turned == {"alignment", "calibration:ece", "ood:dtd10:fpr95_k50"}


def test_clid_is_its_halves_on_one_scale_over_the_methods(many):
    table = many[0]
    halves = ("cluster_learnability", "intrinsic_dimension")
    means = np.array([[row.cells[key].mean for key in halves] for row in table.rows if row.kind == "method"])
    for row in table.rows:
        own = [(row.cells[key].mean - means[:, place].mean()) / means[:, place].std() for place, key in enumerate(halves)]
        assert row.cells["clid"].mean == pytest.approx(sum(own)), row.label
    without = [dataclasses.replace(row, cells={key: cell for key, cell in row.cells.items() if key != halves[0]}) for row in table.rows]
    assert with_clid(without) == without and with_clid(table.rows[:1]) == table.rows[:1], "one half or one method is none"


def test_a_grid_of_many_measures_has_no_intervals_and_the_line_below_has_them(many, tmp_path):
    page, listed, _ = agreement.write(many, tmp_path)
    text = page.read_text()
    rows = {(row["first"], row["second"]): row for row in csv.DictReader(io.StringIO(listed.read_text()))}
    grid = [line for line in text.splitlines() if line.startswith("|")]
    assert agreement.IN_SHORT in text and not any("[" in line for line in grid) and max(map(len, grid)) < 340
    told = next(line for line in text.splitlines() if line.startswith("- **linear**"))
    named = {"finetune:mnist5k:top1": "fine-tuned mnist5k", "segmentation:voc2012_part:frozen_mIoU": "linear mIoU voc2012_part"}
    for key, header in {
        **named,
        "rankme": "RankMe",
        "alpha_req": "alpha_req, nearer 1 is better",
        "lidar": "LiDAR",
        "nesum": "NESum",
    }.items():
        its = rows["linear", key]
        correlation, low, high = (float(its[name]) for name in ("spearman", "low", "high"))
        assert low < high and f"{header} {correlation:.2f} \\[{low:.2f}, {high:.2f}\\]" in told


def test_every_measure_by_labels_has_an_axis_and_what_has_none_is_named(many, monkeypatch):
    columns = profiles.evaluations(many[0])
    keys = {column.key for column in columns}
    assert {"robustness", "segmentation:voc2012_part:frozen_mIoU", "detection:voc2012_part:finetuned_AP75", "finetune:mnist5k:top1"} <= keys
    assert not keys & {"rankme", "lidar", "calibration:ece", "ood:dtd10:fpr95_k50"}
    monkeypatch.setattr(profiles, "MOST_AXES", len(columns))
    whole = profiles.draw(many[0], columns)
    monkeypatch.setattr(profiles, "MOST_AXES", 3)
    few = profiles.draw(many[0], columns)
    whole.canvas.draw()
    boxes = [label.get_window_extent() for label in whole.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes)), "names beside each other"
    assert min(box.y0 for box in boxes) > whole.texts[-1].get_window_extent().y1, "and above the line below them"
    assert whole.get_figwidth() > few.get_figwidth() == profiles.SIZE[0]
    assert [label.get_text() for label in few.axes[0].get_xticklabels()] == [column.header for column in columns[:3]]
    assert columns[3].header in few.texts[-1].get_text() and "not drawn" not in whole.texts[-1].get_text()
