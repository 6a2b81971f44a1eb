"""The rules that judge a claim, each against a slow formula or scipy, and what its words say. S seeds, n images."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reports.claims import orders
from reports.claims.contrasts import contrast, number, signed
from reports.claims.points import Point, Points
from reports.claims.rules import Above, Agrees, At, Collapses, Peak, Reorders, Rises, Shrinks, Within
from reports.claims.shapes import page

SEEDS = (0, 1, 2, 3, 4)


def given(floors=None, **levels) -> Points:
    """Arm -> a level, around which its five seeds lie evenly, 0.3 apart on average."""
    spread = 0.3 * np.array([-1.2, 0.4, 1.1, -0.6, 0.3])
    turned = {arm: np.roll(spread, place) for place, arm in enumerate(levels)}
    return Points.given("linear", {arm: dict(zip(SEEDS, level + turned[arm], strict=True)) for arm, level in levels.items()}, floors)


def drawn(generator, level: float, seeds=SEEDS, n=200, images="cifar10 test") -> Point:
    """Right with this chance, by image and seed; rows in the order of `seeds`."""
    correct = generator.random((len(seeds), n)) < level + 0.1 * generator.standard_normal(n)
    return Point(dict(zip(seeds, 100 * correct.mean(axis=1), strict=True)), correct, images)


def test_a_contrast_is_paired_by_seed_and_image_whatever_the_order_of_the_seeds():
    """Against the formula of docs/statistics.md, image by image."""
    generator = np.random.default_rng(0)
    a, b = drawn(generator, 0.7, (4, 2, 0, 7)), drawn(generator, 0.6, (0, 2, 3, 4))
    found = contrast([(1, a), (-1, b)])
    rows = [([4, 2, 0, 7].index(seed), [0, 2, 3, 4].index(seed)) for seed in (0, 2, 4)]
    of_seeds = [100 * a.correct[one].mean() - 100 * b.correct[other].mean() for one, other in rows]
    of_images = [100 * np.mean([float(a.correct[one, i]) - float(b.correct[other, i]) for one, other in rows]) for i in range(200)]
    squares = [stats.t.ppf(0.975, len(its) - 1) ** 2 * np.var(its, ddof=1) / len(its) for its in (of_seeds, of_images)]
    assert found.estimate == pytest.approx(np.mean(of_seeds))
    assert found.half_width == pytest.approx(math.sqrt(sum(squares)))
    assert found.joint == found.half_width
    # Of two comparisons each has half of the 5 %.
    wider = [stats.t.ppf(0.9875, len(its) - 1) ** 2 * np.var(its, ddof=1) / len(its) for its in (of_seeds, of_images)]
    assert contrast([(1, a), (-1, b)], comparisons=2).joint == pytest.approx(math.sqrt(sum(wider)))


def test_images_of_another_set_are_not_paired():
    generator = np.random.default_rng(0)
    a, b = drawn(generator, 0.7), drawn(generator, 0.6, n=150, images="dtd10 test")
    seeds = np.array([a.values[seed] - b.values[seed] for seed in SEEDS])
    squares = [stats.t.ppf(0.975, 4) ** 2 * seeds.var(ddof=1) / 5]
    squares += [stats.t.ppf(0.975, n - 1) ** 2 * (100 * point.correct.mean(axis=0)).var(ddof=1) / n for point, n in ((a, 200), (b, 150))]
    assert contrast([(1, a), (-1, b)]).half_width == pytest.approx(math.sqrt(sum(squares)))


def test_without_images_of_every_point_seeds_alone_count():
    generator = np.random.default_rng(0)
    a, b = drawn(generator, 0.7), Point(drawn(generator, 0.6).values)
    differences = [a.values[seed] - b.values[seed] for seed in SEEDS]
    assert contrast([(1, a), (-1, b)]).half_width == pytest.approx(stats.t.ppf(0.975, 4) * stats.sem(differences))


def test_an_interval_needs_three_seeds_that_all_have():
    with pytest.raises(ValueError, match="three seeds that all points have, and here are 2"):
        contrast([(1, Point({0: 1.0, 1: 2.0, 2: 3.0})), (-1, Point({1: 2.0, 2: 3.0, 3: 4.0}))])


@pytest.mark.parametrize(
    "rule, points, verdict, back",
    [
        (Above("a", "b"), given(a=90, b=88), "reproduced", "contradicted"),
        (Above("a", "b", margin=3), given(a=90, b=88), "contradicted", "contradicted"),
        (Above("a", "b", margin=1), given(a=90, b=88), "reproduced", "contradicted"),
        (Within("a", "b"), given(a=90, b=88), "reproduced", "reproduced"),
        (Within("a", "b", margin=1), given(a=90, b=88), "contradicted", "contradicted"),
        (Rises(("a", "b", "c", "d")), given(a=85, b=86, c=88, d=90), "reproduced", "contradicted"),
        (Peak(("a", "d"), ("b", "c")), given(a=85, b=89, c=88, d=86), "reproduced", "contradicted"),
        (Peak(("a", "d"), ("b", "c")), given(a=85, b=89, c=88, d=92), "contradicted", "contradicted"),
        (Shrinks(("a", "b"), ("c", "d")), given(a=90, b=80, c=91, d=86), "reproduced", "contradicted"),
        (Collapses("a", "b", measure=None), given(a=10, b=60), "reproduced", "contradicted"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "judge") else None,
)
def test_what_a_rule_says_of_points_and_of_them_in_reverse(rule, points, verdict, back):
    turned = Points(points.measure, lambda arm, by: Point({seed: -value for seed, value in points.find(arm, by).values.items()}))
    assert rule.judge(points).verdict == verdict
    assert rule.judge(turned).verdict == back


def test_what_is_not_shown_is_undecided_and_the_words_say_how_far_it_is():
    found = Above("a", "b").judge(given(a=90.1, b=90))
    assert found.verdict == "undecided"
    low, high = found.interval
    assert low < 0 < found.estimate < high
    assert found.words == f"a over b {found.estimate:+.1f} ± {(high - low) / 2:.1f}"


def test_a_peak_shows_both_ends_and_stands_for_the_one_that_is_less_sure():
    found = Peak(("low", "high"), ("mid", "mild")).judge(given(low=80, mid=90, mild=89, high=89.4))
    assert found.verdict == "undecided" and found.estimate == pytest.approx(0.1, abs=0.05)
    assert found.words.startswith("inside over low +9.5 ± ") and ", over high +0.1 ± " in found.words


def test_one_of_two_ends_contradicts_a_peak_only_beyond_the_interval_of_both():
    """Below 0 by its own interval and not by that of two: of arms that are alike one of two ends would err in 5 %."""
    values = {"b": dict.fromkeys(SEEDS, 90.0), "a": dict.fromkeys(SEEDS, 80.0)}
    rule = Peak(("a", "c"), ("b",))
    for quantile, verdict in ((0.975, "undecided"), (0.9875, "contradicted")):
        apart = np.array([-1.2, 0.4, 1.1, -0.6, 0.3])
        apart += 1.02 * stats.t.ppf(quantile, 4) * stats.sem(apart)
        points = Points.given("linear", {**values, "c": dict(zip(SEEDS, 90.0 + apart, strict=True))})
        assert rule.judge(points).verdict == verdict


def test_pages_test_is_that_of_all_orders():
    """The exact chance, counted over every way in which the values of three seeds could have been ordered."""
    values = np.array([[1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
    places = np.arange(1, 4)
    orders = list(itertools.permutations(places))
    reached = (stats.rankdata(values, axis=1) @ places).sum()
    sums = [sum(np.dot(order, places) for order in chosen) for chosen in itertools.product(orders, repeat=3)]
    assert page(values) == pytest.approx(np.mean(np.array(sums) >= reached))


def test_ties_count_against_the_rise_and_against_the_fall():
    tied = np.array([[1.0, 2.0, 2.0, 3.0]] * 3)
    assert page(tied) == page(np.array([[1.0, 3.0, 2.0, 4.0]] * 3)) > page(np.array([[1.0, 2.0, 3.0, 4.0]] * 3))
    flat = np.ones((5, 4))
    assert page(flat) == page(flat[:, ::-1]) == pytest.approx(1.0)


def test_a_rise_that_images_alone_could_make_is_not_shown():
    """Every seed has the same order, so Page's test is sure; of so few images that order is chance."""
    generator = np.random.default_rng(3)
    right = generator.random((4, 40)) < 0.8
    right = right[np.argsort(right.mean(axis=1))]
    points = {name: Point(dict.fromkeys(SEEDS, 100 * right[place].mean()), right[[place] * 5], "test") for place, name in enumerate("abcd")}
    assert page(np.array([[points[name].values[seed] for name in "abcd"] for seed in range(5)])) < 0.001
    assert Rises(tuple("abcd")).judge(Points.given("linear", points)).verdict == "undecided"


