"""A suite made tiny, to see whether it runs at all: SUITE@try.

shrunk(load("cifar10_20epochs"))    the same methods at the same settings, one seed, two steps of 16 digits each, with resnet8
"""

import methods
from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

ENDING = "@try"

BATCH = 16
"""Or as many as a method must have."""

BUDGET = Budget("steps", 2)

SIDE = 32
"""Pixels: of the 8 that digits have, patches are too small and no ViT can be made."""

RESULTS = "results/try"
"""Their accuracies say nothing: apart from all records that do."""


def shrunk(suite: Suite) -> Suite:
    """Of each method and setting one run, with the suite's evaluators; encoders that are made of tokens become the smallest ViT."""
    runs: dict[str, RunSpec] = {}
    for run in suite.runs:
        encoder = "vit_nano" if (run.encoder or "").startswith("vit") else "resnet8"
        small = {"dataset": "digits", "encoder": encoder, "image_size": SIDE, "precision": "float32", "pretrain_split": "train"}
        changes = {**run.recipe_changes, "batch_size": max(BATCH, methods.load(run.method).smallest_batch)}
        made = run.replace(**small, budget=BUDGET, seed=SEEDS[0], recipe_changes=changes)
        runs.setdefault(made.canonical(), made)
    return Suite(tuple(runs.values()), suite.evals, RESULTS)
