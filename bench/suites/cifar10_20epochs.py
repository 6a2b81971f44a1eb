"""Every method with a ResNet-18 on 20 epochs of CIFAR-10, three seeds, by its own recipe: for a GPU, on which a run of SimCLR takes under a
minute.

An equal number of images, not of FLOPs: what a method does with an epoch is part of it, and what it cost stands beside it. Nothing is
searched. `make gpu` runs it seed by seed, several runs to a card.
"""

import methods
from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite
from bench.suites._rates import BASE_LR

NAME = "cifar10_20epochs"

ENCODER = "resnet18"

FIRST = ("simclr", "byol", "moco", "dino", "swav", "barlow_twins", "vicreg", "mmcr", "simsiam", "supervised")
"""Run before the others, so that a card that is lent for minutes has compared what most tables compare."""

LAST = ("emp_ssl",)
"""As dear as ten others: 20 patches of every image."""

METHODS = (*FIRST, *(name for name in BASE_LR if name not in FIRST + LAST and methods.can_use(name, ENCODER)), *LAST)

FLOORS = ("random", "random_rescaled")


def suite() -> Suite:
    """Seed by seed, in bfloat16."""
    facts = {"dataset": "cifar10", "encoder": ENCODER, "budget": Budget("epochs", 20), "precision": "bf16"}
    runs = [RunSpec(method=method, seed=seed, **facts) for seed in SEEDS for method in (*METHODS, *FLOORS)]
    return Suite(tuple(runs), ("knn", "linear", "label_free"), f"results/{NAME}")