def test_a_line_that_rises_at_every_seed_is_no_rise_where_the_places_between_are_in_no_order():
    """The means are in order and the line's interval lies above 0: Page's test alone refuses it, one way and the other."""
    rows = [(80.0, 79.0, 85.0), (80.5, 86.0, 85.0), (80.0, 79.5, 85.5)]
    points = Points.given("linear", {name: dict(enumerate(column)) for name, column in zip("abc", zip(*rows, strict=True), strict=True)})
    means = np.mean(rows, axis=0)
    assert means[0] < means[1] < means[2] and page(np.array(rows)) > 0.025
    found = Rises(tuple("abc")).judge(points)
    assert found.interval[0] > 0 and found.verdict == "undecided"
    falling = Rises(tuple("cba")).judge(points)
    assert falling.interval[1] < 0 and falling.verdict == "undecided"


def test_the_rise_is_that_of_the_least_squares_line():
    levels = {"a": 80.0, "b": 84.0, "c": 83.0, "d": 89.0}
    slope = np.polyfit(range(4), list(levels.values()), 1)[0]
    points = Points.given("linear", {arm: {seed: level + seed for seed in SEEDS} for arm, level in levels.items()})
    found = Rises(tuple("abcd")).judge(points)
    assert found.estimate == pytest.approx(3 * slope)
    assert "from a to d along a straight line" in found.words
    for few in (("a", "b"), tuple("abcdefghi")):
        with pytest.raises(ValueError, match=f"3 to 8 places, and has {len(few)}"):
            Rises(few)


