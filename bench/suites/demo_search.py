"""Eight settings of every trained method, measured on val alone: where the demo's settings come from."""

from bench.suites import Suite
from bench.suites._rates import BASE_LR, LR_FACTORS, times
from bench.suites.demo import run

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


def suite() -> Suite:
    """Of every method each value with each learning rate."""
    runs = [
        run(method, 0, "bf16", times(factor, BASE_LR[method]), **{name: value})
        for method, (name, values) in SEARCHED.items()
        for value in values
        for factor in LR_FACTORS
    ]
    return Suite(tuple(runs), ("validation",), "results/demo_search")
