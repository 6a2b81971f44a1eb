"""Suites: named lists of runs, as Python functions. A suite's records are a plan's, so a report on it shows these runs
and no others; two suites that ask for the same run share its record."""

from dataclasses import dataclass

from bench import encoders
from bench.errors import unknown
from bench.spec import Budget, RunSpec

SEEDS = (0, 1, 2)

DEMO_BUDGET = Budget("flops", 2e12)
"""About 15 s of one core a run with a small ResNet: 17,500 images of SimCLR, 35,000 of supervised training."""

SEARCHED = {
    "byol": ("momentum", (0.99, 0.9)),
    "denoising_ae": ("noise", ("masking", "gaussian")),
    "dino": ("momentum", (0.996, 0.9)),
    "moco": ("momentum", (0.99, 0.9)),
    "npid": ("temperature", (0.1, 0.5)),
    "rotation": ("padding", (4, 2)),
    "simclr": ("crop_min", (0.08, 0.2)),
    "supervised": ("padding", (4, 2)),
}
"""Besides its learning rate, what of each method is searched for the demo: as many trials for one as for another."""

LR_FACTORS = (1.0, 3.0, 10.0, 30.0)
"""On the learning rate of the method's own recipe."""

BASE_LR = {
    "autoencoder": 1e-3,
    "barlow_twins": 0.2,
    "byol": 0.45,
    "colorization": 1e-3,
    "context_encoder": 2e-3,
    "counting": 1e-4,
    "cpc": 2e-4,
    "deepcluster": 0.05,
    "deepcluster_v2": 0.3,
    "denoising_ae": 1e-3,
    "dino": 5e-4,
    "exemplar": 0.1,
    "jigsaw": 0.1,
    "mae": 1.5e-4,
    "moco": 0.03,
    "moco_v1": 0.03,
    "multi_task": 0.1,
    "nnclr": 0.3,
    "npid": 0.03,
    "pcl": 0.03,
    "pirl": 0.03,
    "relative_patch": 0.1,
    "rotation": 0.1,
    "simclr": 1.0,
    "simsiam": 0.03,
    "split_brain": 1e-3,
    "supervised": 0.1,
    "swav": 0.6,
    "vicreg": 0.5,
}
"""The learning rate of each method's own recipe; a test holds it against the methods."""


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


@dataclass(frozen=True)
class Suite:
    """Runs, the evaluators they are measured with, and where their records go by default."""

    runs: tuple[RunSpec, ...]
    evals: tuple[str, ...]
    results: str


def times(factor: float, lr: float) -> float:
    """A learning rate of a search as people write it: 0.3 and not 0.30000000000000004."""
    return round(factor * lr, 10)


def demo_run(method: str, seed: int, precision: str, lr: float | None = None, **hyper_parameters) -> RunSpec:
    """A run of the demo: small, so that all of them take minutes."""
    changes = {} if lr is None else {"lr": lr}
    facts = {"dataset": "mnist5k", "budget": DEMO_BUDGET, "precision": precision, "recipe_changes": changes}
    return RunSpec(method=method, seed=seed, hyper_parameters=hyper_parameters, **facts)


def demo() -> Suite:
    """Seven methods and three yardsticks on 3,600 real digits at an equal FLOPs budget, three seeds: minutes on two cores."""
    # In float32: the same runs on every processor, and quick on those without bfloat16. The search was made in bfloat16.
    # Floors first: they are evaluated while the first methods train.
    settings = {"pixels": {}, "random": {}, **CHOSEN}
    runs = [demo_run(method, seed, "float32", **setting) for seed in SEEDS for method, setting in settings.items()]
    return Suite(tuple(runs), ("knn", "linear", "transfer:digits", "label_free"), "results/demo")


def demo_search() -> Suite:
    """Eight settings of every trained method, measured on val alone: where the demo's settings come from."""
    runs = [
        demo_run(method, 0, "bf16", times(factor, BASE_LR[method]), **{name: value})
        for method, (name, values) in SEARCHED.items()
        for value in values
        for factor in LR_FACTORS
    ]
    return Suite(tuple(runs), ("validation",), "results/demo_search")


CIFAR10_BUDGET = Budget("flops", 3e12)
"""About 80 s of one core a run: 20,000 images of SimCLR with resnet8, 17,000 with vit_nano."""

CIFAR10_ENCODERS = ("resnet8", "vit_nano")

