"""Multi-task self-supervised learning (Doersch and Zisserman 2017, arXiv:1708.07860), abstract: several tasks together beat each alone.

Its tables were found in no text: shape only.
"""

from reports.claims.figure import Arm, Figure, Records, Scale
from reports.claims.rules import Above
from reports.papers._rates import RECORDED

DIFFERS = (
    "Two tasks, rotation and instance discrimination, in place of relative patches, colourisation, exemplars and motion; a small encoder, "
    "half an epoch of CIFAR-10; at equal FLOPs, where the paper's combined network has as many steps as each alone and so more."
)

FIGURE = Figure(
    paper="arXiv:1708.07860",
    place="Abstract",
    claim="A network that is trained on two tasks together has better features than one trained on either alone.",
    axis="tasks",
    measure="linear",
    arms={
        "rotation": Arm("rotation", "rotation"),
        "instances": Arm("npid", "instances"),
        "both": Arm("multi_task", "both", hyper_parameters=RECORDED["multi_task"]),
    },
    rules=(Above("both", "rotation"), Above("both", "instances")),
    learned=("both", "rotation"),
    scales={
        "records": Records("cifar10", encoder="resnet8", differs=DIFFERS),
        "records_vit": Records("cifar10", encoder="vit_nano", differs=DIFFERS),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="60epochs",
            seeds=(0, 1, 2),
            cost="about 30 H100-minutes, estimated",
            differs="Rotation and instance discrimination in place of the paper's four tasks; a ResNet-18, CIFAR-10, 60 epochs, at equal "
            "images.",
        ),
    },
)