def test_a_collapse_is_no_collapse_above_untrained_features_or_without_its_sign():
    floors = {"bare": ("floor random", "floor random_rescaled")}
    levels = {"whole": 80, "bare": 40, "floor random": 50, "floor random_rescaled": 45}

    def judged(rule, signs=(), **changed):
        points = given(**{**levels, **changed})
        found = {(arm, "knn"): points.find(arm, "linear") for arm in levels}
        found |= {("bare", "loss"): Point(dict(zip(SEEDS, signs, strict=False)))}
        return rule.judge(Points.given("linear", found, floors))

    rule = Collapses("bare", "whole")
    assert judged(rule).verdict == "reproduced"
    assert "bare beside floor random -10.0" in judged(rule).words, "the better of the two"
    # Far below the whole, and yet something was learned.
    assert judged(rule, bare=60).verdict == "contradicted"
    # The loss is not at its bound in one of the seeds.
    losses = (-1.0, -0.99, -1.0, -1.0, -0.9)
    assert judged(Collapses("bare", "whole", sign="loss", at_most=-0.95), losses).verdict == "undecided"
    assert judged(Collapses("bare", "whole", sign="loss", at_most=-0.9), losses).verdict == "reproduced"
    assert "loss of it -0.9 at most, -0.95 asked for" in judged(Collapses("bare", "whole", sign="loss", at_most=-0.95), losses).words


def measured(first, second, arms, by="knn") -> Points:
    """Two measures of arms, linear and another, three seeds each."""
    return Points.given(
        "linear",
        {
            (arm, by): {0: x - 0.1, 1: x, 2: x + 0.1}
            for by, its in (("linear", first), (by, second))
            for arm, x in zip(arms, its, strict=True)
        },
    )


