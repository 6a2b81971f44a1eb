"""Data-dependent initialisations (Krähenbühl et al. 2016, arXiv:1511.06856): random weights rescaled on images beat those that are not.

Shape only: the row that a survey calls random rescaled is that of k-means weights, says Table 2 of arXiv:1611.09842, from which it is.
"""

from reports.claims.figure import EVALS, Arm, Figure, Records, Scale
from reports.claims.rules import Above

DIFFERS = "The paper's networks have no BatchNorm, so their random weights may be far off; ours has it (resnet8), or LayerNorm (vit_nano)."

FIGURE = Figure(
    paper="arXiv:1511.06856",
    place="Abstract",
    claim="Random weights that are rescaled on images give better features than random weights.",
    axis="weights",
    measure="linear",
    arms={"random": Arm("random", "random"), "rescaled": Arm("random_rescaled", "rescaled")},
    rules=(Above("rescaled", "random"),),
    scales={
        "records": Records("cifar10", encoder="resnet8", differs=DIFFERS),
        "records_vit": Records("cifar10", encoder="vit_nano", differs=DIFFERS),
        "records_64": Records("tiny_imagenet50", encoder="resnet8", differs=f"{DIFFERS} At 64 pixels."),
        "gpu": Scale(
            dataset="cifar10",
            encoder="resnet18",
            precision="float32",
            budget="1images",
            cost="about 3 H100-minutes, estimated",
            differs=DIFFERS,
            evals=(*EVALS, "stages"),
        ),
    },
)
