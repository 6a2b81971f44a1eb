"""Seven methods and three yardsticks on 3,600 real digits at an equal FLOPs budget, three seeds: minutes on two cores.

The settings are those that demo_search.py found.
"""

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

BUDGET = Budget("flops", 2e12)
"""About 15 s of one core a run with a small ResNet: 17,500 images of SimCLR, 35,000 of supervised training."""

CHOSEN = {
    "byol": {"lr": 13.5, "momentum": 0.99},
    "denoising_ae": {"lr": 0.003, "noise": "masking"},
    "dino": {"lr": 0.015, "momentum": 0.9},
    "moco": {"lr": 0.3, "momentum": 0.99},
    "npid": {"lr": 0.03, "temperature": 0.5},
    "rotation": {"lr": 0.3, "padding": 4},
    "simclr": {"lr": 3.0, "crop_min": 0.2},
    "supervised": {"lr": 1.0, "padding": 2},
}
"""Of each method the trial with the highest linear accuracy on val, kNN breaking ties; records in results/demo_search, which a
test compares. Most learning rates are far above the recipes' because a run is 30 to 140 steps long; byol and dino took the
largest that was tried."""


def run(method: str, seed: int, precision: str, lr: float | None = None, **hyper_parameters) -> RunSpec:
    """A run of the demo: small, so that all of them take minutes."""
    changes = {} if lr is None else {"lr": lr}
    facts = {"dataset": "mnist5k", "budget": BUDGET, "precision": precision, "recipe_changes": changes}
    return RunSpec(method=method, seed=seed, hyper_parameters=hyper_parameters, **facts)


def suite() -> Suite:
    """Every method with what was found for it, and the floors."""
    # In float32: the same runs on every processor, and quick on those without bfloat16. The search was made in bfloat16.
    # Floors first: they are evaluated while the first methods train.
    settings = {"pixels": {}, "random": {}, **CHOSEN}
    runs = [run(method, seed, "float32", **setting) for seed in SEEDS for method, setting in settings.items()]
    return Suite(tuple(runs), ("knn", "linear", "transfer:digits", "label_free"), "results/demo")
