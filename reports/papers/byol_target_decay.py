"""BYOL (Grill et al. 2020, arXiv:2006.07733), Table 5a: a target that never follows, and one that is the online network, both fail.

The decay rate is constant here, as it is in the table at 0 and 1; between them the paper's rises to 1 along a cosine.
"""

from reports.claims.figure import Arm, Figure
from reports.claims.rules import Peak
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

DECAYS = ("0", "0.9", "0.99", "1")

FIGURE = Figure(
    paper="arXiv:2006.07733",
    place="Table 5a",
    claim="BYOL's features are better with a target that follows slowly (0.9, 0.99) than with a random constant one (1) or none of its "
    "own (0).",
    axis="decay rate of the target",
    measure="knn",
    logarithmic=True,
    unit="top-1 on ImageNet, linear probe, %",
    arms={name: Arm("byol", name, "BYOL", {"momentum": float(name), "momentum_end": float(name)}) for name in DECAYS},
    rules=(Peak(ends=("0", "1"), inside=("0.9", "0.99")),),
    learned=("0.9", "0.99"),
    scales={
        "cpu": DigitsScale(
            budget="51200images",
            cost="about 70 core-minutes, estimated",
            differs=f"{ON_DIGITS}; 800 steps of 64 in place of 94,000 of 4,096; the decay rate is constant; judged by kNN{SHORT}.",
            recipe={"batch_size": 64},
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 20 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; the decay rate is constant; judged by kNN.",
        ),
        "paper": PaperScale(
            budget="300epochs",
            recipe={"warmup": 0.0333},
            cost="about 720 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: that of 1,000 epochs, with 10 epochs of warm-up of 300; the decay rate is constant; judged by kNN.",
        ),
    },
)
