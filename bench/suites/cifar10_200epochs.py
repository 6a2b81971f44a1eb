"""Six methods with a ResNet-18 on 200 epochs of CIFAR-10 at the settings of lightly's benchmark, three seeds: for a GPU, on which a run
takes four minutes and more.

Theirs by kNN (k = 200) on test, the largest of 200 values: with batches of 512 BYOL 86.8, SimCLR 84.8, MoCo 84.7, SwAV 84.2, Barlow Twins
81.9, DINO 81.3 (the page of benchmarks of lightly-ai/lightly@e8d317fc; reports/reference/published.csv). Settings are
those of cifar10_benchmark.py beside that page, read at e93a49d. `report` holds one against the other in met.md.

What differs besides: views and losses are our methods' own: BYOL and Barlow Twins solarize a view, and jitter as their papers; SwAV's
jitter is of full strength; MoCo's loss is of one direction, theirs of both; Barlow Twins has a projector of three layers, theirs of two.
"""

from typing import Any

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

NAME = "cifar10_200epochs"

SGD = {"optimizer": "sgd", "lr": 0.12, "weight_decay": 5e-4, "warmup": 0, "batch_size": 512}
"""0.06 for 128 images, and so for each 256 twice that; a cosine. They decay every parameter."""

EVERYTHING = {"exclude": ()}

SETTINGS = {
    "byol": ({"hidden": 1024, "momentum": 0.99, "momentum_end": 0.99}, {**SGD, **EVERYTHING}),
    "moco": ({}, {**SGD}),
    "dino": (
        {"local_crops": 0, "outputs": 2048, "hidden": 2048, "head_norm": True, "momentum": 0.99, "momentum_end": 0.99},
        {**SGD, **EVERYTHING, "lr_per_batch": 256, "weight_decay_end": None, "clip_grad": None},
    ),
    "swav": (
        {"local_crops": 0, "queue": 0, "frozen": 0.0},
        {"optimizer": "adam", "lr": 2e-3, "weight_decay": 1e-6, "warmup": 0, "batch_size": 512},
    ),
    "barlow_twins": ({"projection": 2048, "scale": 1.0}, {**SGD, **EVERYTHING}),
    "simclr": ({}, SGD),  # the record that was there first, which spares biases and BatchNorm
}
"""Hyper-parameters, and changes to the recipe, in the order that they are run in."""


def suite() -> Suite:
    """Seed by seed, on all 50,000 images, as theirs."""
    facts: dict[str, Any] = {"dataset": "cifar10", "encoder": "resnet18", "precision": "bf16", "pretrain_split": "train+val"}
    runs = [
        RunSpec(method=method, seed=seed, budget=Budget("epochs", 200), hyper_parameters=hyper, recipe_changes=changes, **facts)
        for seed in SEEDS
        for method, (hyper, changes) in SETTINGS.items()
    ]
    return Suite(tuple(runs), ("knn", "linear", "label_free"), f"results/{NAME}")
