"""Every figure file of reports/papers: what it asks for can be planned, what it claims can turn out false, and the paper's own points are
what its rules call reproduced."""

import ast
import csv
import inspect
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import methods
from bench import suites
from bench.commands.figure_scales import spec_of
from bench.data import catalogue
from bench.data.dataset import DataSet
from bench.plan import recipes, step
from bench.plan.complete import complete
from bench.suites import cifar10, demo
from places import ROOT
from reports import papers
from reports.claims.figure import FLOORS, Figure, Records, Scale
from reports.claims.judge import asked, learned_at, rules_at
from reports.claims.measures import parse
from reports.claims.points import Point, Points
from reports.claims.rules import CONTRADICTED, REPRODUCED, Agrees, At, Reorders, Within
from reports.papers import _rates

FIGURES = papers.names()
SLOW = {"gpu", "paper"}
"""Scales whose encoders take a while to build."""
SCALES = [
    pytest.param(name, scale, marks=[pytest.mark.slow] if scale in SLOW else []) for name in FIGURES for scale in papers.load(name).scales
]
CSV = ROOT / "reports/reference/figures.csv"
SEEDS = range(5)

SHAPE_ONLY = {
    *("encoder_ranks", "jigsaw_shortcut", "label_free_predictors", "moco_shuffle_bn", "multi_task", "pcl_prototypes"),
    *("pirl_invariance", "random_rescaled", "simclr_head"),
    "transfer_ranks",
}
"""Figures without a published point: none was found in a text, or none that two sources agree on."""


def rows() -> list[dict[str, str]]:
    """Of figures.csv."""
    with CSV.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def place(x) -> float | str:
    """A place on an axis: a number where it is written as one."""
    try:
        return float(x)
    except ValueError:
        return x


def published(name: str) -> dict[str, float]:
    """Arm -> the paper's number in the figure's own unit, of arms that have one."""
    figure = papers.load(name)
    found = {(row["series"], place(row["x"])): float(row["y"]) for row in rows() if row["figure"] == name and row["unit"] == figure.unit}
    arms = {arm: found.get((its.series, place(its.x))) for arm, its in figure.arms.items()}
    return {arm: value for arm, value in arms.items() if value is not None}


def without_files(dataset: str) -> DataSet:
    """A known set as a plan sees it where its files are not."""
    entry = catalogue.entry(dataset)
    # How many images are left in train once val is taken is known of labels alone.
    sizes = {split: count or 20_000 for split, count in entry.sizes.items()}
    return DataSet(replace(entry, revision=entry.revision or "0" * 12, sizes=sizes), ROOT / "nowhere")


def as_points(figure: Figure, values: dict[str, float]) -> Points:
    """Each arm's number as five seeds around it, with a deviation of 0.3 that is of no arm's making; whatever the measure."""
    generator = np.random.default_rng(0)
    points = {}
    for arm, value in values.items():
        noise = generator.standard_normal(len(SEEDS))
        points[arm] = Point(dict(zip(SEEDS, value + 0.3 * (noise - noise.mean()) / noise.std(ddof=1), strict=True)))
    return Points(figure.measure, lambda arm, by: points[arm])