def test_agreement_is_scipys_correlation_with_a_bootstrap_over_arms():
    generator = np.random.default_rng(0)
    first = generator.standard_normal(20)
    second, arms = first + generator.standard_normal(20), tuple(f"m{number}" for number in range(20))
    points = measured(first, second, arms)
    for name, scipys in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        found = Agrees(arms, "linear", "knn", statistic=name).judge(points)
        assert found.estimate == pytest.approx(scipys(first, second).statistic)
        places = np.random.default_rng(0).integers(0, 20, (2000, 20))
        again = orders.of_resamples(first, second, name)
        assert again[:20] == pytest.approx([scipys(first[drawn], second[drawn]).statistic for drawn in places[:20]])
        assert found.interval == pytest.approx(np.quantile(again, [0.025, 0.975]))
        assert found.verdict == "reproduced" and f"{name.capitalize()}'s correlation over 20 arms" in found.words
    assert Agrees(arms, "linear", "knn", level=0.98).judge(points).verdict == "contradicted"
    assert Agrees(arms, "linear", "knn", level=found.estimate).judge(points).verdict == "undecided"


@pytest.mark.parametrize(
    ("by", "good", "bad", "words"),
    [
        ("alignment", 9 - np.arange(9.0), np.arange(9.0), "linear and alignment, less is better, order the arms alike: Spearman's"),
        ("projection:rankme", np.arange(9.0), -np.arange(9.0), "linear and projection:rankme order the arms alike: Spearman's"),
        # Nearer 1 from both sides; and larger from 1 on.
        (
            "alpha_req",
            1 + np.resize([1, -1], 9) * (9 - np.arange(9.0)),
            1 + np.arange(9.0),
            "linear and alpha_req, nearer 1 is better, order",
        ),
    ],
)
def test_agreement_is_of_what_is_better_and_not_of_size(by, good, bad, words):
    rule = Agrees(tuple("abcdefghi"), "linear", by)
    for second, verdict in ((good, "reproduced"), (bad, "contradicted")):
        assert rule.judge(measured(np.arange(9.0), second, "abcdefghi", by)).verdict == verdict
    assert rule.words().startswith(words)


def test_agreement_of_what_has_no_better_is_refused():
    with pytest.raises(ValueError, match="Agrees needs measures of which some values are better than others, and feature_std is none"):
        Agrees(tuple("abcdefgh"), "linear", "feature_std")


def test_agreement_within_groups_has_the_interval_of_their_correlations():
    groups = (tuple("abcd"), tuple("efgh"), tuple("ijkl"))
    first = np.arange(12.0)
    second = np.array([0, 1, 2, 3, 0, 1, 3, 2, 1, 0, 2, 3.0])
    found = Agrees(groups, "linear", "knn").judge(measured(first, second, "abcdefghijkl"))
    each = [stats.spearmanr(range(4), second[start : start + 4]).statistic for start in (0, 4, 8)]
    half = stats.t.ppf(0.975, 2) * stats.sem(each)
    assert found.estimate == pytest.approx(np.mean(each)) and found.interval == pytest.approx((np.mean(each) - half, np.mean(each) + half))
    assert found.verdict == "reproduced" and "3 groups of arms: 1.00, 0.80, 0.80" in found.words


def test_too_few_arms_or_groups_for_an_interval_are_refused():
    for few in (tuple("abcdefg"), (tuple("abcd"), tuple("efgh"))):
        with pytest.raises(ValueError, match="Agrees needs 8 arms, or 3 groups of them, and has"):
            Agrees(few, "linear", "knn")
    for few in ((tuple("abcdefgh"),), (tuple("abcdefgh"), tuple("abcdefg")), (tuple("abc"), tuple("def"))):
        with pytest.raises(ValueError, match="Reorders needs two encoders with the same 8 methods or more, and has"):
            Reorders(few)


def encoders(first, second, noises, generator) -> tuple[Reorders, Points]:
    """Levels of methods with either encoder, and the seeds' noise with either."""
    arms = tuple(tuple(f"m{number} {encoder}" for number in range(len(first))) for encoder in "ab")
    levels = [
        (arm, x, noise) for names, its, noise in zip(arms, (first, second), noises, strict=True) for arm, x in zip(names, its, strict=True)
    ]
    values = {arm: dict(enumerate(level + noise * generator.standard_normal(3))) for arm, level, noise in levels}
    return Reorders(arms), Points.given("linear", values)


