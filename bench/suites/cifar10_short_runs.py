"""Five methods as they are and as cifar10_short_search found them for short runs, side by side at seeds 1, 2 and 3, with resnet8: what a
teacher that keeps pace, BatchNorm in a head and codes without a queue are worth in forty to a hundred steps.

The methods as they are and the floors are runs of cifar10_new_seeds by their ids, so their records need only be copied into this suite's
folder. Left are 15 runs of 3 TFLOP: ten minutes of two cores.
"""

from bench.suites import Suite, cifar10_new_seeds
from bench.suites.cifar10 import EVALS, FLOORS
from bench.suites.cifar10_short_search import ENCODER, VARIANTS, varied

CHOSEN: dict[str, tuple[dict, float]] = {
    "byol": ({"half_life": 0.01}, 13.5),
    "moco": ({"half_life": 0.01}, 0.3),
    "dino": ({"head_norm": True, "half_life": 0.01}, 0.0015),
    "simdino": ({"head_norm": True, "half_life": 0.01}, 0.015),
    "swav": ({"queue": 0, "epsilon": 0.03, "local_crops": 0, "color_strength": 0.5}, 18.0),
}
"""By method what is varied, one of VARIANTS, and the learning rate: the best linear accuracy on val, kNN breaking ties. Against the
method as it is each had five or ten more trials. The highest rate that was tried: byol, simdino and swav."""


def suite() -> Suite:
    """The methods as they are, what does not train, and the variants, seed by seed."""
    beside = {*VARIANTS, *FLOORS, "pixels", "supervised"}
    runs = [run for run in cifar10_new_seeds.suite().runs if run.encoder == ENCODER and run.method in beside]
    runs += [varied(method, variant, seed, lr=lr) for seed in cifar10_new_seeds.SEEDS for method, (variant, lr) in CHOSEN.items()]
    return Suite(tuple(runs), EVALS, "results/cifar10_short_runs")
