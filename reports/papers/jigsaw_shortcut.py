"""Jigsaw (Noroozi and Favaro 2016, arXiv:1603.09246), on shortcuts: where patches are not normalised each, a shortcut makes features worse.

The paper's table of shortcuts was found in no text: shape only.
"""

from reports.claims.figure import EVALS, Arm, Figure, Records, Scale
from reports.claims.rules import Above

FIGURE = Figure(
    paper="arXiv:1603.09246",
    place="Section on shortcuts",
    claim="Normalising every patch by itself hides from Jigsaw where it lay, and gives better features.",
    axis="patches",
    measure="stages",
    arms={
        "normalised": Arm("jigsaw", "each normalised"),
        "as they are": Arm("jigsaw", "as they are", hyper_parameters={"normalise": False}),
    },
    rules=(Above("normalised", "as they are"),),
    learned=("normalised",),
    scales={
        "records": Records(
            "tiny_imagenet50",
            encoder="resnet8",
            differs="Patches of 16 pixels in place of 64, 100 permutations in place of 1,000, a ResNet-8, 275 steps: that the task "
            "becomes easier by the shortcut is not seen after so few. Judged at the stage that is best on val, where the paper "
            "fine-tunes.",
        ),
        "gpu": Scale(
            dataset="tiny_imagenet50",
            encoder="resnet18",
            image_size=64,
            precision="bf16",
            budget="60epochs",
            seeds=(0, 1, 2),
            cost="about 12 H100-minutes, estimated",
            differs="Patches of 16 pixels in place of 64, a ResNet-18, 60 epochs. Judged at the stage that is best on val.",
            evals=(*EVALS, "stages"),
        ),
    },
)
