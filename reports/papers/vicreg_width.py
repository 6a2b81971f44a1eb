"""VICReg (Bardes et al. 2022, arXiv:2105.04906), Table 12: the wider the embedding, the better the features."""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Rises
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

WIDTHS = ("64", "256", "1024", "2048", "4096")

FIGURE = Figure(
    paper="arXiv:2105.04906",
    place="Table 12",
    claim="VICReg's features get better with the width of its embedding.",
    axis="numbers in an embedding",
    measure="knn",
    unit="top-1 on ImageNet, linear probe, %",
    logarithmic=True,
    arms={name: Arm("vicreg", int(name), "VICReg", {"projection": int(name)}) for name in WIDTHS},
    rules=(Rises(("64", "256", "1024", "2048")), Rises(("256", "1024", "2048", "4096"))),
    learned=("2048",),
    scales={
        "cpu": DigitsScale(
            budget="28672images",
            cost="about 30 core-minutes, estimated",
            differs=f"{ON_DIGITS}; 64 to 2,048 numbers in place of 256 to 16,384, on features of 64 in place of 2,048; 112 steps; judged "
            f"by kNN{SHORT}.",
            evals=(*EVALS, "projection"),
            arms=("64", "256", "1024", "2048"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 15 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; 256 to 4,096 numbers in place of 256 to 16,384; judged by kNN.",
            arms=("256", "1024", "2048", "4096"),
        ),
        "paper": PaperScale(
            budget="100epochs",
            recipe={"warmup": 0.1},
            cost="about 180 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: that of 1,000 epochs, with 10 epochs of warm-up of 100; up to 4,096 numbers in place of 16,384.",
            arms=("256", "1024", "2048", "4096"),
        ),
    },
)
