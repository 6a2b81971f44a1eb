"""BYOL (Grill et al. 2020, arXiv:2006.07733), Figure 3a, Table 16: BYOL loses less than SimCLR from smaller batches.

There the number of updates stays the same, since gradients are averaged over several of the smaller batches; here there are as many more
updates as batches are smaller. Of Figure 3b, BYOL without colours, there is no knob here.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Shrinks
from reports.papers._rates import AS_IN_PAPER, PaperScale

SIZES = (128, 1024)

FIGURE = Figure(
    paper="arXiv:2006.07733",
    place="Figure 3a, Table 16",
    claim="The lead of BYOL over SimCLR is larger after batches of 128 than after batches of 1,024.",
    axis="images in a batch",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, 300 epochs, %",
    logarithmic=True,
    arms={f"BYOL {size}": Arm("byol", size, "BYOL", recipe={"batch_size": size}) for size in SIZES}
    | {f"SimCLR {size}": Arm("simclr", size, "SimCLR", recipe={"batch_size": size}) for size in SIZES},
    rules=(Shrinks(("BYOL 128", "SimCLR 128"), ("BYOL 1024", "SimCLR 1024")),),
    learned=("BYOL 128", "BYOL 1024", "SimCLR 1024"),
    scales={
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="20epochs",
            cost="about 25 H100-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and a ResNet-50; 20 epochs in place of 300; each batch is "
            "an update.",
        ),
        "paper": PaperScale(
            budget="300epochs",
            recipe={"warmup": 0.0333},
            cost="about 630 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: those of 1,000 epochs, with 10 epochs of warm-up of 300; each batch is an update, where the paper "
            "takes the mean of several.",
        ),
    },
)
