"""SimCLR (Chen et al. 2020, arXiv:2002.05709), Table 5: the linear probe rises with the temperature, and falls again.

With l2-normalised embeddings. That the loss without normalisation solves its task better and gives worse features stands in the table too;
its arms are run where their knob is, and drawn.
"""

from reports.claims.figure import EVALS, Arm, Figure, Scale
from reports.claims.rules import Above, Peak
from reports.papers._rates import AS_IN_PAPER, MNIST5K, MNIST5K_SETTINGS, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

TEMPERATURES = {str(value): Arm("simclr", value, "normalised", {"temperature": value}) for value in (0.05, 0.1, 0.5, 1)}

FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Table 5",
    claim="With normalised embeddings SimCLR's linear probe is better at a temperature of 0.1 to 0.5 than at 0.05 and at 1, and better "
    "than without normalisation.",
    axis="temperature",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, %",
    logarithmic=True,
    arms=TEMPERATURES | {"10, not normalised": Arm("simclr", 10, "not normalised", {"temperature": 10.0, "normalise": False})},
    rules=(Peak(ends=("0.05", "1"), inside=("0.1", "0.5")), Above("0.1", "10, not normalised")),
    learned=("0.1", "0.5"),
    scales={
        "digits": Scale(
            dataset="digits",
            encoder="resnet8",
            budget="10240images",
            cost="about 5 core-minutes, estimated",
            differs="Handwritten digits of 8 pixels, a ResNet-8 and 40 steps: to see the command work, on data that come with a library.",
            recipes=MNIST5K,
            hyper_parameters=MNIST5K_SETTINGS,
            arms=tuple(TEMPERATURES),
        ),
        "cpu": DigitsScale(
            budget="20480images",
            cost="about 20 core-minutes, estimated",
            differs=f"{ON_DIGITS}, 80 steps of 256 instead of 31,000 of 4,096{SHORT}.",
            evals=(*EVALS, "projection"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 15 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}.",
        ),
        "paper": PaperScale(
            budget="100epochs",
            recipe={"warmup": 0.1},
            cost="about 225 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: that of 1,000 epochs, with 10 epochs of warm-up of 100.",
        ),
    },
)
