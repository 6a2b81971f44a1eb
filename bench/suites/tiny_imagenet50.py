"""Tiny ImageNet at 64 pixels: the tasks that are made of patches, which have little room on CIFAR-10, beside their contrastive peers."""

from bench.spec import Budget, RunSpec
from bench.suites import cifar10
from bench.suites.suite import SEEDS, Suite

BUDGET = Budget("flops", 1.2e13)
"""Four times CIFAR-10's, as an image of 64 pixels costs: as many images, and steps, of each method as there."""

PATCH_TASKS = ("relative_patch", "jigsaw", "counting", "context_encoder", "cpc", "pirl")

PEERS = ("supervised", "simclr", "moco", "rotation")


def run(method: str, seed: int, changes: dict | None = None, **hyper_parameters) -> RunSpec:
    """A run of the suite, in float32 as CIFAR-10's."""
    facts = {"dataset": "tiny_imagenet50", "encoder": "resnet8", "image_size": 64, "budget": BUDGET, "precision": "float32"}
    return RunSpec(method=method, seed=seed, hyper_parameters=hyper_parameters, recipe_changes=changes or {}, **facts)


def setting(method: str) -> dict:
    """CIFAR-10's learning rate for a ResNet: nothing is searched here, for no method."""
    return cifar10.setting(method, "resnet8", cifar10.CHOSEN["resnet8"][method])


def suite() -> Suite:
    """Six patch tasks, four peers and random features on 50 classes of Tiny ImageNet at an equal FLOPs budget, three seeds: hours on two
    cores."""
    runs = []
    for seed in SEEDS:
        runs += [run(method, seed, setting(method)) for method in (*PATCH_TASKS, *PEERS)]
        # Patches that are not normalised one by one tell their place by their brightness: the shortcut that the paper warns of.
        runs += [run("jigsaw", seed, setting("jigsaw"), normalise=False), run("random", seed)]
    return Suite(tuple(runs), ("knn", "linear", "stages", "label_free"), "results/tiny_imagenet50")
