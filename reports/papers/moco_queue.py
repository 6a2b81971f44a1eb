"""MoCo (He et al. 2020, arXiv:1911.05722), Figure 3: the more negatives the queue holds, the better the features."""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Rises
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

LENGTHS = ("256", "512", "1024", "2048", "4096", "16384")

FIGURE = Figure(
    paper="arXiv:1911.05722",
    place="Figure 3",
    claim="MoCo's linear probe rises with the number of negatives in its queue.",
    axis="negatives in the queue",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, %",
    logarithmic=True,
    arms={name: Arm("moco", int(name), "MoCo", {"queue": int(name)}) for name in LENGTHS},
    rules=(Rises(("256", "512", "1024", "2048")), Rises(("256", "1024", "4096", "16384"))),
    learned=("2048", "16384"),
    scales={
        "cpu": DigitsScale(
            budget="40960images",
            cost="about 22 core-minutes, estimated",
            differs=f"{ON_DIGITS}; MoCo v2, with a head of two layers, in place of v1; queues of 256 to 2,048 in place of 256 to 65,536: "
            f"with more than the 3,600 images an image would be its own negative{SHORT}.",
            evals=(*EVALS, "projection"),
            arms=("256", "512", "1024", "2048"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 12 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; MoCo v2, with a head of two layers, in place of v1.",
            arms=("256", "1024", "4096", "16384"),
        ),
        "paper": PaperScale(
            budget="200epochs",
            cost="about 240 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}; MoCo v2, with a head of two layers, in place of v1; queues up to 16,384 in place of 65,536.",
            arms=("256", "1024", "4096", "16384"),
        ),
    },
)
