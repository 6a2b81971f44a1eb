"""A figure's verdict from records: which number a measure is, the gate, and why nothing is judged. S seeds, n images."""

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import UserError
from bench.evaluation.evaluators import label_free
from bench.records.frame import tidy
from bench.records.record import Cost, Result, RunRecord, pack
from bench.spec import Budget, Recipe, RunSpec
from reports.claims.at_scale import look
from reports.claims.figure import Arm, Figure, Records, Scale
from reports.claims.judge import asked, judge, points_of
from reports.claims.measures import LABEL_FREE, Results, parse
from reports.claims.rules import Above, At, Collapses, Rises

N = 200

ARMS = {name: Arm("simclr", x=float(name), hyper_parameters={"temperature": float(name)}) for name in ("0.05", "0.1", "0.5", "1")}
SCALE = Scale("mnist5k", "20000images", cost="9 core-minutes", differs="the data", encoder="resnet8")
FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Table 5",
    claim="0.1 is better than 0.05",
    axis="temperature",
    measure="linear",
    arms=ARMS,
    rules=(Above("0.1", "0.05"),),
    scales={"cpu": SCALE, "records": Records("mine", "the data")},
    learned=("0.1",),
)
LEVELS = {"0.05": 80, "0.1": 90, "0.5": 85, "1": 84, "floor random": 60, "floor random_rescaled": 55}


def right_of(level: float, seed: int) -> np.ndarray:
    """[N] which images are right: the same difficulty for all, and the run's own luck."""
    difficulty = np.random.default_rng(0).permutation(N) + 20 * np.random.default_rng([seed, round(level)]).standard_normal(N)
    return difficulty < np.quantile(difficulty, level / 100)


def results(level: float, seed: int) -> tuple[Result, ...]:
    """Of one run: accuracies near `level`, and numbers without images."""

    def accuracy(evaluator, metric, its, dataset="mnist5k", split="test", weights=None, value=None):
        right = right_of(its, seed)
        value = 100 * float(right.mean()) if value is None else value
        facts = {"evaluator": evaluator, "dataset": dataset, "split": split, "metric": metric, "n": N, "weights": weights}
        return Result(**facts, value=value, correct=pack(right))

    draws = [accuracy("few_labels", f"top1_n20_draw{draw}", level - 20 - draw) for draw in range(1, 6)]
    mean = float(np.mean([draw.value for draw in draws]))
    return (
        accuracy("linear", "top1", level),
        accuracy("linear", "top1", level - 30, weights="teacher"),
        accuracy("knn", "top1", level - 4),
        accuracy("knn", "top1_k200_T0.1", level - 8),
        accuracy("transfer", "linear_top1", level - 10, dataset="digits"),
        accuracy("transfer", "knn_mean_per_class", level - 12, dataset="digits", value=level - 13.5),
        accuracy("projection", "linear_top1", level - 15),
        accuracy("stages", "stage2_top1", level - 1, split="val"),
        accuracy("stages", "top1", level + 1),
        Result(evaluator="few_labels", dataset="mnist5k", split="test", metric="top1_n20", value=mean, n=N),
        *draws,
        Result(evaluator="label_free", dataset="mnist5k", split="train", metric="rankme", value=level / 10 + seed, n=N),
        Result(evaluator="projection", dataset="mnist5k", split="train", metric="rankme", value=level / 20 + seed, n=N),
    )


def record(arm: Arm, level: float, seed: int, status="done", **changes) -> RunRecord:
    spec = RunSpec(
        method=arm.method, seed=seed, dataset="mnist5k", budget=Budget("images", 20000), encoder="resnet8", image_size=28,
        precision="float32", method_version="1", data_revision="abc", recipe=Recipe("sgd", lr=0.1),
        hyper_parameters={**arm.hyper_parameters},
    )  # fmt: skip
    spec = replace(spec, **changes)
    curve = ((0.5, 9.0), (0.95, 2.0), (1.0, 1.0 + level)) if arm.method == "simclr" else ()
    done = status == "done"
    return RunRecord(
        id=spec.id, spec=spec.to_json(), suite="mine", status=status, evals=("linear", "knn") if done else (),
        cost=Cost(steps=78, images=20000, flops=2e12, seconds=15.0), results=results(level, seed) if done else (), loss_curve=curve,
        error=None if done else "NaN loss at step 12", trained=arm.method == "simclr",
    )  # fmt: skip


