"""Six patch tasks, three peers and untrained features on 50 classes of Tiny ImageNet at an equal FLOPs budget, three seeds: hours on
two cores.

At 64 pixels: the tasks that are made of patches have little room on CIFAR-10. Beside them their contrastive peers.
"""

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite, cifar10

BUDGET = Budget("flops", 1.2e13)
"""Four times CIFAR-10's, as an image of 64 pixels costs: as many images, and steps, of each method as there."""

UNNORMALISED = {"normalise": False}
"""Jigsaw's patches as they are: they tell their places by their brightness, the shortcut that the paper warns of."""

ROWS = (
    ("random", {}),
    ("random_rescaled", {}),
    ("jigsaw", {}),
    ("jigsaw", UNNORMALISED),
    *((method, {}) for method in ("relative_patch", "context_encoder", "simclr", "counting", "cpc", "pirl")),
    *((method, {}) for method in ("supervised", "moco")),
)
"""(method, hyper-parameters), in the order that they are run in, three seeds of one before the next."""


def run(method: str, seed: int, hyper_parameters: dict) -> RunSpec:
    """A run of the suite, in float32 as CIFAR-10's, at CIFAR-10's learning rate for a ResNet: nothing is searched here, for no method."""
    facts = {"dataset": "tiny_imagenet50", "encoder": "resnet8", "image_size": 64, "budget": BUDGET, "precision": "float32"}
    lr = cifar10.CHOSEN["resnet8"].get(method)
    changes = cifar10.setting(method, "resnet8", lr) if lr else {}
    return RunSpec(method=method, seed=seed, hyper_parameters=hyper_parameters, recipe_changes=changes, **facts)


def suite() -> Suite:
    """Every row with every seed."""
    runs = [run(method, seed, hyper_parameters) for method, hyper_parameters in ROWS for seed in SEEDS]
    return Suite(tuple(runs), ("knn", "linear", "stages", "label_free"), "results/tiny_imagenet50")
