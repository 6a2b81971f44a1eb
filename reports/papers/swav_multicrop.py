"""SwAV (Caron et al. 2020, arXiv:2006.09882), Figure 3: small crops beside the two large ones help clustering methods.

The published numbers are those of networks that the authors and VISSL released, after 400 epochs. Judged at equal images, as there, and at
equal FLOPs, where the crops are paid for.
"""

from reports.claims.figure import Arm, Figure
from reports.claims.rules import Above
from reports.papers._rates import AS_IN_PAPER, GpuScale, PaperScale

FIGURE = Figure(
    paper="arXiv:2006.09882",
    place="Figure 3, left",
    claim="SwAV and DeepCluster-v2 have better features with small crops beside two large ones, at equal images, and SwAV at equal FLOPs "
    "too.",
    axis="crops",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, 400 epochs, %",
    arms={
        "SwAV, two": Arm("swav", "two", "SwAV", {"local_crops": 0}),
        "SwAV, many": Arm("swav", "many", "SwAV"),
        "DeepCluster-v2, two": Arm("deepcluster_v2", "two", "DeepCluster-v2", {"local_crops": 0}),
        "DeepCluster-v2, many": Arm("deepcluster_v2", "many", "DeepCluster-v2"),
        "SwAV, two, equal FLOPs": Arm("swav", "two", "SwAV at equal FLOPs", {"local_crops": 0}, budget="7e15flops"),
        "SwAV, many, equal FLOPs": Arm("swav", "many", "SwAV at equal FLOPs", budget="7e15flops"),
    },
    rules=(
        Above("SwAV, many", "SwAV, two"),
        Above("DeepCluster-v2, many", "DeepCluster-v2, two"),
        Above("SwAV, many, equal FLOPs", "SwAV, two, equal FLOPs"),
    ),
    learned=("SwAV, many", "DeepCluster-v2, many"),
    scales={
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 30 H100-minutes, estimated",
            differs="CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and a ResNet-50; 20 epochs in place of 400; small crops "
            "of 14 and 19 pixels in place of 96.",
        ),
        "paper": PaperScale(
            budget="400epochs",
            recipe={"warmup": 0.025},
            cost="about 920 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}: those of 800 epochs, with 10 epochs of warm-up of 400; six small crops for DeepCluster-v2 as well.",
            arms=("SwAV, two", "SwAV, many", "DeepCluster-v2, two", "DeepCluster-v2, many"),
        ),
    },
)