@pytest.fixture
def store():
    """Makes records by arm and seed: their frame, and the ids of the runs."""

    def put(figure=FIGURE, levels=LEVELS, seeds=SCALE.seeds, without=(), **changes):
        made, runs = [], {}
        for name, arm in asked(figure, "cpu").items():
            for seed in seeds:
                if (name, seed) not in without:
                    one = record(arm, levels[name], seed, **changes.get(f"{name} {seed}", {}))
                    made.append(([(1, one)], [one]))
                    runs.setdefault(name, {})[seed] = one.id
        return tidy(made), runs

    return put


def verdict_of(figure, frame, runs, scale="cpu"):
    return judge(figure, scale, points_of(figure, scale, frame, runs))


def test_a_point_is_what_the_measure_names(store):
    """Every way of writing one: the value, and whether images are counted."""
    frame, runs = store()
    points = points_of(FIGURE, "cpu", frame, runs)
    for measure, level, images in (
        ("linear", 90, "mnist5k test 200"),
        ("knn", 86, "mnist5k test 200"),
        ("knn:top1_k200_T0.1", 82, "mnist5k test 200"),
        ("transfer:digits", 80, "digits test 200"),
        ("projection:linear", 75, "mnist5k test 200"),
        ("stages", 91, "mnist5k test 200"),
        ("stages:2", 89, "mnist5k val 200"),
    ):
        point = points.of(At("0.1", measure))
        assert point.values == {seed: 100 * right_of(level, seed).mean() for seed in range(5)}, measure
        assert (point.correct == np.stack([right_of(level, seed) for seed in range(5)])).all() and point.images == images
    for measure, values in (
        ("rankme", [9.0 + seed for seed in range(5)]),
        ("projection:rankme", [4.5 + seed for seed in range(5)]),
        ("loss", [46.5] * 5),
        ("images", [20000.0] * 5),
        ("transfer:digits:knn", [76.5] * 5),
    ):
        point = points.of("0.1", measure)
        assert list(point.values.values()) == pytest.approx(values) and point.correct is None, measure
    assert points.of("floor random", "loss").values == {}, "what is not trained has no loss"


def test_a_mean_of_draws_has_the_images_of_all_draws(store):
    frame, runs = store()
    point = points_of(FIGURE, "cpu", frame, runs).of("0.1", "few_labels:20")
    share = np.mean([right_of(70 - draw, 3) for draw in range(1, 6)], axis=0)
    assert point.correct[3] == pytest.approx(share) and point.values[3] == pytest.approx(100 * share.mean())


def test_the_own_draw_of_a_run_is_that_of_its_seed(store):
    """The one that a run on a few images of every class was trained on."""
    frame, runs = store(seeds=range(7))
    point = points_of(FIGURE, "cpu", frame, runs).of("0.1", "few_labels:20:own")
    draws = [1, 2, 3, 4, 5, 1, 2]
    assert point.values == {seed: 100 * right_of(70 - draw, seed).mean() for seed, draw in enumerate(draws)}
    assert (point.correct == np.stack([right_of(70 - draw, seed) for seed, draw in enumerate(draws)])).all()


def test_an_arm_is_judged_by_a_measure_of_its_own_and_may_be_trained_on_other_images(store):
    """The gate too: by the same measure of the floors."""
    own = {"0.1": replace(ARMS["0.1"], measure="few_labels:20:own"), "0.05": replace(ARMS["0.05"], measure="knn")}
    figure = replace(FIGURE, arms=ARMS | own, rules=(Above("0.1", "0.05"), Above("0.1", "0.05", measure="linear")))
    few = {f"0.05 {seed}": {"pretrain_split": "train/20"} for seed in SCALE.seeds}
    frame, runs = store(figure, **few)
    points = points_of(figure, "cpu", frame, runs)
    values = {(arm, by): list(points.of(arm, by).values.values()) for arm in ("0.1", "0.05", "0.5") for by in (None, "linear")}
    assert values["0.1", None] == pytest.approx([69, 68, 67, 66, 65]) and values["0.05", None] == pytest.approx([76] * 5)
    assert values["0.5", None] == values["0.5", "linear"] and values["0.1", "linear"] == pytest.approx([90] * 5)
    verdict = judge(figure, "cpu", points)
    assert [outcome.estimate for outcome in verdict.outcomes] == pytest.approx([-9, 10])
    (gate,) = verdict.gate
    assert gate.floor == "floor random" and gate.difference == pytest.approx(30)
    assert figure.judged_by == ("knn", "few_labels:20:own", "linear") and figure.gated_by == ("few_labels:20:own",)


