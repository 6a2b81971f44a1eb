"""SimSiam (Chen and He 2021, arXiv:2011.10566), Figure 2, Tables 1 and 3: without stop-gradient, or without predictor, it collapses.

A predictor that stays as it was drawn, and heads without BatchNorm, do not collapse there: they are worse. The number of Table 3 is beside
a baseline whose predictor's learning rate is not decayed, which is 0.4 better.
"""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Above, Collapses
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

FIGURE = Figure(
    paper="arXiv:2011.10566",
    place="Figure 2, Tables 1 and 3",
    claim="SimSiam collapses without stop-gradient and without predictor, and is worse with a predictor that is not trained and with "
    "heads without BatchNorm.",
    axis="what is left out",
    measure="knn",
    unit="top-1 on ImageNet, linear probe, %",
    arms={
        "whole": Arm("simsiam", "nothing"),
        "no stop-gradient": Arm("simsiam", "stop-gradient", hyper_parameters={"stop_gradient": False}),
        "no predictor": Arm("simsiam", "predictor", hyper_parameters={"predictor": "none"}),
        "fixed predictor": Arm("simsiam", "training of the predictor", hyper_parameters={"predictor": "fixed"}),
        "no BatchNorm": Arm("simsiam", "BatchNorm of the heads", hyper_parameters={"hidden_norm": False, "output_norm": False}),
    },
    rules=(
        # The loss is a negative cosine, at its bound at -1.
        Collapses("no stop-gradient", "whole", sign="loss", at_most=-0.9),
        Collapses("no predictor", "whole", sign="loss", at_most=-0.9),
        Above("whole", "fixed predictor"),
        Above("whole", "no BatchNorm"),
    ),
    learned=("whole",),
    scales={
        "cpu": DigitsScale(
            budget="51200images",
            cost="about 70 core-minutes, estimated",
            differs=f"{ON_DIGITS}; 800 steps of 64 in place of 250,000 of 512; judged by kNN{SHORT}.",
            recipe={"batch_size": 64},
            evals=(*EVALS, "projection"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 20 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; judged by kNN.",
            evals=(*EVALS, "projection"),
        ),
        "paper": PaperScale(
            budget="100epochs",
            cost="about 225 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}; judged by kNN.",
            evals=(*EVALS, "projection"),
        ),
    },
)
