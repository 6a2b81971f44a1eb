"""The suites: what they list, and that the demo's settings are what its search found."""

import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import methods
from bench import suites
from bench.commands.report import newest_versions, size_units
from bench.commands.tuning import require_apart
from bench.data import catalogue
from bench.encoders import factory
from bench.errors import UserError
from bench.evaluation import registry
from bench.method import build
from bench.plan.complete import complete
from bench.plan.plan import make_plan
from bench.records.record import unpack
from bench.records.store import ResultStore
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from bench.suites import (
    cifar10,
    cifar10_budgets,
    cifar10_finetuned,
    cifar10_frozen,
    cifar10_new_seeds,
    cifar10_search,
    cifar10_short_runs,
    cifar10_short_search,
    cifar10_vit,
    demo,
    demo_search,
    moco_demo,
    published_cifar10,
    tiny_imagenet50,
)
from bench.suites._rates import ADAPTIVE, BASE_LR, LR_FACTORS, times
from bench.suites._tuned import Setting
from bench.training.optim import lr_at
from places import ROOT
from reports.pages import agreement, differences, leaderboard, published
from reports.tables.build import build as build_tables
from reports.tables.rank_correlation import FEWEST
from reports.tables.statistics import interval

WITH_RECORDS = ("cifar10", "cifar10_new_seeds", "cifar10_short_runs", "tiny_imagenet50", "text", "time")


@pytest.fixture(scope="module")
def built():
    """What the runs of one suite have tried on paper, for those of the next: a search has the methods and encoders of its suite."""
    return {}


@pytest.mark.parametrize(
    ("name", "root"), [pytest.param(name, None if name.startswith("demo") else "real", marks=pytest.mark.data) for name in suites.names()]
)
def test_every_run_of_a_suite_can_be_completed_and_is_listed_once(name, root, request, built):
    root = root and request.getfixturevalue("real_root")
    runs = suites.load(name).runs
    ids = [complete(run, root, built=built).id for run in runs if run.seed == runs[0].seed]
    assert len(set(ids)) == len(ids)
    # Left open, it would be decided by the machine that plans, and its report would look for other runs.
    assert all(run.precision for run in suites.load(name).runs)
    assert suites.summary(name)


def test_a_file_of_the_folder_is_a_suite():
    assert suites.names() == [
        *("cifar10", "cifar10_200epochs", "cifar10_20epochs", "cifar10_budgets", "cifar10_finetuned", "cifar10_frozen"),
        *(
            "cifar10_new_seeds",
            "cifar10_search",
            "cifar10_short_runs",
            "cifar10_short_search",
            "cifar10_vit",
            "demo",
            "demo_search",
            "moco_demo",
            "published_cifar10",
            "text",
            "time",
            "tiny_imagenet50",
        ),
    ]
    assert all(suites.load(name).results == f"results/{name}" for name in suites.names())
    with pytest.raises(UserError, match=r"unknown suite 'demo1'. Did you mean 'demo'\?  All suites: run_bench.py list suites"):
        suites.load("demo1")


def test_suites_are_listed_without_importing_any():
    code = "import sys; from bench import suites; [suites.summary(n) for n in suites.names()]; assert 'bench.spec' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_demo_has_what_was_searched_for_it_and_the_floors_three_seeds_each():
    runs = suites.load("demo").runs
    assert {run.method for run in runs} == {*demo_search.SEARCHED, "pixels", "random"} == {*demo.CHOSEN, "pixels", "random"}
    assert len({run.seed for run in runs}) == 3 and len({run.budget for run in runs}) == 1


def test_base_learning_rates_are_the_recipes():
    assert set(BASE_LR) == {name for name in methods.takers("images") if methods.load(name).trained}
    for name, lr in BASE_LR.items():
        encoder = next(encoder for encoder in cifar10_search.ENCODERS if methods.can_use(name, encoder))
        with torch.device("meta"):
            own = build(methods.load(name), factory.factory(encoder, 32), DatasetInfo(100, 32), 10, {})
        assert own.recipe.lr == lr, name
        assert (own.recipe.optimizer in ("adam", "adamw")) == (name in ADAPTIVE), name


def test_the_search_gave_each_method_as_many_trials_and_never_read_test():
    suite = suites.load("demo_search")
    counts = {method: sum(run.method == method for run in suite.runs) for method in demo_search.SEARCHED}
    assert set(counts.values()) == {2 * len(LR_FACTORS)} and suite.evals == ("validation",)


