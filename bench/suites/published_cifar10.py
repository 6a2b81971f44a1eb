"""What EMP-SSL's authors print for one and for ten epochs of CIFAR-10 with a ResNet-18, at their settings as far as these are known: two
days of one core.

Theirs (README of tsb0601/EMP-SSL@8fc3758; reports/reference/published.csv), linear accuracy: after 1 epoch SimCLR 28.2, BYOL 24.9, VICReg
40.6, SwAV 24.5, ReSSL 24.5, EMP-SSL with 20 patches 80.6; after 10 epochs SimCLR 56.5, VICReg 69.7. `report` holds them against ours in
met.md, with what differs.

Where the five come from is not said. Their authors thank solo-learn, whose README has 92.58 and 92.07 for BYOL and VICReg after 1000
epochs, which they print as 92.6 and 92.1; so the settings are solo-learn's files for CIFAR-10 at 37aa39a, the last before the paper
(scripts/pretrain/cifar). There the learning rate rises for 10 epochs (solo/methods/base.py), and so through all of 1 and of 10 epochs, be
they runs of their own or points of longer ones. solo-learn's own number is of a classifier that learns beside the method; ours read the
encoder when it is done. So untrained features stand here too: what lies below those was no measure of an encoder.

Hours of one core with bfloat16 in hardware, by SimCLR's 31 images/s there (other methods by their FLOPs): an epoch of SimCLR, VICReg or
SwAV 27 min, of BYOL 36, of ReSSL 18, of EMP-SSL 4.7 h; ten epochs 4.5 h. With three seeds, one of EMP-SSL:
- 1 epoch of the five: 7 h; 10 epochs of two: 27 h; EMP-SSL: 5 h;
- evaluation, which takes crops of 50,000 images five times over: 30 min a run, 12 h; of EMP-SSL's 16 patches of each image 8 h, so that
  it is better made on a GPU.
EMP-SSL comes last, and before it the ten epochs: a suite that is stopped has all seeds of what it has.
"""

from typing import Any

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

NAME = "published_cifar10"

ENCODER = "resnet18"
"""Up to 64 pixels it has theirs: a 3x3 convolution of stride 1, no pooling (solo/methods/base.py; model/model.py of EMP-SSL)."""

RISE = 10
"""Epochs for which the learning rate rises (solo/methods/base.py)."""

ALL_THE_WAY = 0.999
"""Warm-up of a run that ends before RISE is over."""

LARC = {"optimizer": "lars", "eta": 0.02, "clip_trust": True, "exclude": ("bias", "norm")}
"""Of the four files that have lars."""

SETTINGS = {
    "simclr": (
        {"temperature": 0.2, "projection": 256, "color_strength": 1.0, "blur": 0.5},  # simclr.yaml; augmentations/symmetric.yaml
        {**LARC, "lr": 0.4, "weight_decay": 1e-4},  # simclr.yaml
    ),
    "byol": ({}, {**LARC, "lr": 1.0, "weight_decay": 1e-5}),  # byol.yaml; augmentations/asymmetric.yaml has our defaults
    "vicreg": ({"projection": 2048, "crop_min": 0.2}, {**LARC, "lr": 0.3, "weight_decay": 1e-4}),  # vicreg.yaml
    "swav": (
        # swav.yaml: without small crops; prototypes are frozen for 2 epochs, and a queue is used from the 51st on.
        {"local_crops": 0, "area_split": 0.08, "prototypes": 3000, "hidden": 2048, "queue": 0, "frozen": 1.0},
        {**LARC, "lr": 0.6, "weight_decay": 1e-6},
    ),
    "ressl": (
        {"queue": 65536, "projection": 256, "hidden": 4096, "bn_groups": 1, "crop_min": 0.08},  # ressl.yaml; solo/methods/ressl.py
        {"lr": 0.05, "weight_decay": 1e-4},  # ressl.yaml
    ),
}
"""Hyper-parameters, and changes to the recipe, for a learning rate that has risen. All have batches of 256, momentum of 0.9."""

EMP_SSL = (
    {"patches": 20, "scale": 1.0, "hidden": 4096, "projection": 1024},  # README.md; loss.py; model/model.py
    # main.py. Of 30 epochs of a cosine (README.md) the first is as good as constant.
    {"lr": 0.3, "weight_decay": 1e-4, "clip_trust": True, "schedule": "constant"},
)

LONGER = ("simclr", "vicreg")
"""Of which there are ten epochs too."""


def run(method: str, seed: int, epochs: float, hyper_parameters: dict, recipe_changes: dict) -> RunSpec:
    """A run of the suite on all 50,000 images, as theirs; in bfloat16, which is not theirs (16-mixed; float32 of EMP-SSL)."""
    facts: dict[str, Any] = {"dataset": "cifar10", "encoder": ENCODER, "precision": "bf16", "pretrain_split": "train+val"}
    settings: dict[str, Any] = {"hyper_parameters": dict(hyper_parameters), "recipe_changes": dict(recipe_changes)}
    return RunSpec(method=method, seed=seed, budget=Budget("epochs", epochs), **facts, **settings)


def risen(method: str, epochs: int) -> tuple[dict, dict]:
    """The settings of at most RISE epochs: through all of them the learning rate rises, to so much of what RISE of them come to."""
    hyper_parameters, changes = SETTINGS[method]
    return hyper_parameters, {**changes, "lr": round(changes["lr"] * epochs / RISE, 10), "warmup": ALL_THE_WAY}


def suite() -> Suite:
    """One epoch of all, seed by seed, with untrained features; then ten epochs; EMP-SSL last."""
    runs = [run("random", seed, 1, {}, {}) for seed in SEEDS]
    runs += [run(method, seed, 1, *risen(method, 1)) for seed in SEEDS for method in SETTINGS]
    runs += [run(method, seed, 10, *risen(method, 10)) for seed in SEEDS for method in LONGER]
    runs.append(run("emp_ssl", SEEDS[0], 1, *EMP_SSL))
    return Suite(tuple(runs), ("knn", "linear", "linear_sgd", "label_free"), f"results/{NAME}")
