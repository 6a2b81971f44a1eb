"""Revisiting self-supervised learning (Kolesnikov et al. 2019, arXiv:1901.09005), section 4.1: the encoder decides the order of methods.

Figure 2's bars have no numbers in a text, and its tasks are four: shape only.
"""

from reports.claims.figure import Arm, Figure, Records
from reports.claims.rules import Reorders
from reports.papers._rates import RECORDED, GpuScale

METHODS = (
    *("autoencoder", "barlow_twins", "byol", "colorization", "context_encoder", "counting", "cpc", "deepcluster", "deepcluster_v2"),
    *("denoising_ae", "dino", "exemplar", "jigsaw", "moco", "moco_v1", "multi_task", "nnclr", "npid", "pcl", "pirl", "relative_patch"),
    *("rotation", "simclr", "simsiam", "split_brain", "swav", "vicreg"),
)
ENCODERS = ("resnet8", "vit_nano")
LARGER = ("resnet18", "vit_tiny")
ON_GPU = (
    *("barlow_twins", "byol", "dino", "exemplar", "jigsaw", "moco"),
    *("nnclr", "relative_patch", "rotation", "simclr", "simsiam", "vicreg"),
)

FIGURE = Figure(
    paper="arXiv:1901.09005",
    place="Section 4.1, Figures 1 and 2",
    claim="Methods are ordered less alike by two encoders than by two seeds of one encoder.",
    axis="method",
    measure="linear",
    arms={
        f"{method} {encoder}": Arm(method, method, encoder, RECORDED.get(method, {}), encoder=encoder)
        for encoder in ENCODERS
        for method in METHODS
    }
    | {f"{method} {encoder}": Arm(method, method, encoder, encoder=encoder) for encoder in LARGER for method in ON_GPU},
    rules=(
        Reorders(tuple(tuple(f"{method} {encoder}" for method in METHODS) for encoder in ENCODERS)),
        Reorders(tuple(tuple(f"{method} {encoder}" for method in ON_GPU) for encoder in LARGER)),
    ),
    scales={
        "records": Records(
            "cifar10",
            differs="27 methods in place of 4 tasks, CIFAR-10 in place of ImageNet, a small ResNet and a small ViT in place of six "
            "ResNets and a VGG, half an epoch at equal FLOPs; most methods are not above untrained features.",
            arms=tuple(f"{method} {encoder}" for encoder in ENCODERS for method in METHODS),
        ),
        "gpu": GpuScale(
            cost="about 90 H100-minutes, estimated",
            differs="12 methods in place of 4 tasks, CIFAR-10 in place of ImageNet, a ResNet-18 and a ViT in place of six ResNets and a "
            "VGG, 20 epochs, each method's own recipe with both.",
            arms=tuple(f"{method} {encoder}" for encoder in LARGER for method in ON_GPU),
        ),
    },
)
