"""The runs of cifar10 at seeds that no search has seen, 1, 2 and 3: what its learning rates, chosen at seed 0, are worth elsewhere.

Seeds 1 and 2 are runs of cifar10 itself, with its ids, so their records need only be copied into this suite's folder; so are the floors of
which nothing is drawn, which have seed 0. Left are the runs of seed 3, 63 of 3 TFLOP: an hour and a half of one core, evaluation on top.
"""

from bench.suites import Suite
from bench.suites.cifar10 import EVALS, runs_at

SEEDS = (1, 2, 3)


def suite() -> Suite:
    """All of cifar10 at these seeds."""
    return Suite(runs_at(SEEDS), EVALS, "results/cifar10_new_seeds")
