"""The budget as an axis: which rows make a curve, what is read off it, which cross, and whether one order foretells another."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from scipy import stats
from test_reports import frame_of, run

from bench.spec import Budget
from reports.pages import budgets as page
from reports.plots import budget_curves, cost
from reports.tables.budgets import Curve, courses, first_at
from reports.tables.build import build
from reports.tables.table import Cell, Row

FLOPS = (1e12, 3e12, 3e13)
ALONG = {"early": (60, 61, 62), "late": (45, 58, 80), "level": (50.5, 51, 51.5), "again": (50, 51, 52)}
ALONG |= {f"method{place}": (30 + 2 * place, 33 + 2 * place, 36 + 2 * ((5 * place) % 6)) for place in range(6)}


def at(method, flops, accuracy, seed, changes=None, **facts):
    return run(method, accuracy, seed, targets=(), changes={"budget": Budget("flops", flops), **(changes or {})}, **facts)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    records = [
        at(name, flops, accuracy + luck, seed)
        for name, accuracies in ALONG.items()
        for flops, accuracy in zip(FLOPS, accuracies, strict=True)
        for seed, luck in enumerate((-0.5, 0, 0.5))
    ]
    records += [at("supervised", flops, 90, seed, uses_labels=True) for flops in FLOPS[:2] for seed in range(3)]
    records += [at("random", flops, 25, seed, trained=False) for flops in FLOPS for seed in range(3)]
    # A method beside itself at one budget alone, another precision, and another unit: none of them is a curve's, or of this course.
    records += [at("late", 3e12, 40, seed, {"hyper_parameters": {"temperature": 9}}) for seed in range(3)]
    records += [at("late", 3e12, 40, 0, {"precision": "float32"}), run("late", 40, 0)]
    return build(frame_of(tmp_path_factory.mktemp("results"), records))


@pytest.fixture(scope="module")
def course(tables):
    (only,) = courses(tables)
    return only


def test_a_curve_is_a_setting_that_two_budgets_or_more_have(course):
    curves = {curve.label: curve for curve in course.curves}
    assert set(curves) == {*ALONG, "supervised"} and course.curves[0].label == "late" and course.budgets == FLOPS
    assert [row.label for row in course.tables[3e12].rows if row.method == "late"] == ["late temperature=0.5", "late temperature=9"]
    assert [round(curves["late"].cell(flops).mean) for flops in FLOPS] == [45, 58, 80]
    assert curves["supervised"].kind == "ceiling" and curves["supervised"].budgets == FLOPS[:2]
    assert "budgets of 1, 3 and 30 TFLOP · bf16" in course.title and [row.label for row in course.floors] == ["random"]


def test_one_budget_is_no_axis(tables):
    assert courses([table for table in tables if table.key["budget_amount"] == 3e12]) == []


def test_curves_cross_where_each_is_told_to_be_better(course):
    found = {(its.first, its.second): (its.before[0], its.after[0]) for its in course.crossings()}
    assert found["early", "late"] == (1e12, 3e13)
    assert course.tables[3e12].compared["linear"].standing("early", "late temperature=0.5") == "alike", "so it is not from there"
    assert not any({"level", "again"} <= set(pair) for pair in found), "their means cross too, and their intervals say nothing"
    for (first, second), (before, after) in found.items():
        for flops, better, worse in ((before, first, second), (after, second, first)):
            labels = {curve.label: curve.rows[flops].label for curve in course.curves if flops in curve.rows}
            assert course.tables[flops].compared["linear"].standing(labels[better], labels[worse]) == "above"


def curve_of(means, halves, lost=False):
    cells = [Cell(mean, half, {0: mean}) for mean, half in zip(means, halves, strict=True)]
    rows = [Row("simclr", "method", 3, {"linear": cell}, lost=lost) for cell in cells]
    return Curve("simclr", "method", "linear", dict(zip((1e12, 1e13, 1e14), rows, strict=True)))


def test_what_a_level_takes_is_read_between_budgets_and_never_beyond():
    assert first_at((1e12, 1e13), (40, 60), 50) == pytest.approx(10**12.5)
    assert first_at((1e12, 1e13, 1e14), (40, 60, 45), 50) == pytest.approx(10**12.5), "where it first is"
    assert first_at((1e12, 1e13), (40, 49.9), 50) == math.inf and first_at((1e12, 1e13), (50, 40), 50) == 0
    curve = curve_of((40, 60, 65), (5, 5, 2.5))
    its = curve.needed(50)
    assert [math.log10(flops) for flops in (its.flops, its.low, its.high)] == pytest.approx([12.5, 12.25, 12.75])
    assert page.needed(curve, 50) == "3.16 [1.78, 5.62]"
    assert page.needed(curve, 64) == "63.1 [8.91, > 100]" and page.needed(curve, 66) == "more than 100 [25.1, > 100]"
    assert page.needed(curve, 70) == "more than 100" and page.needed(curve, 30) == "at most 1"
    assert page.needed(curve, 40) == "at most 1 [≤ 1, 1.78]"
    for unsure in (curve_of((40, 60, 65), (5, None, 2.5)), curve_of((40, 60, 65), (5, 5, 2.5), lost=True)):
        assert page.needed(unsure, 50) == "3.16"


def test_kendalls_tau_between_budgets_is_scipys(course):
    means = {flops: [curve.cell(flops).mean for curve in course.curves if curve.kind == "method"] for flops in FLOPS}
    expected = stats.kendalltau(means[1e12], means[3e13]).statistic
    its = course.foretells(1e12, 3e13)
    assert its.correlation == pytest.approx(expected) and its.low < expected < its.high and its.entries == len(ALONG)
    seeds = np.array([[curve.cell(1e12).values[seed] for curve in course.curves if curve.kind == "method"] for seed in range(3)])
    own = np.mean([stats.kendalltau(seeds[one], seeds[other]).statistic for one, other in ((0, 1), (0, 2), (1, 2))])
    assert course.own_seeds(1e12) == pytest.approx(own)


def test_the_page_says_all_of_it_in_the_same_bytes(course, tmp_path):
    written, *_ = page.write([course], tmp_path)
    text = written.read_text()
    assert f"tau {course.foretells(1e12, 3e13)} over 10 methods" in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| early")]
    assert ["early", "1", "late", "30"] in [row[:2] + row[3:5] for row in rows]
    (random,) = [line for line in text.splitlines() if line.startswith("| random")]
    assert random.count("–") == 3 and "floor" in random and "| ceiling" in text
    assert page.write([course], tmp_path / "again")[0].read_bytes() == written.read_bytes()
    assert page.write([], tmp_path / "none") == [] and not (tmp_path / "none").exists()


def test_few_methods_give_no_order_and_no_crossing(tables, tmp_path):
    few = [replace(table, rows=tuple(row for row in table.rows if row.method in ("level", "again"))) for table in tables]
    text = page.section(courses(few)[0])
    assert "Fewer than 8 methods have two budgets" in text and "No two methods of which one is told" in text


def test_every_curve_is_drawn_where_it_is(course, tmp_path, monkeypatch):
    figure = budget_curves.draw(course)
    (axes,) = figure.axes
    bars = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    assert len(bars) == budget_curves.LEADING + 1 and axes.get_xscale() == "log"
    heights = {tuple(round(height) for height in bar.lines[0].get_ydata()) for bar in bars}
    assert (45, 58, 80) in heights and (90, 90) in heights
    named = {text.get_text() for text in axes.texts}
    assert {"late", "early", "supervised"} < named and any(name.startswith("random 2") for name in named)
    each = budget_curves.draw_each(course)
    assert [axes.get_title() for axes in each.axes if axes.axison] == [curve.label for curve in course.curves]
    monkeypatch.setattr(cost, "render", lambda figure, kind, made_of: b"drawn")
    assert {path.name.split("-cifar")[0] for path in budget_curves.write([course], tmp_path)} == {
        f"{stem}-mnist5k-resnet8-28px-flops-train-bf16-protocol1.{kind}" for stem in ("budgets", "budgets-each") for kind in ("svg", "png")
    }
    monkeypatch.setattr(budget_curves, "MOST_CURVES", 3)
    assert budget_curves.write([course], tmp_path) == []


def test_the_same_curves_give_the_same_bytes(course):
    first, second = (cost.render(budget_curves.draw(course), "svg") for _ in range(2))
    assert first == second


def test_the_numbers_of_curves_are_there_for_programs(course, tmp_path):
    assert [path.name for path in page.write([course], tmp_path)] == ["budgets.md", "budgets.csv", "budgets.json"]
    rows = json.loads((tmp_path / "budgets.json").read_text())
    assert len(rows) == sum(len(curve.rows) for curve in course.curves) == len((tmp_path / "budgets.csv").read_text().splitlines()) - 1
    for row in rows:
        (curve,) = [curve for curve in course.curves if curve.label == row["method"]]
        cell = curve.cell(row["flops"])
        assert row["mean"] == float(f"{cell.mean:.6g}") and row["kind"] == curve.kind and row["seeds"] == len(cell.values)
        assert row["runs"].split() == [run for _, run in curve.rows[row["flops"]].runs]
