"""SimCLR (Chen et al. 2020, arXiv:2002.05709), Figure 5 and Table 1: crops and colours together; strong colours help it, not supervision.

The numbers of Figure 5 are in no text: of its four arms shape only. Table 1's are published points; they are with crops.
"""

from reports.claims.figure import Arm, Figure
from reports.claims.rules import Above, Rises, Shrinks
from reports.papers._rates import ON_CIFAR_GPU, CifarScale, GpuScale

STRENGTHS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0}
PLAIN = {"color_strength": 0.0, "grey": 0.0}

FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Figure 5, Table 1",
    claim="SimCLR needs crops and colour distortion together; the stronger the colours, the better its features, and the smaller the lead "
    "of supervised training.",
    axis="strength of colour distortion, or what is distorted",
    measure="linear",
    unit="top-1 on ImageNet, linear probe or supervised, %",
    arms={f"simclr {name}": Arm("simclr", name, "SimCLR", {"color_strength": value}) for name, value in STRENGTHS.items()}
    | {f"supervised {name}": Arm("supervised", name, "supervised", {"color_strength": value}) for name, value in STRENGTHS.items()}
    | {
        "crop": Arm("simclr", "crop alone", "SimCLR, parts", PLAIN),
        "colour": Arm("simclr", "colour alone", "SimCLR, parts", {"color_strength": 1.0, "crop_min": 1.0}),
    },
    rules=(
        Above("simclr 1", "crop"),
        Above("simclr 1", "colour"),
        Rises(tuple(f"simclr {name}" for name in STRENGTHS)),
        Shrinks(("supervised 1/8", "simclr 1/8"), ("supervised 1", "simclr 1")),
    ),
    learned=("simclr 1",),
    scales={
        "cpu": CifarScale(
            budget="46080images",
            cost="about 75 core-minutes, estimated",
            seeds=(0, 1, 2),
            differs="CIFAR-10 at 32 pixels and a ResNet-8 in place of ImageNet and a ResNet-50; one epoch of 720 steps of 64; no blur; "
            "the probe of supervised training in place of its own classifier.",
            recipe={"batch_size": 64},
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 30 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; no blur; the probe of supervised training in place of its own classifier.",
        ),
    },
)