@pytest.mark.slow
def test_the_committed_search_is_of_the_runs_that_are_planned_now():
    """Their ids are made anew: what moves one leaves its record behind."""
    suite = suites.load("demo_search")
    assert not make_plan(list(suite.runs), suite.evals, ResultStore(f"{ROOT}/results/demo_search")).todo


def test_the_demos_settings_are_the_best_of_the_committed_search():
    store = ResultStore(f"{ROOT}/results/demo_search")
    found = {}
    for record in newest(store.records()):
        method, recipe = record.spec["method"], record.spec["recipe"]
        name = demo_search.SEARCHED[method][0]
        values = {result.metric: result.value for result in record.results}
        setting = {"lr": recipe["lr"], name: record.spec["hyper_parameters"][name]}
        found.setdefault(method, []).append((values["linear_top1"], values["knn_top1"], json.dumps(setting)))
    assert not store.problems
    assert all(len(trials) == 2 * len(LR_FACTORS) for trials in found.values())
    best = {method: json.loads(max(trials)[2]) for method, trials in found.items()}
    assert best == demo.CHOSEN


def test_the_settings_on_cifar10_are_the_best_of_the_committed_search():
    store = ResultStore(f"{ROOT}/results/cifar10_search")
    found, newest = {}, {}
    for record in sorted(store.records(), key=lambda record: record.started):
        # A trial that diverged was made as well, and has no accuracy.
        values = {"linear_top1": -1.0, "knn_top1": -1.0} | {result.metric: result.value for result in record.results}
        trial = (values["linear_top1"], values["knn_top1"], record.spec["recipe"]["lr"])
        if record.spec["encoder"] == "vit_nano" and record.spec["recipe"]["optimizer"] not in ("adam", "adamw"):
            continue  # before there was VIT_RECIPE
        trials, version = found.setdefault(record.spec["encoder"], {}), record.spec["method_version"]
        if newest.setdefault((record.spec["encoder"], record.spec["method"]), version) != version:
            trials[record.spec["method"]] = []  # what came before was of a method as it was then
            newest[record.spec["encoder"], record.spec["method"]] = version
        trials.setdefault(record.spec["method"], []).append(trial)
    assert not store.problems
    for encoder, chosen in (*cifar10.CHOSEN.items(), *cifar10_new_seeds.NEWEST.items()):
        assert all(len(found[encoder][method]) == len(cifar10_search.FACTORS) for method in chosen)
        assert {method: max(found[encoder][method])[2] for method in chosen} == chosen


def test_every_trained_method_is_searched_and_the_newest_are_not_in_cifar10():
    searched = (*cifar10_search.METHODS, *cifar10_search.OTHERS)
    assert sorted(searched) == sorted({method for chosen in cifar10.CHOSEN.values() for method in chosen})
    assert sorted((*searched, *cifar10_search.NEWEST)) == sorted(BASE_LR)
    assert {run.method for run in suites.load("cifar10_search").runs} == set(BASE_LR)


def test_what_is_varied_for_short_runs_has_as_many_trials_as_all_others_and_reads_no_test():
    suite = suites.load("cifar10_short_search")
    assert suite.evals == ("validation",) and {run.seed for run in suite.runs} == {0}
    rates = {(run.method, str(run.hyper_parameters)): set() for run in suite.runs}
    for run in suite.runs:
        rates[run.method, str(run.hyper_parameters)].add(run.recipe_changes["lr"])
        assert run.hyper_parameters.keys() <= inspect.signature(methods.load(run.method)).parameters.keys()
    assert rates == {
        (method, str(variant)): {times(factor, BASE_LR[method]) for factor in cifar10_search.FACTORS}
        for method, variants in cifar10_short_search.VARIANTS.items()
        for variant in variants
    }


def test_the_variants_that_are_reported_are_the_best_of_the_committed_search():
    store, found = ResultStore(f"{ROOT}/results/cifar10_short_search"), {}
    for record in store.records():
        values = {result.metric: result.value for result in record.results}
        method, hyper_parameters = record.spec["method"], record.spec["hyper_parameters"]
        # The one with the most that is varied of those that the record has.
        variant = max((its for its in cifar10_short_search.VARIANTS[method] if its.items() <= hyper_parameters.items()), key=len)
        trial = (values["linear_top1"], values["knn_top1"], record.spec["recipe"]["lr"])
        found.setdefault(method, []).append((trial, variant))
    assert not store.problems and sum(map(len, found.values())) == len(suites.load("cifar10_short_search").runs)
    for method, chosen in cifar10_short_runs.CHOSEN.items():
        (_, _, lr), variant = max(found[method], key=lambda trial: trial[0])
        assert (variant, lr) == chosen
    beside = [run for run in suites.load("cifar10_short_runs").runs if run.method in found]
    assert all({run.seed for run in beside if run.method == name} == {1, 2, 3} and len(beside) == 30 for name in found)


