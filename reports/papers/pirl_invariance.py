"""PIRL (Misra and van der Maaten 2020, arXiv:1912.01991), Figure 6: both parts of its loss help, the image's own and the jigsaw's.

The curve over their weight has no numbers in a text: shape only. At a weight of 0 it is instance discrimination by NCE.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Peak
from reports.papers._rates import CifarScale

FIGURE = Figure(
    paper="arXiv:1912.01991",
    place="Figure 6",
    claim="PIRL's features are better with both parts of its loss than with either alone.",
    axis="weight of the patches' part of the loss",
    measure="linear",
    arms={name: Arm("pirl", float(name), "PIRL", {"weight": float(name)}) for name in ("0", "0.5", "1")},
    rules=(Peak(ends=("0", "1"), inside=("0.5",)),),
    learned=("0.5",),
    scales={
        "cpu": CifarScale(
            budget="3epochs",
            seeds=(0, 1, 2),
            cost="about 85 core-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-8 in place of ImageNet and a ResNet-50; 3 epochs in place of 400, which are few "
            "for a memory that has each image once; 4,096 negatives in place of 32,000; patches of 8 pixels.",
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="60epochs",
            seeds=(0, 1, 2),
            cost="about 30 H100-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and a ResNet-50; 60 epochs; patches of 8 pixels.",
        ),
    },
)
