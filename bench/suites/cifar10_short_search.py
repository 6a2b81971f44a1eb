"""What may have held methods back in a CIFAR-10 run of forty to a hundred steps: five methods otherwise, searched as cifar10_search does.

A teacher of momentum 0.996 has a half-life of 173 steps, and cifar10's runs have 40 (docs/budgets.md): here it is a hundredth of the run,
so the momentum is 0.9. DINO's and SimDINO's heads have BatchNorm, their authors' option, which lightly's CIFAR-10 benchmark takes. SwAV
has no queue, which otherwise enters its loss in step 2, and the epsilon of its README for when codes are all alike; and once more without
small crops and with half the colour. Each by the five learning rates of cifar10_search, seed 0, on val alone: what is best of a method's
ten or twenty trials is more effort than others had, and stands beside the method as it is: the best of each method here has three runs in
cifar10_short_runs, whether it is better on val than the method as it is or not. 30 trials, half an hour of a core.
"""

from bench.spec import RunSpec
from bench.suites import Suite
from bench.suites.cifar10 import run, setting
from bench.suites.cifar10_search import FACTORS

ENCODER = "resnet8"

SHORT_RUN = {"half_life": 0.01}

VARIANTS = {
    "byol": (SHORT_RUN,),
    "moco": (SHORT_RUN,),
    "dino": ({"head_norm": True, **SHORT_RUN},),
    "simdino": ({"head_norm": True, **SHORT_RUN},),
    "swav": ({"queue": 0, "epsilon": 0.03}, {"queue": 0, "epsilon": 0.03, "local_crops": 0, "color_strength": 0.5}),
}
"""By method, the hyper-parameters that are not its own defaults."""


def varied(method: str, variant: dict, seed: int, **rate: float) -> RunSpec:
    """A run of the variant at a learning rate `lr`, or at `factor` times its recipe's."""
    return run(method, ENCODER, seed, **setting(method, ENCODER, **rate)).replace(hyper_parameters=dict(variant))


def suite() -> Suite:
    """All trials, rate by rate."""
    runs = [
        varied(method, variant, 0, factor=factor) for factor in FACTORS for method, variants in VARIANTS.items() for variant in variants
    ]
    return Suite(tuple(runs), ("validation",), "results/cifar10_short_search")