def test_the_further_evaluations_are_of_runs_at_seeds_that_chose_nothing():
    """The same ids: where a checkpoint of one suite is left the other is not trained again."""
    there = [run for run in cifar10_new_seeds.suite().runs if run.encoder == "resnet8"]
    frozen, finetuned = cifar10_frozen.suite(), cifar10_finetuned.suite()
    left_out = [(run.method, run.seed) for run in there if run not in frozen.runs]
    assert left_out == [("pca", 2), ("pca", 3), ("pixels", 0)], "of PCA nothing is drawn"
    assert all(run in there for run in (*frozen.runs, *finetuned.runs)) and len(set(map(RunSpec.canonical, finetuned.runs))) == 33
    assert {run.method for run in finetuned.runs[:24]} == {*cifar10_finetuned.FIRST, *cifar10_finetuned.REFERENCES}
    methods_of = {run.method for run in finetuned.runs if methods.load(run.method).trained and run.method != "supervised"}
    assert len(methods_of) == FEWEST, "of fewer agreement.md says nothing"
    assert all(len({run.seed for run in finetuned.runs if run.method == name}) == 3 for name in methods_of | {"random", "supervised"})


@pytest.mark.parametrize("suite", [cifar10_frozen, cifar10_finetuned])
def test_every_evaluator_of_the_further_evaluations_has_a_set_that_serves_it(suite):
    for request in suite.EVALS:
        name, _ = registry.parse(request)
        kind, entry = registry.annotation(name), catalogue.entry(registry.target(request) or "cifar10")
        assert kind in (None, *entry.annotations), request
        assert set(registry.splits(name)) <= set(entry.sizes), request
        assert entry.one_class or kind or registry.takes_sets(name), request


def test_a_suite_that_lists_a_run_twice_is_refused(tmp_path):
    run = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1))
    with pytest.raises(UserError, match=r"random seed 0 .* is listed twice"):
        make_plan([run, run.replace(encoder="resnet8")], ("knn",), ResultStore(tmp_path))


def test_the_second_pca_has_as_many_components_as_the_encoder_has_features():
    runs = [run for run in suites.load("cifar10").runs if run.method == "pca" and run.hyper_parameters]
    assert [run.encoder for run in runs] == list(cifar10.CHOSEN)
    for run in runs:
        with torch.device("meta"):
            width = factory.factory(run.encoder, 32)().dim
        assert run.hyper_parameters == {"components": width}


def test_budgets_are_an_axis_for_methods_of_every_kind_at_seeds_that_nothing_searched():
    suite = suites.load("cifar10_budgets")
    names = set(cifar10_budgets.METHODS)
    able = {name for name in methods.names() if methods.load(name).trained and methods.can_use(name, "resnet8")}
    assert names <= able and len(names) == 12
    kinds = {methods.load(name).family for name in able}
    assert {methods.load(name).family for name in names} == kinds, "each kind that the encoder can carry is there"
    for amount in (1e12, 3e12, 1e13, 3e13):
        at = [run for run in suite.runs if run.budget.amount == amount]
        assert {run.method for run in at} == names | {"random", "random_rescaled", "pixels"}
        assert all(len({run.seed for run in at if run.method == name}) == 3 for name in names)
    require_apart("cifar10_budgets", suite)
    assert {run.seed for run in suite.runs} & {run.seed for run in suites.load("cifar10_search").runs} == set()
    assert {(run.method, run.budget.amount) for run in suite.defaults} == {(name, 3e12) for name in names}


def test_new_seeds_are_cifar10_without_the_seed_that_was_searched():
    new, old = (suites.load(name) for name in ("cifar10_new_seeds", "cifar10"))
    drawn = [run for run in new.runs if run.method not in ("pca", "pixels") or run.seed]
    searched = {run.seed for run in suites.load("cifar10_search").runs}
    assert {run.seed for run in drawn} & searched == set() and new.evals == old.evals
    both = [run for run in new.runs if run.method not in cifar10_search.NEWEST]
    known = {run.canonical() for run in old.runs}
    assert {run.seed for run in both if run.canonical() not in known} == {3}, "all others have records"
    kinds = [{run.replace(seed=0).canonical() for run in runs} for runs in (both, old.runs)]
    assert kinds[0] == kinds[1] and len(both) == len(old.runs)
    for encoder, rates in cifar10_new_seeds.NEWEST.items():
        assert set(rates) == {name for name in cifar10_search.NEWEST if methods.can_use(name, encoder)}
        assert all({run.seed for run in new.runs if (run.method, run.encoder) == (name, encoder)} == {1, 2, 3} for name in rates)


