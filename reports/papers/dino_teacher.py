"""DINO (Caron et al. 2021, arXiv:2104.14294), Table 7, Figures 6 and 7: a copy of the student, no centring, or no sharpening: it collapses.

And small crops beside the two large ones make features better.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Above, Collapses
from reports.papers._rates import CIFAR10_VIT

UNSHARPENED = {"teacher_temperature": 0.1, "teacher_temperature_start": 0.1}

FIGURE = Figure(
    paper="arXiv:2104.14294",
    place="Table 7, Figures 6 and 7",
    claim="DINO collapses where its teacher is the student itself, is not centred, or is not sharpened, and is better with small crops.",
    axis="what is left out",
    measure="knn",
    unit="top-1 on ImageNet, kNN, %",
    arms={
        "whole": Arm("dino", "nothing"),
        "student as teacher": Arm("dino", "momentum", hyper_parameters={"momentum": 0.0, "momentum_end": 0.0}),
        "no centring": Arm("dino", "centring", hyper_parameters={"centre_momentum": 1.0}),
        "no sharpening": Arm("dino", "sharpening", hyper_parameters=UNSHARPENED),
        "no small crops": Arm("dino", "small crops", hyper_parameters={"local_crops": 0}),
    },
    rules=(
        Collapses("student as teacher", "whole"),
        Collapses("no centring", "whole"),
        Collapses("no sharpening", "whole"),
        Above("whole", "no small crops"),
    ),
    learned=("whole",),
    scales={
        "cpu": Scale(
            dataset="cifar10",
            encoder="vit_nano",
            budget="23040images",
            cost="about 45 core-minutes, estimated",
            seeds=(0, 1, 2),
            differs="CIFAR-10 and a ViT of 4 layers and 64 features in place of ImageNet and a ViT-S; half an epoch in place of 100 to "
            "300; 4,096 outputs in place of 65,536.",
            recipes=CIFAR10_VIT,
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="vit_tiny",
            precision="bf16",
            budget="40epochs",
            seeds=(0, 1, 2),
            cost="about 35 H100-minutes, estimated",
            differs="CIFAR-10 and a ViT-Ti in place of ImageNet and a ViT-S; 40 epochs in place of 100 to 300; 4,096 outputs in place of "
            "65,536.",
        ),
    },
)
