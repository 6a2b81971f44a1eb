"""SimCLR (Chen et al. 2020, arXiv:2002.05709), Figure 9, Table B.1: large batches help, and the less the longer the training is."""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Above, Shrinks
from reports.papers._rates import ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale

SMALL, LARGE = {"batch_size": 32}, {"batch_size": 512}

FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Figure 9, Table B.1",
    claim="With few epochs SimCLR's linear probe is better after large batches, and this lead is smaller after eight times as many epochs.",
    axis="images in a batch",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, %",
    logarithmic=True,
    arms={
        "small, short": Arm("simclr", 32, "short", recipe=SMALL, budget="4epochs"),
        "large, short": Arm("simclr", 512, "short", recipe=LARGE, budget="4epochs"),
        "small, long": Arm("simclr", 32, "long", recipe=SMALL, budget="32epochs"),
        "large, long": Arm("simclr", 512, "long", recipe=LARGE, budget="32epochs"),
    },
    rules=(Above("large, short", "small, short"), Shrinks(("large, short", "small, short"), ("large, long", "small, long"))),
    learned=("large, short",),
    scales={
        "cpu": DigitsScale(
            budget="32epochs",
            cost="about 50 core-minutes, estimated",
            differs=f"{ON_DIGITS}; batches of 32 and 512 in place of 256 to 8,192; 4 and 32 epochs of 3,600 images, so 28 to 3,600 steps, "
            f"in place of 15,600 to 4 million: where steps are so few they count and not the negatives{SHORT}.",
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="32epochs",
            cost="about 25 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU.replace('20 epochs', '4 and 32 epochs')}; batches of 32 and 512 in place of 256 to 8,192.",
        ),
    },
)