def test_a_method_that_was_tuned_stands_beside_itself_where_it_was_searched():
    facts = {"dataset": "cifar10", "encoder": "resnet8", "budget": "3e+12flops", "val": 50.0, "default": 49.0, "trials": 24}
    tuned = Setting(method="simclr", hyper_parameters={"temperature": 0.2}, recipe_changes={"lr": 3.0}, **facts)
    as_it_is = Setting(method="byol", hyper_parameters={}, recipe_changes={}, **facts)
    made = cifar10_budgets.runs({("simclr", "resnet8"): tuned, ("byol", "resnet8"): as_it_is})
    plain = cifar10_budgets.runs({})
    assert len(made) == len(plain) + 3 and len({run.canonical() for run in made}) == len(made)
    of_tuned = [(run.budget.amount, run.recipe_changes) for run in made if run.method == "simclr" and run.seed == 1]
    assert sorted(of_tuned, key=str) == sorted([*((amount, {"lr": 3.0}) for amount in cifar10_budgets.BUDGETS), (3e12, {})], key=str)
    assert [run for run in made if run.method == "byol"] == [run for run in plain if run.method == "byol"]


def test_a_run_is_at_a_setting_where_it_has_all_of_it():
    facts = {"dataset": "cifar10", "encoder": "resnet8", "budget": "3e+12flops", "val": 50.0, "default": 49.0, "trials": 24}
    tuned = Setting(method="simclr", hyper_parameters={"temperature": 0.2}, recipe_changes={"lr": 3.0}, **facts)
    run = RunSpec(method="simclr", dataset="cifar10", budget=Budget("steps", 1), hyper_parameters={"temperature": 0.2, "grey": 0.1})
    assert tuned.is_at(run.replace(recipe=Recipe("lars", lr=3.0)))
    assert not tuned.is_at(run.replace(recipe=Recipe("lars", lr=1.0)))
    assert not tuned.is_at(run.replace(recipe=Recipe("lars", lr=3.0), hyper_parameters={"temperature": 0.5}))
    # What came later is not in a run that has its default.
    late = Setting(method="byol", hyper_parameters={"half_life": 0.0}, recipe_changes={}, **facts)
    other = Setting(method="byol", hyper_parameters={"half_life": 0.2}, recipe_changes={}, **facts)
    byol = run.replace(method="byol", hyper_parameters={"hidden": 4096})
    assert late.is_at(byol) and not other.is_at(byol)
    halved = byol.replace(hyper_parameters={"half_life": 0.2})
    assert other.is_at(halved) and not late.is_at(halved)


def test_the_other_encoder_has_the_methods_seeds_and_budget_that_are_beside_it_and_one_optimizer_for_all():
    runs = suites.load("cifar10_vit").runs
    beside = [run for run in suites.load("cifar10_budgets").runs if run.budget.amount == cifar10_budgets.SEARCHED_AT]
    names = {name for name in methods.names() if methods.load(name).trained and methods.can_use(name, "vit_nano")}
    assert {run.method for run in runs} == names | {"random", "random_rescaled", "pixels"} > {run.method for run in beside} != set()
    assert {run.encoder for run in runs} == {"vit_nano"} and {(run.budget, run.seed, run.precision) for run in runs} == {
        (run.budget, run.seed, run.precision) for run in beside
    }
    assert {run.recipe_changes.get("optimizer") for run in runs if run.method in names - set(ADAPTIVE)} == {"adamw"}
    require_apart("cifar10_vit", suites.load("cifar10_vit"))
    facts = {"dataset": "cifar10", "encoder": "vit_nano", "budget": "3e+12flops", "val": 50.0, "default": 49.0, "trials": 24}
    tuned = Setting(method="simclr", hyper_parameters={"temperature": 0.2}, recipe_changes={"lr": 3.0}, **facts)
    made = [run for run in cifar10_vit.runs({("simclr", "vit_nano"): tuned}) if run.method == "simclr"]
    assert sorted(run.recipe_changes["lr"] for run in made) == [5e-4] * 3 + [3.0] * 3
    assert all(run.recipe_changes["optimizer"] == "adamw" for run in made)


