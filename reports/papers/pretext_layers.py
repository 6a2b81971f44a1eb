"""Colorful image colorization (Zhang et al. 2016, arXiv:1603.08511) and its successors: a pretext task's features fall at the last layer.

Supervised features rise to the end. The table with most tasks is that of Split-brain autoencoders (arXiv:1611.09842, Table 2). Kolesnikov
et al. 2019 (arXiv:1901.09005) say that skip connections prevent the fall: our encoder has them, which speaks against this claim.
"""

from reports.claims.figure import EVALS, Arm, Figure, Records, Scale
from reports.claims.rules import At, Shrinks

TASKS = {"relative patch": "relative_patch", "context encoder": "context_encoder", "jigsaw": "jigsaw", "counting": "counting"}
MIDDLE, LAST = "stages:2", "stages:3"

FIGURE = Figure(
    paper="arXiv:1603.08511",
    place="Table 2 of arXiv:1611.09842, which has the tasks since",
    claim="From the middle of the encoder to its end the features of a pretext task fall behind those of supervised training.",
    axis="trained on",
    measure="stages",
    unit="top-1 on ImageNet, linear probe of conv5, %",
    arms={"supervised": Arm("supervised", "labels")} | {name: Arm(method, name) for name, method in TASKS.items()},
    rules=tuple(Shrinks((At("supervised", LAST), At(name, LAST)), (At("supervised", MIDDLE), At(name, MIDDLE))) for name in TASKS),
    learned=("supervised", *TASKS),
    scales={
        "records": Records(
            "tiny_imagenet50",
            encoder="resnet8",
            differs="Three stages of a ResNet-8, which has skip connections, in place of five layers of an AlexNet; 50 classes at 64 "
            "pixels, 275 steps. The numbers of stages are on val.",
        ),
        "gpu": Scale(
            dataset="tiny_imagenet50",
            encoder="resnet20",
            image_size=64,
            precision="bf16",
            budget="60epochs",
            seeds=(0, 1, 2),
            cost="about 30 H100-minutes, estimated",
            differs="Three stages of a ResNet-20, which has skip connections, in place of five layers of an AlexNet; 50 classes at 64 "
            "pixels.",
            evals=(*EVALS, "stages"),
        ),
    },
)
