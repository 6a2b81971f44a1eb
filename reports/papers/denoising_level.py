"""Autoencoders whose input is hidden in part (Zhang et al. 2017, arXiv:1611.09842, Table 2): features get better, up to a point.

The table has one share of hidden input, a half, as Lab(drop50)→Lab beside Lab→Lab. That more than half is too much is not in it, and is
drawn and not judged.
"""

from reports.claims.figure import Arm, Figure
from reports.claims.rules import Above
from reports.papers._rates import MNIST5K, SHORT, DigitsScale, GpuScale

FIGURE = Figure(
    paper="arXiv:1611.09842",
    place="Table 2, Lab(drop50)→Lab",
    claim="An autoencoder's features get better when half of its input is hidden from it.",
    axis="share of the input that is hidden",
    measure="knn",
    unit="top-1 on ImageNet, linear probe of conv5, %",
    arms={
        "0": Arm("autoencoder", 0, "denoising"),
        **{str(level): Arm("denoising_ae", level, "denoising", {"noise": "masking", "level": level}) for level in (0.25, 0.5, 0.75)},
    },
    rules=(Above("0.5", "0"),),
    learned=("0.5",),
    scales={
        "cpu": DigitsScale(
            budget="40960images",
            cost="about 25 core-minutes, estimated",
            differs="Handwritten digits of 28 pixels and a ResNet-8 in place of ImageNet and an AlexNet; pixels are hidden and not "
            f"channels; judged by kNN{SHORT}.",
            recipes=MNIST5K | {"autoencoder": MNIST5K["denoising_ae"]},
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 12 H100-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and AlexNet, 20 epochs; pixels are hidden and not "
            "channels.",
        ),
    },
)
