"""Instance discrimination (Wu et al. 2018, arXiv:1805.01978), Table 1: with more noise rows nearer to the full softmax."""

from reports.claims.figure import EVALS, Arm, Figure, Scale
from reports.claims.rules import Rises, Within
from reports.papers._rates import CIFAR10, DigitsScale

FULL = "full softmax"
NOISE = ("1", "10", "512", "4096")
NOISE_OF_DIGITS = ("1", "16", "256", "2048")

FIGURE = Figure(
    paper="arXiv:1805.01978",
    place="Table 1",
    claim="Noise-contrastive estimation gets better with the number of its noise rows, and with thousands comes within 3 points of the "
    "full softmax.",
    axis="noise rows of an image",
    measure="projection:knn",
    unit="top-1 on CIFAR-10, kNN on the embedding, %",
    arms={name: Arm("npid", name, "NCE", {"negatives": int(name)}) for name in sorted({*NOISE, *NOISE_OF_DIGITS}, key=int)}
    | {FULL: Arm("npid", FULL, "NCE")},
    rules=(Rises(NOISE_OF_DIGITS), Within(FULL, "2048"), Rises(NOISE), Within(FULL, "4096")),
    learned=(FULL,),
    gate_measure="knn",
    scales={
        "cpu": DigitsScale(
            budget="216000images",
            cost="about 75 core-minutes, estimated",
            differs="Handwritten digits of 28 pixels and a ResNet-8 in place of CIFAR-10 and a ResNet-18, 60 epochs of 3,600 images in "
            "place of 200 of 50,000, 1 to 2,048 noise rows in place of 1 to 4,096.",
            evals=(*EVALS, "projection"),
            arms=(*NOISE_OF_DIGITS, FULL),
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="60epochs",
            seeds=(0, 1, 2),
            cost="about 25 H100-minutes, estimated",
            differs="60 epochs in place of 200, our learning rate.",
            recipes=CIFAR10,
            evals=(*EVALS, "projection"),
            arms=(*NOISE, FULL),
        ),
        "paper": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="bf16",
            budget="200epochs",
            seeds=(0, 1, 2),
            cost="about 80 H100-minutes, estimated",
            differs="The paper's data, encoder and length, our learning rate, which falls along a cosine and not in steps.",
            recipes=CIFAR10,
            evals=(*EVALS, "projection"),
            arms=(*NOISE, FULL),
        ),
    },
)
