"""MoCo (He et al. 2020, arXiv:1911.05722), Figure A.1: without shuffled BatchNorm the task is solved by cheating, and kNN falls."""

from reports.claims.figure import Arm, Figure
from reports.claims.rules import Above
from reports.papers._rates import MNIST5K, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale

FIGURE = Figure(
    paper="arXiv:1911.05722",
    place="Figure A.1",
    claim="Without shuffling, BatchNorm tells a key which group it was in: MoCo's loss falls further and its kNN accuracy is lower.",
    axis="keys of a batch",
    measure="knn",
    arms={
        "shuffled": Arm("moco_v1", "shuffled"),
        "not shuffled": Arm("moco_v1", "not shuffled", hyper_parameters={"shuffle": False}),
    },
    rules=(Above("shuffled", "not shuffled", measure="loss"), Above("shuffled", "not shuffled")),
    learned=("shuffled",),
    scales={
        "cpu": DigitsScale(
            budget="40960images",
            cost="about 11 core-minutes, estimated",
            differs=f"{ON_DIGITS}; BatchNorm of 8 groups of 32 images, as of 8 devices; 2,048 keys{SHORT}.",
            recipes={"moco_v1": MNIST5K["moco"]},
            hyper_parameters={"moco_v1": {"queue": 2048, "bn_groups": 8}},
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 6 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; BatchNorm of 8 groups of 32 images, as of 8 devices.",
        ),
    },
)