@pytest.mark.parametrize("name", FIGURES)
def test_a_file_is_a_docstring_and_one_figure(name):
    text = (ROOT / f"reports/papers/{name}.py").read_text()
    tree, figure = ast.parse(text), papers.load(name)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    assert isinstance(figure, Figure) and re.fullmatch(r"(arXiv:\d{4}\.\d{5}|doi:\S+)", figure.paper)
    assert figure.claim.endswith(".") and figure.place and figure.axis
    # The first sentence is what a list shows: who, where, what.
    assert re.search(r"\((.* )?\d{4}, (arXiv|doi):[^)]*\)", papers.summary(name)), papers.summary(name)
    # Numbers of papers are in figures.csv alone. Those of one digit and those without a point may be settings.
    numbers = {row["y"] for row in rows() if row["figure"] == name and re.fullmatch(r"\d\d\.\d+", row["y"])}
    assert not [number for number in numbers if re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", text)]


@pytest.mark.parametrize("name", FIGURES)
def test_every_arm_is_run_and_every_rule_is_of_arms_that_a_scale_runs(name):
    figure = papers.load(name)
    assert set().union(*(figure.arms_at(scale) for scale in figure.scales)) == set(figure.arms)
    for rule in figure.rules:
        assert set(rule.names()) <= set(figure.arms) and "ontradicted" in rule.words()
        assert any(rule in rules_at(figure, scale) for scale in figure.scales)
        for _, measure in rule.needs(figure.measure, figure.own):
            parse(measure)
    assert set(figure.learned) <= set(figure.arms)
    for scale, chosen in figure.scales.items():
        assert rules_at(figure, scale) and set(chosen.arms or ()) <= set(figure.arms)
        assert chosen.differs.endswith(".") and chosen.cost
        # A gate is missing only where the claim is of orders or of the untrained encoders themselves.
        ungated = all(isinstance(rule, Agrees | Reorders) for rule in figure.rules) or name == "random_rescaled"
        assert bool(learned_at(figure, scale)) != ungated
    places = [(arm.series, str(arm.x), arm.encoder) for arm in figure.arms.values()]
    assert len(set(places)) == len(places) or name == "label_free_predictors"


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_every_arm_of_a_scale_can_be_completed_or_is_in_its_suite(name, scale, monkeypatch):
    """Without a first step of each, which a plan makes: that would take minutes for all of them."""
    figure = papers.load(name)
    chosen = figure.scales[scale]
    if isinstance(chosen, Records):
        for arm in figure.arms_at(scale).values():
            wanted = (arm.method, arm.encoder or chosen.encoder, dict(arm.hyper_parameters))
            runs = suites.load(chosen.suite).runs
            assert len({run.seed for run in runs if (run.method, run.encoder, run.hyper_parameters) == wanted}) >= 3
        return
    monkeypatch.setattr(step, "step_on_paper", lambda *_: step.Step(0, 0, 0))
    built, data, found = {}, without_files(chosen.dataset), {}
    assert len(set(chosen.seeds)) >= 3
    for arm_name, arm in asked(figure, scale).items():
        spec = complete(spec_of(arm, chosen, 0), data=data, built=built)
        assert spec.precision == chosen.precision
        if chosen.recipe_name and arm_name in figure.arms:
            theirs = recipes.published()[arm.method]
            batch = arm.recipe.get("batch_size", theirs.recipe["batch_size"])
            assert (spec.recipe.batch_size, spec.image_size, spec.encoder) == (batch, theirs.image_size, theirs.closest)
        if arm_name in figure.arms:
            found.setdefault(arm.series, []).append((spec.id, arm.measure))
    assert all(len(set(ids)) == len(ids) for ids in found.values())


@pytest.mark.parametrize("name", FIGURES)
def test_evaluators_of_a_scale_measure_what_the_rules_read(name):
    figure = papers.load(name)
    for scale, chosen in figure.scales.items():
        evals = chosen.evals if isinstance(chosen, Scale) else suites.load(chosen.suite).evals
        read = {measure for rule in rules_at(figure, scale) for _, measure in rule.needs(figure.measure, figure.own)}
        read |= {figure.gate_measure or figure.own.get(arm, figure.measure) for arm in (*learned_at(figure, scale), *figure.arms_at(scale))}
        signs = {sign for rule in rules_at(figure, scale) if (sign := getattr(rule, "sign", None))}
        for where in map(parse, read | signs):
            if not isinstance(where, str):
                asked_for = ":".join(part for part in (where.evaluator, where.dataset, where.argument) if part)
                assert asked_for in evals, (scale, asked_for)


def test_two_figures_that_ask_for_one_run_share_it():
    """The settings of label_free_predictors are those of other figures."""
    figure = papers.load("label_free_predictors")
    chosen = figure.scales["cpu"]
    others = [papers.load(name) for name in ("simclr_temperature", "moco_momentum", "moco_queue", "vicreg_terms", "vicreg_width")]
    theirs = {other.scales["cpu"].spec(arm, 0).canonical() for other in others for arm in other.arms_at("cpu").values()}
    assert {chosen.spec(arm, 0).canonical() for arm in figure.arms.values()} == theirs


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['figure']} {row['series']} {row['x']}")
def test_a_published_point_has_a_source_and_a_unit(row):
    assert row["figure"] in FIGURES and row["x"] and math.isfinite(float(row["y"]))
    assert re.search(r"(arXiv:\d{4}\.\d{5}|doi:\S+|github:\S+)", row["source"]) and len(row["source"]) > 25
    assert row["confidence"] in ("paper", "copy", "by eye") and row["unit"].endswith("%")


