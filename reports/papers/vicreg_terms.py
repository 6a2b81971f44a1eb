"""VICReg (Bardes et al. 2022, arXiv:2105.04906), Table 7: it collapses without variance or invariance, and is worse without covariance.

The table prints 'collapse' in place of a number, so of those arms there is no published point. Judged by kNN: a standardised linear probe
does not see a collapse.
"""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Above, Collapses
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

WEIGHTS = ("25, 25, 1", "1, 1, 0", "1, 0, 0", "25, 0, 1", "0, 25, 1")

FIGURE = Figure(
    paper="arXiv:2105.04906",
    place="Table 7",
    claim="Without its variance or its invariance term VICReg collapses; without its covariance term it works and is worse.",
    axis="weights of invariance, variance, covariance",
    measure="knn",
    unit="top-1 on ImageNet, linear probe, %",
    arms={
        name: Arm(
            "vicreg", name, "VICReg", dict(zip(("invariance", "variance", "decorrelation"), map(float, name.split(", ")), strict=True))
        )
        for name in WEIGHTS
    },
    rules=(
        # Of a mean squared distance between views, whose bound is 0.
        Collapses("1, 0, 0", "25, 25, 1", sign="loss", at_most=0.01),
        Collapses("25, 0, 1", "25, 25, 1", sign="loss", at_most=0.1),
        Collapses("0, 25, 1", "25, 25, 1"),
        Above("25, 25, 1", "1, 1, 0"),
    ),
    learned=("25, 25, 1",),
    scales={
        "cpu": DigitsScale(
            budget="28672images",
            cost="about 35 core-minutes, estimated",
            differs=f"{ON_DIGITS}; an embedding of 1,024 numbers in place of 8,192; 112 steps{SHORT}.",
            evals=(*EVALS, "projection"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 15 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; an embedding of 1,024 numbers in place of 8,192.",
            evals=(*EVALS, "projection"),
        ),
        "paper": PaperScale(
            budget="100epochs",
            recipe={"warmup": 0.1},
            cost="about 235 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: that of 1,000 epochs, with 10 epochs of warm-up of 100.",
            evals=(*EVALS, "projection"),
        ),
    },
)
