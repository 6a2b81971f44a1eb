"""SimCLR (Chen et al. 2020, arXiv:2002.05709), Figure 7: the larger the encoder, the smaller the lead of supervised training.

The points of the figure are in no text; published are those of Tables 6 and B.3 and appendix B.2, SimCLR's after
1,000 epochs.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Shrinks
from reports.papers._rates import CIFAR10, ON_CIFAR, SHORT

FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Figure 7",
    claim="The lead of supervised training over SimCLR's linear probe shrinks as the encoder is made wider.",
    axis="width of the encoder",
    measure="linear",
    unit="top-1 on ImageNet, linear probe or supervised, %",
    logarithmic=True,
    arms={
        "supervised 1x": Arm("supervised", 1, "supervised", encoder="resnet8"),
        "simclr 1x": Arm("simclr", 1, "SimCLR", encoder="resnet8"),
        "supervised 2x": Arm("supervised", 2, "supervised", encoder="resnet8x2"),
        "simclr 2x": Arm("simclr", 2, "SimCLR", encoder="resnet8x2"),
        "supervised 4x": Arm("supervised", 4, "supervised", encoder="resnet8x4"),
        "simclr 4x": Arm("simclr", 4, "SimCLR", encoder="resnet8x4"),
    },
    rules=(
        Shrinks(("supervised 1x", "simclr 1x"), ("supervised 2x", "simclr 2x")),
        Shrinks(("supervised 1x", "simclr 1x"), ("supervised 4x", "simclr 4x")),
    ),
    learned=("simclr 1x", "simclr 2x"),
    scales={
        "cpu": Scale(
            dataset="cifar10",
            budget="20480images",
            cost="about 50 core-minutes, estimated",
            differs=f"{ON_CIFAR}, and one of twice its width; 80 steps; the probe of supervised training in place of its own classifier, "
            f"on features that are as many as the width{SHORT}.",
            recipes=CIFAR10,
            arms=("supervised 1x", "simclr 1x", "supervised 2x", "simclr 2x"),
        ),
        "gpu": Scale(
            dataset="cifar10",
            precision="bf16",
            budget="40epochs",
            cost="about 40 H100-minutes, estimated",
            differs="CIFAR-10 and ResNet-8 of one to four times its width in place of ImageNet and ResNet-50; 40 epochs, the methods' own "
            "recipes; the probe of supervised training in place of its own classifier.",
        ),
    },
)
