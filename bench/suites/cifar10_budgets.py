"""Twelve methods with a small ResNet on CIFAR-10 at 1, 3, 10 and 30 TFLOP, three seeds that no search has seen: 5 hours of one core.

The budget as an axis: at each a method has a schedule of its own. Settings are what `tune cifar10_budgets` found at 3 TFLOP for every
method alike, in the file beside this one, and used at all four budgets; a method that was not searched yet is as its recipe has it. At
3 TFLOP a method that was tuned stands beside itself as it is.

The twelve were picked before any of these runs, for what they are and not for what they score: of each kind the best known, the newest
(LeJEPA), one that guesses a rotation, and training with labels. All 45 that take the encoder would be four times the hours.

Hours, for one quiet core with bfloat16 in hardware (SimCLR there: 700 images/s, so 9.6 s for a TFLOP), 12 methods:
- the search: 34 runs of 3 TFLOP a method, 3.3 hours; its second round, 16 runs a method, 1.5 hours;
- this suite: 44 TFLOP a seed and method, 4.5 hours; the tuned methods as they are, 0.3 hours. Evaluation on top.
`plan` says what it is here. Where time is short, fewer methods and never fewer seeds: 10 TFLOP come first, 30 last.
"""

from bench.spec import Budget, RunSpec
from bench.suites import Suite
from bench.suites._tuned import Setting, read

NAME = "cifar10_budgets"

BUDGETS = (1e13, 3e12, 1e12, 3e13)
"""FLOPs, in the order that they are run in."""

SEARCHED_AT = 3e12

SEEDS = (1, 2, 3)
"""cifar10_search has seen 0, and `tune` those of its trials."""

ENCODER = "resnet8"

METHODS = (
    *("simclr", "moco"),  # contrastive
    *("byol", "simsiam", "dino"),  # a teacher or a stopped gradient
    "swav",  # clusters
    *("barlow_twins", "vicreg", "mmcr", "lejepa"),  # how features are spread
    *("rotation", "supervised"),
)

FLOORS = ("random", "random_rescaled")


def run(method: str, flops: float, seed: int, **settings) -> RunSpec:
    """A run of the suite, in bfloat16: twice as many runs in an hour where the processor has it."""
    facts = {"dataset": "cifar10", "encoder": ENCODER, "budget": Budget("flops", flops), "precision": "bf16"}
    return RunSpec(method=method, seed=seed, **facts, **settings)


def runs(chosen: dict[tuple[str, str], Setting]) -> tuple[RunSpec, ...]:
    """All of it, budget by budget and seed by seed, by these settings; floors stand in every budget's table."""
    settings = {method: chosen[method, ENCODER].settings if (method, ENCODER) in chosen else {} for method in METHODS}
    found = []
    for flops in BUDGETS:
        found += [run(method, flops, seed, **settings[method]) for seed in SEEDS for method in METHODS]
        if flops == SEARCHED_AT:
            found += [run(method, flops, seed) for seed in SEEDS for method in METHODS if any(settings[method].values())]
        found += [run(method, flops, seed) for seed in SEEDS for method in FLOORS]
        found.append(run("pixels", flops, SEEDS[0]))
    return tuple(found)


def suite() -> Suite:
    """By what was chosen so far; and every method as it is, for `tune` to search around."""
    defaults = tuple(run(method, SEARCHED_AT, SEEDS[0]) for method in METHODS)
    return Suite(runs(read(NAME)), ("knn", "linear", "label_free"), f"results/{NAME}", defaults)