def test_the_learning_rate_rises_through_one_and_ten_published_epochs_as_it_would_through_the_first_of_many():
    """solo-learn's warm-up is of 10 epochs, whatever the length: after one the rate is a tenth of the file's."""
    runs = suites.load("published_cifar10").runs
    assert {(run.pretrain_split, run.encoder, run.budget.unit) for run in runs} == {("train+val", "resnet18", "epochs")}
    after = {}
    for run in runs:
        if run.method in published_cifar10.SETTINGS:
            recipe = replace(Recipe("sgd", lr=1.0), **run.recipe_changes)
            after[run.method, run.budget.amount] = lr_at(recipe, 0.998999)
    files = {"simclr": 0.4, "byol": 1.0, "vicreg": 0.3, "swav": 0.6, "ressl": 0.05}
    assert after == pytest.approx({(name, epochs): files[name] * epochs / 10 for name, epochs in after}, rel=1e-4)
    assert {method for method, epochs in after if epochs == 10} == {"simclr", "vicreg"}
    seeds = {name: sum(run.method == name and run.budget.amount == 1 for run in runs) for name in (*files, "random", "emp_ssl")}
    assert seeds == {**dict.fromkeys((*files, "random"), 3), "emp_ssl": 1}


def test_the_first_epochs_of_mocos_demo_are_at_its_settings_and_end_at_a_point_of_its_curve():
    curve = [point for point in published.load()[1] if point["title"] == "MoCo CIFAR-10 demo"]
    facts = {(point["method"], point["encoder"], point["batch_size"], point["schedule"]) for point in curve}
    assert facts == {("moco", "ResNet-18 (3x3 stem)", "512", "cosine")}
    runs = [run for run in suites.load("moco_demo").runs if run.method == "moco"]
    assert {run.budget for run in runs} == {Budget("epochs", moco_demo.EPOCHS)} and len({run.seed for run in runs}) == len(runs) == 3
    assert {"1", str(moco_demo.EPOCHS)} <= {point["epoch"] for point in curve}
    with torch.device("meta"):
        own = build(methods.load("moco"), factory.factory("resnet18", 32), DatasetInfo(100, 32), 10, {})
    recipe = replace(own.recipe, **runs[0].recipe_changes)
    assert (recipe.batch_size, lr_at(recipe, 0.0), lr_at(recipe, 0.999)) == (512, pytest.approx(0.06), pytest.approx(0.06))
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 5e-4)


def test_tiny_imagenet_has_the_steps_and_learning_rates_of_cifar10():
    runs = suites.load("tiny_imagenet50").runs
    chosen = cifar10.CHOSEN["resnet8"]
    assert all(run.recipe_changes["lr"] == chosen[run.method] for run in runs if not run.method.startswith("random"))
    plain = [run for run in runs if run.method == "jigsaw" and not run.hyper_parameters]
    variants = [run for run in runs if run.hyper_parameters == {"normalise": False}]
    assert [(run.seed, run.recipe_changes) for run in plain] == [(run.seed, run.recipe_changes) for run in variants]
    assert tiny_imagenet50.BUDGET.amount == (64 / 32) ** 2 * cifar10.BUDGET.amount


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("cifar10")) for name in WITH_RECORDS])
def test_the_committed_pages_are_those_of_the_committed_records(name, tmp_path):
    """What `report --results results/cifar10 --output docs/cifar10` writes."""
    frame = ResultStore(f"{ROOT}/results/{name}").frame()
    tables = build_tables(frame, *newest_versions(), size_units())
    leaderboard.write(tables, tmp_path)
    differences.write(tables, tmp_path)
    agreement.write(tables, tmp_path)
    published.write(tables, tmp_path, frame, {name: catalogue.entry(name).sizes for name in catalogue.names()}, newest_versions())
    committed = Path(ROOT, "docs", name)
    pages = {path.name for path in committed.iterdir()}
    assert {"leaderboard.md", "differences.md"} < pages
    for page in (page for page in pages if not page.endswith(".svg")):  # a figure's bytes are its matplotlib's too
        assert (committed / page).read_bytes() == (tmp_path / page).read_bytes(), f"{page} is not what the records give"
    if name == "cifar10":
        assert "published.md" in pages and any(page.startswith("families-") for page in pages)


