"""Every method with a tiny ViT on CIFAR-10 at 3 TFLOP, three seeds that no search has seen: an hour of one core,
and a day for the search.

The other encoder of cifar10_budgets, at the budget that settings are searched at; `report cifar10_budgets --beside cifar10_vit` has both in
one table. Where a method's own recipe is of SGD or LARS, what it is searched around is the AdamW of cifar10.py, for every method alike;
settings are what `tune cifar10_vit` found, in the file beside this one, and a method that was tuned stands beside itself as it is.

Hours of one quiet core with bfloat16 in hardware (about 10 s for a TFLOP), 52 methods: the search 15 and its second round 7; this suite
1.3, and the tuned methods as they are as much again. Evaluation on top.
"""

import methods
from bench.spec import RunSpec
from bench.suites import Suite
from bench.suites._rates import BASE_LR
from bench.suites._tuned import Setting, read
from bench.suites.cifar10 import setting
from bench.suites.cifar10_budgets import FLOORS, SEARCHED_AT, SEEDS
from bench.suites.cifar10_budgets import run as on_resnet8

NAME = "cifar10_vit"

ENCODER = "vit_nano"

METHODS = tuple(name for name in BASE_LR if methods.can_use(name, ENCODER))


def run(method: str, seed: int, chosen: Setting | None = None) -> RunSpec:
    """A run of the suite, as it is or as it was chosen."""
    made = on_resnet8(method, SEARCHED_AT, seed).replace(encoder=ENCODER)
    changes = setting(method, ENCODER) if method in METHODS else {}
    if chosen is None:
        return made.replace(recipe_changes=changes)
    return made.replace(recipe_changes={**changes, **chosen.recipe_changes}, hyper_parameters=chosen.hyper_parameters)


def runs(chosen: dict[tuple[str, str], Setting]) -> tuple[RunSpec, ...]:
    """All of it, by these settings."""
    found = [run(method, seed, chosen.get((method, ENCODER))) for seed in SEEDS for method in METHODS]
    tuned = [method for method in METHODS if (method, ENCODER) in chosen and any(chosen[method, ENCODER].settings.values())]
    found += [run(method, seed) for seed in SEEDS for method in tuned]
    found += [run(method, seed) for seed in SEEDS for method in FLOORS]
    return (*found, run("pixels", SEEDS[0]))


def suite() -> Suite:
    """By what was chosen so far; and every method as it is, for `tune` to search around."""
    defaults = tuple(run(method, SEEDS[0]) for method in METHODS)
    return Suite(runs(read(NAME)), ("knn", "linear", "label_free"), f"results/{NAME}", defaults)