def test_points_of_one_line_may_be_the_same_runs(store):
    twice = {"20": Arm("simclr", 20, measure="few_labels:20:own"), "all": Arm("simclr", 360, measure="linear")}
    figure = replace(FIGURE, arms=twice, rules=(Above("all", "20"),), learned=("20",))
    frame, runs = store(figure, levels=dict.fromkeys(twice, 90) | LEVELS, without=[("20", 4), ("all", 4)])
    shown = look("t", figure, "cpu", frame, runs, dict.fromkeys(asked(figure, "cpu"), SCALE.seeds))
    assert (shown.count, shown.total) == (14, 15) and shown.judged("all") == shown.cell("all", "linear") != shown.judged("20")


def test_seeds_are_in_order_and_each_has_its_own_images(store):
    """However the runs are handed over."""
    frame, runs = store()
    turned = {arm: dict(reversed(by_seed.items())) for arm, by_seed in runs.items()}
    one, other = (points_of(FIGURE, "cpu", frame, its).of("0.1") for its in (runs, turned))
    assert list(other.values.items()) == list(one.values.items()) and (other.correct == one.correct).all()


@pytest.mark.parametrize(
    "name, near",
    [
        ("liner", "linear"),
        ("rankne", "rankme"),
        ("projection:rankmee", "projection:rankme"),
        ("stages:last", "stages:2"),
        ("transfer:", "transfer"),
    ],
)
def test_an_unknown_measure_is_refused_with_the_nearest(name, near):
    with pytest.raises(UserError, match=f"unknown measure '{name}'. Did you mean '{near}"):
        parse(name)


def test_the_label_free_measures_are_those_of_the_evaluator():
    generator = np.random.default_rng(0)
    x, crops = generator.standard_normal((50, 8)), (generator.standard_normal((20, 8)), generator.standard_normal((20, 8)))
    assert {result.metric for result in label_free.measure("mnist5k", x, crops)} == set(LABEL_FREE)


def test_a_figure_is_reproduced_contradicted_or_undecided(store):
    frame, runs = store()
    found = verdict_of(FIGURE, frame, runs)
    assert found.word == "reproduced" and found.why == found.outcomes[0].words and "0.1 over 0.05 +10.0 ± " in found.why
    assert [(one.arm, one.floor, one.passed) for one in found.gate] == [("0.1", "floor random", True)]
    assert "0.1 beside floor random +30.0 ± " in found.gate[0].words
    turned = replace(FIGURE, rules=(Above("0.1", "0.05"), Above("0.05", "0.5")))
    assert verdict_of(turned, frame, runs).word == "contradicted"
    unsure = replace(FIGURE, rules=(Above("0.1", "0.05"), Above("0.5", "1")))
    assert verdict_of(unsure, frame, runs).word == "undecided"


def test_where_nothing_was_learned_nothing_is_judged_and_the_distance_is_said(store):
    """By the measure of the gate where it has its own, beside the better floor."""
    frame, runs = store(levels=LEVELS | {"floor random_rescaled": 89})
    found = verdict_of(FIGURE, frame, runs)
    assert found.word == "out of reach" and found.outcomes == ()
    assert found.why.startswith("not shown to have learned: 0.1 beside floor random_rescaled +1.0 ± ")
    assert verdict_of(replace(FIGURE, learned=()), frame, runs).word == "reproduced"
    assert verdict_of(replace(FIGURE, gate_measure="rankme"), frame, runs).gate[0].difference == pytest.approx(0.1)


