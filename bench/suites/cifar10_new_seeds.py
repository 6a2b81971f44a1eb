"""The runs of cifar10 at seeds that no search has seen, 1, 2 and 3, and with them the methods of 2020 and later that joined last.

What learning rates that were chosen at seed 0 are worth elsewhere. Of cifar10's methods seeds 1 and 2 are runs of cifar10 itself, with its
ids, so their records need only be copied into this suite's folder; so are the floors of which nothing is drawn, which have seed 0. Left are
their runs of seed 3, 63 of 3 TFLOP, and three of each of the newest with each encoder: two hours of two cores, evaluation with them, of
which emp_ssl, whose features are of 16 patches of every image, has half an hour.
"""

from bench.suites import Suite
from bench.suites.cifar10 import EVALS, runs_at, trained_at

SEEDS = (1, 2, 3)

NEWEST = {
    "resnet8": {
        "lejepa": 0.002,
        "moco_v3": 6.0,
        "supcon": 0.5,
        "dcl": 10.0,
        "ressl": 0.18,
        "resa": 3.0,
        "mmcr": 0.01,
        "tico": 2.0,
        "frossl": 0.3,
        "vibcreg": 0.9,
        "w_mse": 0.009,
        "fastsiam": 0.9,
        "visreg": 0.003,
        "all4one": 1.0,
        "essl": 0.06,
        "simdino": 0.015,
        "emp_ssl": 3.0,
    },
    "vit_nano": {
        "lejepa": 0.002,
        "moco_v3": 0.0015,
        "supcon": 0.0015,
        "dcl": 0.0015,
        "ressl": 0.00015,
        "resa": 0.0015,
        "mmcr": 0.003,
        "tico": 0.0015,
        "frossl": 0.0015,
        "vibcreg": 0.005,
        "w_mse": 0.003,
        "fastsiam": 0.0015,
        "visreg": 0.003,
        "all4one": 0.005,
        "essl": 0.0015,
        "simdino": 0.0015,
        "emp_ssl": 0.00015,
        "simmim": 0.003,
        "ijepa": 0.003,
        "ibot": 0.005,
        "data2vec": 0.006,
        "msn": 0.01,
        "dinov2": 0.006,
    },
}
"""As cifar10.CHOSEN, of cifar10_search.NEWEST: the best of five on val, at seed 0. The highest that was tried: fastsiam and simdino with
resnet8, simmim with vit_nano. The lowest: ressl and emp_ssl with vit_nano."""


def suite() -> Suite:
    """All of cifar10 at these seeds, then the newest."""
    return Suite((*runs_at(SEEDS), *trained_at(SEEDS, NEWEST)), EVALS, "results/cifar10_new_seeds")
