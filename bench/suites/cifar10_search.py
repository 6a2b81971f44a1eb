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

OTHERS = (
    "autoencoder",
    "barlow_twins",
    "context_encoder",
    "counting",
    "cpc",
    "deepcluster_v2",
    "exemplar",
    "jigsaw",
    "moco_v1",
    "nnclr",
    "pirl",
    "relative_patch",
    "simsiam",
    "split_brain",
    "vicreg",
)
"""Searched after them."""

NEWEST = (
    *("lejepa", "moco_v3", "supcon", "dcl", "ressl", "resa", "mmcr", "tico", "frossl", "vibcreg", "w_mse", "fastsiam", "visreg"),
    *("all4one", "essl", "simdino", "emp_ssl"),
    *("simmim", "ijepa", "ibot", "data2vec", "msn", "dinov2"),
)
"""Of 2020 and later, which joined last: reported by cifar10_new_seeds alone, at seeds that this search has not seen."""

FACTORS = (*LR_FACTORS, 0.3)
"""0.3 joined, for all methods alike, when the lowest of the four was the best of six of the first thirteen."""


def suite() -> Suite:
    """The trials of METHODS, of OTHERS and of NEWEST, then what VIT_RECIPE was introduced for."""
    runs = [
        run(method, encoder, 0, **setting(method, encoder, factor=factor))
        for group in (METHODS, OTHERS, NEWEST)
        for encoder in ENCODERS
        for factor in FACTORS
        for method in group
        if methods.can_use(method, encoder)
    ]
    runs += [
        run(method, "vit_nano", 0, lr=times(factor, BASE_LR[method])) for factor in FACTORS for method in METHODS if method not in ADAPTIVE
    ]
    return Suite(tuple(runs), ("validation",), "results/cifar10_search")
