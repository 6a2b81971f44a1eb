"""RotNet (Gidaris et al. 2018, arXiv:1803.07728), Figure 5b: the fewer labels, the more it gives to have learned without labels first.

Every point is measured on the labels of one draw, the seed's: a probe on frozen features; of supervised training the encoder too has seen
those and no others. Its probe is fitted on the images that its encoder was trained on, in place of the classifier that it was trained with.
"""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Above, Shrinks
from reports.papers._rates import SHORT, CifarScale, GpuScale

COUNTS = (20, 100, 400, 1000)
PROBED = "in place of a Network-in-Network of four blocks; a linear probe in place of a convolutional block on the second of them"

FIGURE = Figure(
    paper="arXiv:1803.07728",
    place="Figure 5b, as numbers in Table 1 of a survey",
    claim="With 20 labels of a class RotNet's features beat training on those labels alone, by more than with many.",
    axis="labels of each class",
    measure="few_labels:20:own",
    logarithmic=True,
    unit="top-1 on CIFAR-10, a convolutional block or all of a network trained on N labels a class, %",
    arms={f"rotation {count}": Arm("rotation", count, "RotNet", measure=f"few_labels:{count}:own") for count in COUNTS}
    | {f"simclr {count}": Arm("simclr", count, "SimCLR", measure=f"few_labels:{count}:own") for count in COUNTS}
    | {
        f"supervised {count}": Arm("supervised", count, "supervised", measure=f"few_labels:{count}:own", pretrain_split=f"train/{count}")
        for count in COUNTS
    },
    rules=(
        Above("rotation 20", "supervised 20"),
        Shrinks(("rotation 20", "supervised 20"), ("rotation 400", "supervised 400")),
        Shrinks(("rotation 20", "supervised 20"), ("rotation 1000", "supervised 1000")),
    ),
    learned=("rotation 20", "supervised 400"),
    scales={
        "cpu": CifarScale(
            budget="20480images",
            seeds=(0, 1, 2),
            cost="about 40 core-minutes, estimated",
            differs=f"A ResNet-8 {PROBED}; 320 steps of 64 images, for supervised training as well, so that it sees each of 200 images a "
            f"hundred times; up to 400 labels of a class{SHORT}.",
            recipe={"batch_size": 64},
            evals=(*EVALS, *(f"few_labels:{count}" for count in COUNTS[:3])),
            arms=tuple(f"{method} {count}" for method in ("rotation", "simclr", "supervised") for count in COUNTS[:3]),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            budget="900000images",
            cost="about 50 H100-minutes, estimated",
            differs=f"A ResNet-18 {PROBED}; 20 epochs of all images in place of 100, and as many images for supervised training, in "
            "batches of 128.",
            recipes={"supervised": {"batch_size": 128}},
            evals=(*EVALS, *(f"few_labels:{count}" for count in COUNTS)),
        ),
    },
)