def test_published_points_are_of_figures_and_stand_once():
    keys = [(row["figure"], row["series"], row["x"], row["unit"]) for row in rows()]
    assert len(set(keys)) == len(keys)
    having = {row["figure"] for row in rows()}
    assert set(FIGURES) - having == SHAPE_ONLY
    for name in having:
        assert papers.load(name).unit in {row["unit"] for row in rows() if row["figure"] == name}
    assert all(not papers.load(name).unit for name in SHAPE_ONLY)


def judged() -> list[tuple[str, int]]:
    """(figure, place of its rule), of rules all of whose arms have a published point, by the measure that stands for it."""
    found = []
    for name in FIGURES:
        figure, known = papers.load(name), published(name)
        for place_, rule in enumerate(figure.rules):
            own = not any(isinstance(its, At) for its in rule.places())
            if own and not isinstance(rule, Agrees) and set(rule.names()) <= set(known):
                found.append((name, place_))
    return found


@pytest.mark.parametrize(("name", "place_"), judged())
def test_the_papers_own_points_are_reproduced_and_their_reverse_is_contradicted(name, place_):
    figure, known = papers.load(name), published(name)
    rule = figure.rules[place_]
    assert rule.judge(as_points(figure, known)).verdict == REPRODUCED
    # That two are alike is alike in reverse.
    if not isinstance(rule, Within):
        ends = max(known.values()) + min(known.values())
        assert rule.judge(as_points(figure, {arm: ends - value for arm, value in known.items()})).verdict == CONTRADICTED


def test_most_figures_are_judged_by_their_papers_points():
    assert {name for name, _ in judged()} == {
        *("byol_batch_augmentations", "byol_target_decay", "denoising_level", "dino_teacher", "few_labels", "mae_masking", "moco_momentum"),
        *("npid_negatives", "rotnet_rotations", "simclr_augmentations", "simclr_temperature", "simclr_width", "simsiam_stop_gradient"),
        *("split_brain", "swav_multicrop", "vicreg_terms", "vicreg_width"),
    }


def test_rates_are_those_that_searches_on_val_found():
    assert {name: changes["lr"] for name, changes in _rates.CIFAR10.items()}.items() <= cifar10.CHOSEN["resnet8"].items()
    assert {name: changes["lr"] for name, changes in _rates.CIFAR10_VIT.items()}.items() <= cifar10.CHOSEN["vit_nano"].items()
    for name, changes in _rates.MNIST5K.items():
        if name not in demo.CHOSEN:
            assert changes == _rates.CIFAR10[name]
            continue
        signature = inspect.signature(methods.load(name).__init__).parameters
        settings = {key: its.default for key, its in signature.items() if its.kind is its.KEYWORD_ONLY} | _rates.MNIST5K_SETTINGS.get(
            name, {}
        )
        chosen = {key: value for key, value in demo.CHOSEN[name].items() if key != "lr"}
        assert changes == {"lr": demo.CHOSEN[name]["lr"]}
        # What a figure's arms set is not taken from the search: supervised training's padding is the method's own.
        assert chosen.items() <= settings.items() or name == "supervised"


def test_floors_are_no_arms_but_where_they_are_the_claim():
    assert {name for name in FIGURES for arm in papers.load(name).arms.values() if arm.method in FLOORS} == {"random_rescaled"}


def test_the_page_on_adding_a_figure_is_followed(monkeypatch):
    """docs/add_a_figure.md's file is a figure like ours: it is written as they are, and its runs can be completed."""
    text = (ROOT / "docs/add_a_figure.md").read_text()
    (saved,) = re.findall(r"Save it as `([^`]+)`", text)
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert (ROOT / saved).parent == papers.FIGURES.folder and not (ROOT / saved).exists()
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["check"], ["format", "--check"]):
        command = [ruff, *arguments, "--stdin-filename", saved, "-"]
        ended = subprocess.run(command, cwd=ROOT, input=block, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    found = {}
    exec(compile(block, saved, "exec"), found)
    figure = found["FIGURE"]
    monkeypatch.setattr(step, "step_on_paper", lambda *_: step.Step(0, 0, 0))
    data, built = without_files("mnist5k"), {}
    runs = {complete(figure.scales["cpu"].spec(arm, 0), data=data, built=built).id for arm in asked(figure, "cpu").values()}
    assert len(runs) == len(figure.arms) + len(FLOORS) and rules_at(figure, "cpu") == figure.rules
    alike = dict.fromkeys(figure.arms, 70.0)
    assert figure.rules[0].judge(as_points(figure, alike)).verdict == REPRODUCED
    assert figure.rules[0].judge(as_points(figure, alike | {"32": 60.0})).verdict == CONTRADICTED
