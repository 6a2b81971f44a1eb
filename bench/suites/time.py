"""Seven methods that learn from the order of time and three floors, on clips of traffic signs and of moving digits, at equal FLOPs, three
seeds: an hour or two of two cores.

Recipes are the methods' own: no rate of theirs has been searched. Features of clips that differ in direction and speed alone are measured
on moving_digits_direction and moving_digits_speed, the encoder of frames on CIFAR-10.
"""

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

BUDGET = Budget("flops", 6e12)
"""About a minute of two cores with a small ResNet."""

SETS = ("gtsrb_tracks", "moving_digits")

METHODS = (
    *("video_simclr", "time_contrastive", "time_cpc"),
    *("arrow_of_time", "odd_one_out", "shuffle_and_learn", "speed_prediction"),
)

EVALS = (
    *("knn", "linear", "few_labels:5", "frame_order", "label_free"),
    *("transfer:moving_digits_direction", "transfer:moving_digits_speed", "transfer:cifar10"),
)


def run(dataset: str, method: str, seed: int) -> RunSpec:
    """A run of the suite: all but its data set, method and seed is common to all."""
    return RunSpec(dataset=dataset, method=method, seed=seed, budget=BUDGET, encoder="frames_resnet8", precision="float32")


def suite() -> Suite:
    """Seed by seed; last the floors of which no seed decides anything, since their probes of 3,072 numbers take the longest."""
    runs = [run(dataset, method, seed) for seed in SEEDS for dataset in SETS for method in ("random", *METHODS)]
    runs += [run(dataset, method, SEEDS[0]) for dataset in SETS for method in ("one_frame", "frame_differences")]
    return Suite(tuple(runs), EVALS, "results/time")