def test_reordering_is_what_tau_across_encoders_lacks_of_the_geometric_mean_of_both_within():
    generator = np.random.default_rng(1)
    first = generator.standard_normal(20)
    rule, points = encoders(first, generator.standard_normal(20), (0.2, 0.2), generator)
    found = rule.judge(points)
    of = lambda arms, seed: [points.find(arm, "linear").values[seed] for arm in arms]  # noqa: E731
    tau = lambda *lists: stats.kendalltau(*lists).statistic  # noqa: E731
    within = [np.mean([tau(of(arms, s), of(arms, t)) for s, t in ((0, 1), (0, 2), (1, 2))]) for arms in rule.encoders]
    correlation = math.sqrt(math.prod(math.sin(math.pi / 2 * its) for its in within))
    across = [tau(of(rule.encoders[0], s), of(rule.encoders[1], t)) for s in range(3) for t in range(3) if s != t]
    assert found.estimate == pytest.approx(math.asin(correlation) / (math.pi / 2) - np.mean(across))
    # The bootstrap's lists have methods twice, which tau-b takes as ties.
    drawn = np.random.default_rng(0).integers(0, 20, (2000, 20))[:50]
    one, other = np.array(of(rule.encoders[0], 0)), np.array(of(rule.encoders[1], 1))
    counts = np.stack([np.bincount(places, minlength=20) for places in drawn])
    assert orders.tau(one, other, counts) == pytest.approx([tau(one[places], other[places]) for places in drawn])
    assert found.verdict == "reproduced" and "20 methods" in found.words


def test_encoders_that_order_methods_as_seeds_do_are_not_said_to_reorder():
    generator = np.random.default_rng(2)
    level = generator.standard_normal(20)
    # Of the second two one is nearly noise, which says nothing of its order: the plain mean of both taus would call it another one.
    for noises in ((0.5, 0.5), (0.1, 1.5)):
        rule, points = encoders(level, level, noises, generator)
        assert rule.judge(points).verdict == "undecided", noises


@pytest.mark.parametrize(
    "rule, words",
    [
        (Above("b", "a"), "b is above a. Contradicted if it is below it."),
        (Above("b", "a", 10, "knn"), "b is above a by more than 10 by knn. Contradicted if it is not even 10 above it."),
        (Within("b", "a"), "b is within 3 of a. Contradicted if they are further apart."),
        (Rises(tuple("abc"), "knn"), "It rises along a, b, c by knn. Contradicted if it falls."),
        (Peak(("0", "1"), ("0.5",)), "0.5 is above both 0 and 1. Contradicted if it is below one of them."),
        (Peak(("0", "1"), ("0.4", "0.5")), "The mean of 0.4, 0.5 is above both 0 and 1. Contradicted if it is below one of them."),
    ],
)
def test_a_rule_says_itself_and_what_would_have_contradicted_it(rule, words):
    assert rule.words() == words


def test_a_rule_names_its_arms_and_all_that_it_reads():
    rule = Above(At("h", "linear"), At("h", "projection:linear"))
    assert rule.names() == ("h",) and rule.needs("knn") == (("h", "linear"), ("h", "projection:linear"))
    assert rule.words() == "h by linear is above h by projection:linear. Contradicted if it is below it."
    assert Collapses("a", "b", sign="loss").needs("linear") == (("a", "knn"), ("b", "knn"), ("a", "loss"))
    assert Agrees(tuple("abcdefgh"), "linear", "rankme").names() == tuple("abcdefgh")
    assert Above("a", "b").needs("linear") == (("a", "linear"), ("b", "linear"))


def test_small_numbers_show_two_digits_of_their_interval():
    assert (signed(2.94, 1.62), number(1.62, 1.62)) == ("+2.9", "1.6")
    assert (signed(-0.2504, 0.0132), number(0.0132, 0.0132)) == ("-0.250", "0.013")
    assert signed(-0.01, 1.0) == "+0.0"