CIFAR10_METHODS = (
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

CIFAR10_LR_FACTORS = (*LR_FACTORS, 0.3)
"""0.3 joined, for all methods alike, when the lowest of the four was the best of six of the first thirteen."""


def cifar10_run(method: str, encoder: str, seed: int, **changes) -> RunSpec:
    """A run of the CIFAR-10 suite, in float32: the same on every processor, and quick on those without bfloat16."""
    facts = {"dataset": "cifar10", "encoder": encoder, "budget": CIFAR10_BUDGET, "precision": "float32"}
    return RunSpec(method=method, seed=seed, recipe_changes=changes, **facts)


ADAPTIVE = ("autoencoder", "colorization", "context_encoder", "counting", "cpc", "denoising_ae", "dino", "mae", "split_brain")
"""Methods whose own recipe is of Adam or AdamW; a test holds it against the methods."""

VIT_RECIPE = {"optimizer": "adamw", "weight_decay": 0.05, "warmup": 0.1}
"""What takes the place of SGD and LARS where the encoder is a ViT, for every method alike: AdamW and 0.05 as DeiT (arXiv:2012.12877,
table 9), warm-up of a tenth as MoCo v3 (arXiv:2104.02057: 40 of 300 epochs). Searched first with their own recipes, nine of fourteen
methods were best at the lowest of five learning rates, and supervised training (33.6 on val) no better than random features (33.8)."""

VIT_LR = 5e-4
"""The learning rate that is searched around with VIT_RECIPE, for 256 images: DINO's (arXiv:2104.14294)."""


def cifar10_setting(method: str, encoder: str, lr: float | None = None, factor: float = 1.0) -> dict:
    """Changes to the method's own recipe on this encoder: `lr`, or else the learning rate that is searched around times `factor`."""
    ours = encoder == "vit_nano" and method not in ADAPTIVE
    return {"lr": lr or times(factor, VIT_LR if ours else BASE_LR[method])} | (VIT_RECIPE if ours else {})


def cifar10_search() -> Suite:
    """Five learning rates of every trained method on each of two encoders, measured on val alone: for a CIFAR-10 suite."""
    others = [method for method in BASE_LR if method not in CIFAR10_METHODS]
    runs = [
        cifar10_run(method, encoder, 0, **cifar10_setting(method, encoder, factor=factor))
        for methods in (CIFAR10_METHODS, others)
        for encoder in CIFAR10_ENCODERS
        for factor in CIFAR10_LR_FACTORS
        for method in methods
        if encoders.can_use(method, encoder)
    ]
    # What VIT_RECIPE was introduced for.
    runs += [
        cifar10_run(method, "vit_nano", 0, lr=times(factor, BASE_LR[method]))
        for factor in CIFAR10_LR_FACTORS
        for method in CIFAR10_METHODS
        if method not in ADAPTIVE
    ]
    return Suite(tuple(runs), ("validation",), "results/cifar10_search")


CIFAR10_CHOSEN = {
    "resnet8": {
        "supervised": 0.1,
        "simclr": 10.0,
        "byol": 4.5,
        "moco": 0.9,
        "dino": 5e-4,
        "swav": 0.6,
        "npid": 0.009,
        "pcl": 0.09,
        "rotation": 0.1,
        "colorization": 0.01,
        "deepcluster": 0.5,
        "denoising_ae": 0.003,
        "multi_task": 0.03,
    },
    "vit_nano": {
        "supervised": 0.0015,
        "simclr": 0.0015,
        "byol": 0.0015,
        "moco": 0.0015,
        "dino": 0.015,
        "swav": 0.0015,
        "mae": 0.00045,
        "npid": 0.00015,
        "pcl": 0.00015,
        "rotation": 0.0015,
        "colorization": 0.0003,
        "deepcluster": 0.005,
        "denoising_ae": 0.0003,
        "multi_task": 5e-4,
    },
}
"""By encoder and method the learning rate with the highest linear accuracy on val, kNN breaking ties; records in
results/cifar10_search, which a test compares. Each is the best of five; npid and multi_task took the lowest that was tried with resnet8,
npid, pcl, colorization and denoising_ae with vit_nano, and dino the highest there."""

CIFAR10_FLOORS = ("random", "random_rescaled", "pca")


def cifar10() -> Suite:
    """Thirteen methods and five yardsticks on CIFAR-10 with a small ResNet and a tiny ViT at an equal FLOPs budget, three seeds: hours
    on two cores."""
    runs = [
        cifar10_run(method, encoder, seed, **cifar10_setting(method, encoder, lr))
        for seed in SEEDS
        for encoder, chosen in CIFAR10_CHOSEN.items()
        for method, lr in chosen.items()
    ]
    runs += [cifar10_run(method, encoder, seed) for method in CIFAR10_FLOORS for encoder in CIFAR10_CHOSEN for seed in SEEDS]
    # Of pixels nothing is drawn, so one seed says it all; last, since their evaluation takes longer than any run.
    runs += [cifar10_run("pixels", encoder, 0) for encoder in CIFAR10_CHOSEN]
    return Suite(tuple(runs), ("knn", "linear", "transfer:tiny_imagenet50", "transfer:dtd10", "label_free"), "results/cifar10")


SUITES = {"cifar10": cifar10, "cifar10_search": cifar10_search, "demo": demo, "demo_search": demo_search}


def names() -> list[str]:
    """Every suite, sorted."""
    return sorted(SUITES)


def load(name: str) -> Suite:
    """The suite, or a UserError with the nearest name."""
    if name not in SUITES:
        raise unknown("suite", name, SUITES, "All suites: run_bench.py list suites")
    return SUITES[name]()


def summary(name: str) -> str:
    """The first line of the suite's docstring."""
    return SUITES[name].__doc__.split("\n")[0]
