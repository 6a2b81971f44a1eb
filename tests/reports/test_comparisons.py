"""Intervals and comparisons: against formulas written out, scipy and simulation; who has which rank; which versions stand in a table."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from test_reports import frame_of, run

from bench.records.frame import at_chance
from reports.tables import statistics
from reports.tables.build import build
from reports.tables.columns import column
from reports.tables.comparisons import compare
from reports.tables.ranks import ranked, with_ties
from reports.tables.table import Cell, Row
from reports.tables.versions import numbers


def test_interval_is_the_formula():
    generator = np.random.default_rng(0)
    correct = generator.random((4, 50)) < 0.7
    values = 100 * correct.mean(axis=1)
    seeds = sum((v - values.mean()) ** 2 for v in values) / 3 / 4
    per_image = [100 * sum(column) / 4 for column in correct.T]
    images = sum((v - np.mean(per_image)) ** 2 for v in per_image) / 49 / 50
    half = (stats.t.ppf(0.975, 3) ** 2 * seeds + stats.t.ppf(0.975, 49) ** 2 * images) ** 0.5
    assert statistics.interval(values, correct) == pytest.approx(half)


def test_draws_of_labels_are_a_source_of_their_own():
    draws = np.random.default_rng(0).normal(60, 5, (3, 5))
    values = draws.mean(axis=1)
    seeds, labels = (stats.t.ppf(0.975, len(part) - 1) * stats.sem(part) for part in (values, draws.mean(axis=0)))
    assert statistics.interval(values, None, draws) == pytest.approx((seeds**2 + labels**2) ** 0.5)
    right = np.random.default_rng(1).random((1, 50)) < 0.6
    of_all = statistics.of_images(right, draws[:1])
    labels = stats.t.ppf(0.975, 4) * stats.sem(draws[0])
    assert of_all == pytest.approx((statistics.of_images(right) ** 2 + labels**2) ** 0.5)


def test_what_a_draw_does_to_both_cancels_in_a_comparison_and_what_it_does_to_one_does_not():
    generator = np.random.default_rng(2)
    level, own = 60 + 5 * generator.standard_normal(5), generator.standard_normal((2, 5))

    def a_row(label, draws, **facts):
        cells = {"linear": replace(row(label, draws.mean(axis=1)).cells["linear"], draws=draws)}
        return replace(row(label, draws.mean(axis=1), **facts), cells=cells)

    noise = generator.standard_normal((2, 3, 1))
    alike = [a_row(name, level + noise[number]) for number, name in enumerate("ab")]
    apart = [a_row(name, level + noise[number] + own[number]) for number, name in enumerate("ab")]
    plain = [row(name, each.cells["linear"].draws.mean(axis=1)) for name, each in zip("ab", apart, strict=True)]
    without, beside = (at(compare(rows, "linear"), "a", "b")[1] for rows in (plain, apart))
    assert at(compare(alike, "linear"), "a", "b")[1] == pytest.approx(without)
    error = np.var(own[0] - own[1], ddof=1) / 5
    assert beside**2 - without**2 == pytest.approx(stats.t.ppf(0.975, 4) ** 2 * error, rel=1e-3)


def test_without_images_it_is_the_t_interval():
    values = np.array([90.0, 91.0, 93.5])
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert statistics.interval(values) == pytest.approx((high - low) / 2)


def test_edges_of_the_intervals():
    assert statistics.interval(np.array([90.0, 91.0])) is None
    assert statistics.interval(np.array([90.0, 90.0, 90.0])) == 0.0


def crossed(generator, seeds, images, seed_spread, image_spread, noise):
    """Correctness under chance from seeds, from test images and from both: bool [seeds, images], and its expectation."""
    spread_all = (seed_spread**2 + image_spread**2 + noise**2) ** 0.5
    score = 1.0 + seed_spread * generator.standard_normal((seeds, 1)) + image_spread * generator.standard_normal(images)
    return score + noise * generator.standard_normal((seeds, images)) > 0, 100 * stats.norm.cdf(1.0 / spread_all)


@pytest.mark.parametrize(("seed_spread", "image_spread", "noise"), [(0.05, 1.0, 0.3), (0.0, 0.3, 1.0), (0.3, 1.0, 0.3)])
def test_coverage(seed_spread, image_spread, noise):
    """How many intervals hold the truth about new seeds and new test images; the last case is the worst of docs/statistics.md."""
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        correct, truth = crossed(generator, 3, 200, seed_spread, image_spread, noise)
        values = 100 * correct.mean(axis=1)
        hits += abs(values.mean() - truth) <= statistics.interval(values, correct)
    assert hits / 1000 >= 0.94


def row(label, values, kind="method", correct=None, **facts):
    """A row with one column, 'linear', of values by seed, or of a list from seed 0 on."""
    values = values if isinstance(values, dict) else dict(enumerate(values))
    cell = Cell(float(np.mean(list(values.values()))), None, values, correct)
    return Row(label, kind, len(values), {"linear": cell}, **facts)


def at(found, first, second):
    """(difference, half width) of two rows by label."""
    place = found.place[first], found.place[second]
    return found.difference[place], found.half_width[place]


@pytest.mark.parametrize(("count", "freedom"), [(2, 2), (3, 4), (27, 52), (27, 6), (200, 400)])
def test_quantiles_of_all_pairs_are_those_of_the_studentized_range(count, freedom):
    expected = stats.studentized_range.ppf(0.95, count, freedom) / 2**0.5
    assert statistics.all_pairs(count, freedom) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_quantiles_beside_one_reference_are_dunnetts(count):
    samples = np.random.default_rng(count).standard_normal((count + 1, 4))
    found = stats.dunnett(*samples[:-1], control=samples[-1], random_state=1).confidence_interval(0.95)
    error = (2 * samples.var(axis=1, ddof=1).mean() / 4) ** 0.5
    assert statistics.many_to_one(count, 3 * (count + 1)) == pytest.approx((found.high - found.low)[0] / 2 / error, rel=5e-3)
    # Beside a constant the differences are independent but for the standard deviation.
    assert statistics.many_to_one(count, np.inf, 0.0) == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / count)) / 2), rel=1e-4)


def test_variances_are_drawn_together_as_far_as_they_look_alike():
    generator = np.random.default_rng(0)
    alike = generator.standard_normal((30, 5)).var(axis=1, ddof=1)
    drawn, prior = statistics.moderated(alike, np.full(30, 4))
    assert prior > 20 and drawn.max() / drawn.min() < 1.7
    assert statistics.moderated(np.append(alike, 1e-9), np.full(31, 4))[1] > 20, "a small one does no harm"
    apart, prior = statistics.moderated(alike * np.geomspace(0.01, 100, 30), np.full(30, 4))
    assert 4 < prior < 6 and apart[-1] > 5 * apart[0]
    same, prior = statistics.moderated(np.array([1.0, 1.1, 0.9]), np.full(3, 2))
    assert prior == np.inf and same.tolist() == pytest.approx([1, 1, 1])
    assert statistics.moderated(np.zeros(3), np.full(3, 2))[0].tolist() == [0, 0, 0]


def test_two_rows_are_compared_by_the_paired_t_test_and_their_images():
    generator = np.random.default_rng(1)
    correct = generator.random((2, 4, 300)) < generator.random(300)
    values = 100 * correct.mean(axis=2)
    rows = [row(name, values[place], correct=correct[place]) for place, name in enumerate("ab")]
    found = compare(rows, "linear")
    by_seed, by_image = values[0] - values[1], 100 * (correct[0].mean(axis=0) - correct[1].mean(axis=0))
    half = ((stats.t.ppf(0.975, 3) * stats.sem(by_seed)) ** 2 + (stats.norm.ppf(0.975) * stats.sem(by_image)) ** 2) ** 0.5
    assert at(found, "a", "b") == (pytest.approx(by_seed.mean()), pytest.approx(half, rel=1e-4))
    assert at(found, "b", "a") == (pytest.approx(-by_seed.mean()), pytest.approx(half, rel=1e-4))


def test_three_methods_are_compared_by_tukeys_test_with_seeds_as_blocks():
    values = np.random.default_rng(2).normal(50, 1, (6, 4)) + np.array([0, 5, -3, 2])  # what a seed does to all cancels
    left = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    error = (2 * (left**2).sum() / 15 / 4) ** 0.5
    found = compare([row(f"m{place}", its) for place, its in enumerate(values)], "linear")
    assert statistics.moderated(left.var(axis=1, ddof=1) * 6 / 5, np.full(6, 3))[1] == np.inf
    assert at(found, "m0", "m1")[1] == pytest.approx(stats.studentized_range.ppf(0.95, 6, 15) / 2**0.5 * error, rel=1e-3)


def test_a_constant_floor_is_no_sample():
    values = np.random.default_rng(3).normal(50, 1, (1, 5))
    rows = [row("a", values[0]), row("pixels", [48.0], kind="floor", constant=True), row("seeded", [48.0], kind="floor")]
    found = compare(rows, "linear")
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values[0]))
    assert at(found, "a", "pixels") == (pytest.approx(values.mean() - 48), pytest.approx((high - low) / 2, rel=1e-4))
    assert found.standing("a", "seeded") == "no statement", "one seed of what does vary"


def test_rows_with_other_seeds_are_compared_by_those_they_share():
    values = np.random.default_rng(4).normal(50, 1, (6, 5)) + np.arange(5)
    rows = [row(f"m{place}", dict(enumerate(its))) for place, its in enumerate(values)]
    rows[0] = row("m0", dict(list(enumerate(values[0]))[:3]))
    rows.append(row("few", dict(list(enumerate(values[0]))[:2])))
    rows.append(row("elsewhere", {7: 50.0, 8: 51.0, 9: 52.0}))
    found = compare(rows, "linear")
    assert at(found, "m0", "m1")[0] == pytest.approx((values[0] - values[1])[:3].mean())
    assert found.seeds[0, 1] == 3 and found.seeds[1, 2] == 5 and at(found, "m0", "m1")[1] > at(found, "m1", "m2")[1]
    assert np.isfinite(at(found, "few", "m1")[0]) and found.standing("few", "m1") == "no statement"
    assert np.isnan(at(found, "elsewhere", "m1")).all()
    # The same residuals by way of the rows as by way of the seeds.
    long = np.random.default_rng(5).normal(0, 1, (3, 12)) + np.arange(12)
    some = [row(f"m{place}", {seed: value for seed, value in enumerate(its) if seed != place}) for place, its in enumerate(long)]
    shifted = compare([row(r.label, {s: v + 9 * s for s, v in r.cells["linear"].values.items()}) for r in some], "linear")
    assert shifted.half_width == pytest.approx(compare(some, "linear").half_width, nan_ok=True)


def test_of_twenty_equal_methods_one_or_more_lacks_its_mark_in_five_percent_of_tables():
    generator = np.random.default_rng(6)
    tables = 300
    lacking = beside = 0
    for _ in range(tables):
        values = 50 + generator.standard_normal((21, 3)) + 2 * generator.standard_normal(3)
        rows = [row(f"m{place:02}", its) for place, its in enumerate(values[:20])] + [row("random", values[20], kind="floor")]
        found = compare(rows, "linear")
        made = ranked(with_ties(rows, (column("linear", "cifar10", "test", "top1"),), {"linear": found}), "linear", {"linear": found})
        methods = [its for its in made if its.kind == "method"]
        lacking += not all(its.cells["linear"].tied for its in methods[1:])
        beside += (found.beyond[:20, 20] != 0).any()
        assert (methods[0].rank == (1, 20)) == (found.beyond[:20, :20] == 0).all() or methods[0].rank[1] < 20
    assert lacking / tables < 0.09 and beside / tables < 0.09, "5 %, and three of the simulation's errors"


def test_ranks_are_what_all_pairs_leave_open():
    rows = [row("a", [80.0, 80.4, 79.6]), row("b", [79.6, 79.9, 80.1]), row("c", [70.1, 69.9, 70.3]), row("d", [60.2, 60.0, 59.9])]
    rows += [row("one", [80.5]), row("survivors", [90.0, 91.0, 92.0], lost=True), row("floor", [75.1, 74.8, 75.0], kind="floor")]
    found = {"linear": compare(rows, "linear")}
    made = {its.label: its for its in ranked(with_ties(rows, (column("linear", "x", "test", "top1"),), found), "linear", found)}
    assert list(made) == ["a", "b", "c", "d", "survivors", "one", "floor"], "who has no rank stands below who has one"
    assert [its.rank for its in made.values()] == [(1, 2), (1, 2), (3, 3), (4, 4), None, None, None]
    assert [its.cells["linear"].tied for its in made.values()] == [False, True, *[False] * 5]
    assert [its.notes for its in made.values()] == [(), (), ("below floor",), ("below floor",), (), (), ("floor",)]


def test_what_shares_too_few_seeds_with_the_best_cannot_be_told_from_it():
    """Its rank says so, and so does its mark: without one it would pass for worse."""
    rows = [row("best", [80.0, 80.4, 79.6]), row("same", [79.9, 80.2, 79.8]), row("worse", [60.2, 60.0, 59.9])]
    rows += [row("elsewhere", {7: 60.0, 8: 60.2, 9: 59.9}), row("two", {0: 79.0, 1: 79.5, 9: 79.3}), row("few", {0: 79.0, 1: 79.5})]
    found = {"linear": compare(rows, "linear")}
    made = {its.label: its for its in ranked(with_ties(rows, (column("linear", "x", "test", "top1"),), found), "linear", found)}
    assert {label: its.cells["linear"].tied for label, its in made.items()} == {
        **{"best": False, "same": True, "worse": False, "elsewhere": True, "two": True, "few": False}
    }
    assert made["elsewhere"].rank == made["two"].rank == (1, 5) and made["few"].rank is None


def test_a_note_is_by_the_floor_that_has_statistics_of_images_and_beyond_the_interval():
    rows = [row("a", [50.0, 52.0, 51.0]), row("b", [47.9, 48.2, 48.0]), row("c", [41.0, 41.2, 41.1])]
    rows += [row("random", [51.1, 51.3, 51.0], kind="floor"), row("random_rescaled", [48.1, 48.4, 48.3], kind="floor")]
    found = {"linear": compare(rows, "linear")}
    notes = {its.label: its.notes for its in ranked(rows, "linear", found)}
    assert (notes["a"], notes["b"], notes["c"]) == ((), (), ("below random_rescaled",))
    without = [its for its in rows if its.label != "random_rescaled"]
    found = {"linear": compare(without, "linear")}
    assert {its.label: its.notes for its in ranked(without, "linear", found)}["c"] == ("below random",)


def versions(method, version, seed=0, finished="", **facts):
    return run(method, 80, seed, changes={"method_version": version, **facts}, finished=finished)


def test_a_table_shows_the_newest_version_of_each_method(tmp_path):
    records = [versions("simclr", "1", seed) for seed in range(3)] + [versions("simclr", "2"), versions("byol", "1")]
    frame = frame_of(tmp_path, records)
    (table,) = build(frame)
    assert [(its.label, its.seeds) for its in table.rows] == [("byol", 1), ("simclr", 1)]
    assert "Kept and not shown: 3 runs of other versions (simclr)." in table.lines
    # The code is newer than every record: an older one does not stand in for it.
    (table,) = build(frame, {"simclr": 3, "byol": 1})
    assert [its.label for its in table.rows] == ["byol"] and any("4 runs of other versions (simclr)" in line for line in table.lines)
    (table,) = build(frame, {"simclr": 3, "byol": 2})
    assert table.rows == () and table.ranked_by is None and any("5 runs" in line for line in table.lines)


def test_of_files_of_ones_own_the_text_that_ran_last_counts(tmp_path):
    old = [versions("mine.py", "1+aaaaaaaa", seed, "2026-01-02T00:00:00Z") for seed in range(3)]
    new = [versions("mine.py", "1+00000000", 0, "2026-01-03T00:00:00Z")]
    (table,) = build(frame_of(tmp_path, old + new))
    assert [its.seeds for its in table.rows] == [1] and any("3 runs of other versions (mine)" in line for line in table.lines)


def test_a_method_made_of_others_is_as_old_as_its_oldest_part(tmp_path):
    assert numbers("multi_task", "1+npid2+rotation1+0123abcd") == {"multi_task": 1, "npid": 2, "rotation": 1}
    made = ("1+npid1+rotation1", "1+npid2+rotation1", "1+rotation1+simclr1")
    frame = frame_of(tmp_path, [versions("multi_task", version) for version in made])
    shown = build(frame)[0]
    assert len(shown.rows) == 2 and any("1 run of other versions" in line for line in shown.lines)
    assert [its.label for its in build(frame, {"simclr": 2})[0].rows] == ["multi_task"]


def test_a_table_has_the_newest_version_of_its_encoder(tmp_path):
    frame = frame_of(tmp_path, [versions("simclr", "1"), versions("simclr", "1", encoder_version=2), versions("byol", "1")])
    (table,) = build(frame)
    assert [its.label for its in table.rows] == ["simclr"] and "resnet8 (version 2)" in table.title
    assert "Kept and not shown: 2 runs of other versions (byol, simclr)." in table.lines
    (table,) = build(frame, None, {"resnet8": 3})
    assert table.rows == () and any("3 runs" in line for line in table.lines)


def test_what_a_run_says_of_its_loss_and_its_budget_is_noted(tmp_path):
    curve = tuple((step / 100, 5.0 - step / 100) for step in range(101))
    records = [run("dino", 70, seed, loss_curve=curve, chance_loss=4.0 if seed else 4.2) for seed in range(3)]
    records += [run("moco", 71, seed, loss_curve=curve, chance_loss=4.1, short_of=("the queue was not filled",)) for seed in range(3)]
    records += [run("npid", 72, loss_curve=curve, chance_loss=None), run("pcl", 73, loss_curve=((1.0, 9.0),), chance_loss=4.0)]
    notes = {its.label: its.notes for its in build(frame_of(tmp_path, records))[0].rows}
    assert notes["dino"] == ("2 of 3 loss at chance",) and notes["moco"] == ("the queue was not filled",)
    assert notes["npid"] == () and notes["pcl"] == ("loss at chance",)


@pytest.mark.parametrize("chance", [4.0, -4.0])
def test_a_loss_within_a_thousandth_of_chance_is_at_chance(chance):
    """On the side of better losses, whatever the sign."""
    assert [at_chance(((1.0, chance - below),), chance) for below in (-1, 0, 0.0039, 0.0041)] == [True, True, True, False]
