"""Revisiting self-supervised learning (Kolesnikov et al. 2019, arXiv:1901.09005), section 4.1: one order of methods on two data sets.

The paper has ImageNet and Places205, and says that the ranking is consistent; its bars have no numbers in a text: shape only.
"""

from reports.claims.figure import Arm, Figure, Records
from reports.claims.rules import Agrees
from reports.papers._rates import RECORDED

METHODS = (
    *("autoencoder", "barlow_twins", "byol", "colorization", "context_encoder", "counting", "cpc", "deepcluster", "deepcluster_v2"),
    *("denoising_ae", "dino", "exemplar", "jigsaw", "moco", "moco_v1", "multi_task", "nnclr", "npid", "pcl", "pirl", "relative_patch"),
    *("rotation", "simclr", "simsiam", "split_brain", "swav", "vicreg"),
)
DIFFERS = (
    "27 methods at half an epoch in place of 4 tasks with 6 encoders each; CIFAR-10, and Tiny ImageNet and textures, in place of ImageNet "
    "and Places205. The paper says consistent; a rank correlation above 0.3 is our reading of it."
)

FIGURE = Figure(
    paper="arXiv:1901.09005",
    place="Section 4.1, Figure 2",
    claim="The linear probe orders methods on another data set much as it does at home.",
    axis="method",
    measure="linear",
    arms={method: Arm(method, method, hyper_parameters=RECORDED.get(method, {})) for method in METHODS},
    rules=(
        Agrees(METHODS, "linear", "transfer:tiny_imagenet50", level=0.3),
        Agrees(METHODS, "linear", "transfer:dtd10", level=0.3),
    ),
    scales={
        "records": Records("cifar10", encoder="resnet8", differs=DIFFERS),
        "records_vit": Records("cifar10", encoder="vit_nano", differs=DIFFERS),
    },
)
