"""Five learning rates of every trained method on each of two encoders, measured on val alone: for a CIFAR-10 suite.

What is searched around, and with which recipe, is in cifar10.py.
"""

import methods
from bench.suites import Suite
from bench.suites._rates import ADAPTIVE, BASE_LR, LR_FACTORS, times
from bench.suites.cifar10 import run, setting

ENCODERS = ("resnet8", "vit_nano")

METHODS = (
    "supervised",
    "simclr",
    "byol",
    "moco",
    "dino",
    "swav",
    "mae",
    "npid",
    "pcl",
    "rotation",
    "colorization",
    "deepcluster",
    "denoising_ae",
    "multi_task",
)
"""Searched, and run, before the others: the families side by side first, completeness after."""

FACTORS = (*LR_FACTORS, 0.3)
"""0.3 joined, for all methods alike, when the lowest of the four was the best of six of the first thirteen."""


def suite() -> Suite:
    """The trials of METHODS, then those of all others, then what VIT_RECIPE was introduced for."""
    others = [method for method in BASE_LR if method not in METHODS]
    runs = [
        run(method, encoder, 0, **setting(method, encoder, factor=factor))
        for group in (METHODS, others)
        for encoder in ENCODERS
        for factor in FACTORS
        for method in group
        if methods.can_use(method, encoder)
    ]
    runs += [
        run(method, "vit_nano", 0, lr=times(factor, BASE_LR[method])) for factor in FACTORS for method in METHODS if method not in ADAPTIVE
    ]
    return Suite(tuple(runs), ("validation",), "results/cifar10_search")
