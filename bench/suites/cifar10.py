"""Every method with a small ResNet and with a tiny ViT, where it can use it, and the floors of both, on CIFAR-10 at an equal FLOPs
budget, three seeds: hours on two cores.

The two families side by side; the learning rates are those that cifar10_search.py found.
"""

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite
from bench.suites._rates import ADAPTIVE, BASE_LR, times

BUDGET = Budget("flops", 3e12)
"""About 80 s of one core a run: 20,000 images of SimCLR with resnet8, 17,000 with vit_nano."""


def run(method: str, encoder: str, seed: int, **changes) -> RunSpec:
    """A run of the CIFAR-10 suite, in float32: the same on every processor, and quick on those without bfloat16."""
    facts = {"dataset": "cifar10", "encoder": encoder, "budget": BUDGET, "precision": "float32"}
    return RunSpec(method=method, seed=seed, recipe_changes=changes, hyper_parameters=dict(SEARCHED.get(method, {})), **facts)


SEARCHED = {"multi_task": {"tasks": "rotation,npid"}}
"""What a method's default was when its learning rate was searched, where it is another one now."""


VIT_RECIPE = {"optimizer": "adamw", "weight_decay": 0.05, "warmup": 0.1}
"""What takes the place of SGD and LARS where the encoder is a ViT, for every method alike: AdamW and 0.05 as DeiT (arXiv:2012.12877,
table 9), warm-up of a tenth as MoCo v3 (arXiv:2104.02057: 40 of 300 epochs). Searched first with their own recipes, nine of fourteen
methods were best at the lowest of five learning rates, and supervised training (33.6 on val) no better than random features (33.8)."""

VIT_LR = 5e-4
"""The learning rate that is searched around with VIT_RECIPE, for 256 images: DINO's (arXiv:2104.14294)."""


def setting(method: str, encoder: str, lr: float | None = None, factor: float = 1.0) -> dict:
    """Changes to the method's own recipe on this encoder: `lr`, or else the learning rate that is searched around times `factor`."""
    ours = encoder == "vit_nano" and method not in ADAPTIVE
    return {"lr": lr or times(factor, VIT_LR if ours else BASE_LR[method])} | (VIT_RECIPE if ours else {})


CHOSEN = {
    "resnet8": {
        "supervised": 0.1,
        "simclr": 10.0,
        "byol": 4.5,
        "moco": 0.09,
        "dino": 5e-4,
        "swav": 0.6,
        "npid": 0.009,
        "pcl": 0.09,
        "rotation": 0.1,
        "colorization": 0.01,
        "deepcluster": 0.5,
        "denoising_ae": 0.003,
        "multi_task": 0.03,
        "simsiam": 0.9,
        "barlow_twins": 6.0,
        "vicreg": 5.0,
        "nnclr": 0.9,
        "moco_v1": 0.3,
        "cpc": 0.006,
        "pirl": 0.03,
        "deepcluster_v2": 9.0,
        "exemplar": 0.1,
        "relative_patch": 0.1,
        "jigsaw": 0.3,
        "counting": 0.001,
        "autoencoder": 0.003,
        "context_encoder": 0.006,
        "split_brain": 0.01,
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
        "pcl": 0.0015,
        "rotation": 0.0015,
        "colorization": 0.0003,
        "deepcluster": 0.00015,
        "denoising_ae": 0.0003,
        "multi_task": 5e-4,
        "autoencoder": 0.001,
        "barlow_twins": 0.0015,
        "context_encoder": 0.002,
        "counting": 3e-05,
        "cpc": 0.002,
        "deepcluster_v2": 5e-4,
        "exemplar": 0.00015,
        "jigsaw": 0.005,
        "moco_v1": 0.0015,
        "nnclr": 0.0015,
        "pirl": 5e-4,
        "relative_patch": 0.0015,
        "simsiam": 5e-4,
        "split_brain": 0.0003,
        "vicreg": 0.0015,
    },
}
"""By encoder and method the learning rate with the highest linear accuracy on val, kNN breaking ties; records in
results/cifar10_search, which a test compares. Each is the best of five. The lowest that was tried: npid and multi_task with resnet8; npid,
colorization, deepcluster, denoising_ae, counting, exemplar and split_brain with vit_nano. The highest: simsiam, barlow_twins, cpc and
deepcluster_v2 with resnet8, dino with vit_nano."""

FLOORS = ("random", "random_rescaled", "pca")

WIDTH = 64
"""Features of both encoders, and so components of a second PCA: 128 of them, its default, know more of an image by their number alone."""


EVALS = ("knn", "linear", "transfer:tiny_imagenet50", "transfer:dtd10", "label_free")


def trained_at(seeds: tuple[int, ...], chosen: dict[str, dict[str, float]]) -> list[RunSpec]:
    """Methods at their learning rates, by encoder."""
    return [
        run(method, encoder, seed, **setting(method, encoder, lr))
        for seed in seeds
        for encoder, rates in chosen.items()
        for method, lr in rates.items()
    ]


def runs_at(seeds: tuple[int, ...]) -> tuple[RunSpec, ...]:
    """Every method of CHOSEN, at its learning rate, and the floors."""
    runs = trained_at(seeds, CHOSEN)
    runs += [run(method, encoder, seed) for method in FLOORS for encoder in CHOSEN for seed in seeds]
    # Of these nothing is drawn, so one seed says it all; pixels last, since their evaluation takes longer than any run.
    runs += [run("pca", encoder, 0).replace(hyper_parameters={"components": WIDTH}) for encoder in CHOSEN]
    runs += [run("pixels", encoder, 0) for encoder in CHOSEN]
    return tuple(runs)


def suite() -> Suite:
    """At seed 0 too, by which learning rates were chosen: cifar10_new_seeds is the suite that leaves it out."""
    return Suite(runs_at(SEEDS), EVALS, "results/cifar10")
