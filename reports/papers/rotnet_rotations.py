"""RotNet (Gidaris et al. 2018, arXiv:1803.07728), Table 2: four rotations are better than two, and 0 and 180 better than 90 and 270.

Eight, which need turns by 45 degrees, are published and left out here.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Above
from reports.papers._rates import CifarScale

FIGURE = Figure(
    paper="arXiv:1803.07728",
    place="Table 2",
    claim="Features are better from telling four rotations apart than two, and from 0 and 180 degrees than from 90 and 270.",
    axis="rotations, degrees",
    measure="linear",
    unit="top-1 on CIFAR-10, classifier on the second block, %",
    arms={
        "four": Arm("rotation", "0, 90, 180, 270"),
        "0, 180": Arm("rotation", "0, 180", hyper_parameters={"angles": "0,180"}),
        "90, 270": Arm("rotation", "90, 270", hyper_parameters={"angles": "90,270"}),
    },
    rules=(Above("four", "0, 180"), Above("0, 180", "90, 270")),
    learned=("four",),
    scales={
        "cpu": CifarScale(
            budget="46080images",
            cost="about 45 core-minutes, estimated",
            differs="A ResNet-8 in place of a Network-in-Network of four blocks, probed at its last layer by a linear classifier in place "
            "of three layers at its second block; one epoch of 720 steps in place of 100; equal images, so that four rotations have twice "
            "the FLOPs of two.",
            recipe={"batch_size": 64},
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="20epochs",
            cost="about 20 H100-minutes, estimated",
            differs="A ResNet-18 in place of a Network-in-Network, probed at its last layer by a linear classifier; 20 epochs in place of "
            "100.",
        ),
    },
)
