"""PCL (Li et al. 2021, arXiv:2005.04966), its README: prototypes beside instances give better features than instances alone.

There the method without prototypes is MoCo; here it is PCL whose warm-up never ends, so that all else is equal. What was published of both
was not trained alike: shape only.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Above
from reports.papers._rates import CifarScale

FIGURE = Figure(
    paper="arXiv:2005.04966",
    place="README of the authors' code",
    claim="MoCo's features get better with the loss on prototypes beside that on instances.",
    axis="loss on",
    measure="linear",
    arms={
        "instances": Arm("pcl", "instances", hyper_parameters={"warmup": 1.0}),
        "prototypes": Arm("pcl", "instances and prototypes"),
    },
    rules=(Above("prototypes", "instances"),),
    learned=("prototypes",),
    scales={
        "cpu": CifarScale(
            budget="4epochs",
            seeds=(0, 1, 2),
            cost="about 90 core-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-8 in place of ImageNet and a ResNet-50; 4 epochs in place of 200.",
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="40epochs",
            seeds=(0, 1, 2),
            cost="about 20 H100-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and a ResNet-50; 40 epochs in place of 200.",
        ),
    },
)