def test_runs_that_are_missing_or_lost_are_said_and_nothing_is_judged(store):
    frame, runs = store(without=(("0.5", 2), ("0.5", 4)))
    found = verdict_of(FIGURE, frame, runs)
    assert (found.word, found.why, found.gate) == ("no verdict", "no run of 0.5, seeds 2, 4", ())
    frame, runs = store(without=(("floor random", 1),))
    assert verdict_of(FIGURE, frame, runs).why == "no run of floor random, seed 1"
    without_gate = replace(FIGURE, learned=())
    assert verdict_of(without_gate, frame, runs).word == "reproduced", "no floor is read"


def test_a_run_that_diverged_is_no_missing_run(store):
    frame, runs = store(**{"0.05 1": {"status": "diverged"}})
    found = verdict_of(FIGURE, frame, runs)
    assert (found.word, found.why) == ("no verdict", "0.05, seed 1, diverged: NaN loss at step 12")


def test_many_reasons_are_counted(store):
    frame, runs = store(seeds=(0, 1, 2), without=tuple((name, 1) for name in ARMS))
    found = verdict_of(FIGURE, frame, runs).why
    assert found == "no run of 0.05, seeds 1, 3, 4; no run of 0.1, seeds 1, 3, 4; no run of 0.5, seeds 1, 3, 4; and 3 more"


def test_fewer_than_three_seeds_give_no_verdict(store):
    figure = replace(FIGURE, scales={"cpu": replace(SCALE, seeds=(0, 1))})
    frame, runs = store(figure, seeds=(0, 1))
    assert verdict_of(figure, frame, runs).why == "2 seeds, and an interval needs 3"


def test_a_measure_that_runs_lack_is_said(store):
    frame, runs = store()
    found = verdict_of(replace(FIGURE, rules=(Above("0.1", "0.5", measure="stages:3"),)), frame, runs)
    assert found.word == "no verdict" and "no stages:3 of 0.1, seeds 0, 1, 2, 3, 4" in found.why


def test_of_records_every_arm_has_every_seed_that_any_has(store):
    frame, runs = store(seeds=(3, 5, 8), without=(("1", 5),))
    assert verdict_of(FIGURE, frame, runs, "records").why == "no run of 1, seed 5"
    frame, runs = store(seeds=(3, 5, 8))
    assert verdict_of(FIGURE, frame, runs, "records").word == "reproduced"


def test_records_of_another_protocol_or_set_are_refused(store):
    frame, runs = store(**{"0.5 2": {"protocol": 0}})
    found = verdict_of(FIGURE, frame, runs)
    assert (found.word, found.why) == ("no verdict", "0.5, seed 2, was measured by protocol 0, and this is 1")
    frame, runs = store(**{"0.5 2": {"data_revision": "other"}})
    found = verdict_of(FIGURE, frame, runs)
    assert found.why == "runs differ in data_revision: abc (0.05, seed 0), other (0.5, seed 2)"


def test_a_rule_of_arms_that_a_scale_does_not_run_is_left_to_the_others(store):
    figure = replace(FIGURE, scales={"cpu": replace(SCALE, arms=("0.05", "0.1"))}, rules=(Above("0.1", "0.05"), Rises(tuple(ARMS))))
    frame, runs = store(figure)
    found = verdict_of(figure, frame, runs)
    assert found.word == "reproduced" and found.rules == figure.rules[:1] and len(found.outcomes) == 1
    figure = replace(figure, rules=figure.rules[1:])
    assert verdict_of(figure, frame, runs).why == "no rule is about the arms of this scale"


def test_a_collapse_needs_the_floors_of_what_collapsed(store):
    figure = replace(FIGURE, rules=(Collapses("0.05", "0.1"),), learned=())
    frame, runs = store(figure, levels=LEVELS | {"0.05": 40}, without=(("floor random", 0),))
    assert verdict_of(figure, frame, runs).why == "no run of floor random, seed 0"
    frame, runs = store(figure, levels=LEVELS | {"0.05": 40})
    assert verdict_of(figure, frame, runs).word == "reproduced"


def test_results_of_other_weights_are_no_measure(store):
    frame, runs = store()
    assert (frame.weights == "teacher").any()
    assert Results(frame, runs["0.1"].values()).point(runs["0.1"], "linear").values[0] == 100 * right_of(90, 0).mean()