def test_the_readme_shows_the_first_ten_at_seeds_that_no_search_has_seen_and_all_that_does_not_rank():
    page, readme = (Path(ROOT, path).read_text() for path in ("docs/cifar10_new_seeds/leaderboard.md", "README.md"))
    rows = re.search(r"^\| .*?(?=\n\n)", page, re.M | re.S)[0].splitlines()
    ranked = [row for row in rows if re.match(r"\|\s*\d", row)]
    assert len(ranked) > 40
    assert "\n".join(row for row in rows if row not in ranked[10:]) in readme


def test_the_page_of_200_epochs_is_that_of_its_record(tmp_path):
    """README's command on a GPU: one run of no suite."""
    store = ResultStore(f"{ROOT}/results/cifar10_200epochs")
    frame = store.frame()
    tables = build_tables(frame, *newest_versions())
    leaderboard.write(tables, tmp_path)
    published.write(tables, tmp_path, frame, {name: catalogue.entry(name).sizes for name in catalogue.names()}, newest_versions())
    for page in Path(ROOT, "docs", "cifar10_200epochs").iterdir():
        assert page.read_bytes() == (tmp_path / page.name).read_bytes(), f"{page} is not what the record gives"
    (record,) = store.records()
    assert record.status == "done" and record.environment["dirty"] is False and record.hardware["gpu"]


VARIED = ("normalise", "components", "half_life", "head_norm", "queue", "epsilon", "local_crops", "color_strength")
"""Hyper-parameters in which runs of one method differ within a suite."""


def name_of(dataset, method, encoder, seed, hyper_parameters, **rest):
    """What tells the runs of a suite apart, as planned and as recorded with every default filled in: (row, seed)."""
    defaults = {name: its.default for name, its in inspect.signature(methods.load(method)).parameters.items()}
    return (dataset, method, encoder, *((defaults | hyper_parameters).get(name) for name in VARIED)), seed


@pytest.mark.parametrize("name", WITH_RECORDS)
def test_the_committed_records_are_those_of_the_suite(name):
    """One of each run that the suite lists and of no other, from code that was committed."""
    suite = suites.load(name)
    listed = {name_of(**vars(run)): run for run in suite.runs}
    found = newest(ResultStore(f"{ROOT}/results/{name}").records())
    records = {name_of(**record.spec): record for record in found}
    assert records.keys() >= listed.keys() and len(found) == len(records)
    further = [record.spec["method"] for key, record in records.items() if key not in listed]
    assert set(further) <= {"pca"}, "of which another seed is the same once more"
    for key, run in listed.items():
        record = records[key]
        assert record.status == "done" and set(record.evals) == set(suite.evals)
        assert record.spec["budget"]["amount"] == run.budget.amount and not record.environment["dirty"]
        assert not run.recipe_changes or record.spec["recipe"]["lr"] == run.recipe_changes["lr"]


def test_word_vectors_are_so_far_above_bert_as_the_readme_says():
    """Two encoders, so two tables: no page compares them."""
    found = {}
    for record in ResultStore(f"{ROOT}/results/text").records():
        (linear,) = (result for result in record.results if (result.evaluator, result.metric) == ("linear", "top1"))
        found[record.spec["method"], record.spec["seed"]] = linear.value, unpack(linear.correct, linear.n).astype(float)
    values, right = zip(
        *([of - to for of, to in zip(found["skip_gram", seed], found["bert", seed], strict=True)] for seed in (0, 1, 2)), strict=True
    )
    said = f"{np.mean(values):.1f} ± {interval(np.array(values), np.array(right)):.1f} below skip_gram"
    assert said in " ".join(Path(ROOT, "README.md").read_text().split())


def newest(records):
    """Those of the methods as the code has them now."""
    return [
        record
        for record in records
        if record.spec["method_version"]
        == methods.version(record.spec["method"], methods.load(record.spec["method"]), record.spec["hyper_parameters"])
    ]


def test_jigsaw_learns_worse_without_the_normalisation_of_its_patches():
    """arXiv:1603.09246, on shortcuts. At the best stage, chosen on val; the task is not yet solved better by it in 275 steps. The direction
    alone: beside all other pairs of the table the two cannot be told apart."""
    best = {True: [], False: []}
    for record in newest(ResultStore(f"{ROOT}/results/tiny_imagenet50").records()):
        if record.spec["method"] == "jigsaw":
            (value,) = [r.value for r in record.results if (r.evaluator, r.metric, r.split) == ("stages", "top1", "test")]
            best[record.spec["hyper_parameters"]["normalise"]].append(value)
    assert len(best[True]) == len(best[False]) == 3 and sum(best[True]) > sum(best[False])
