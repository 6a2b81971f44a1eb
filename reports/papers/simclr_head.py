"""SimCLR (Chen et al. 2020, arXiv:2002.05709), section 4.2, Figure 8: a nonlinear head is better than a linear one, that than none.

And the layer before the head is better than the one after it. The bars of Figure 8 have no numbers, the text says +3 %, more than 10 % and
more than 10 %: shape only.
"""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Above, At
from reports.papers._rates import ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale

FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Section 4.2, Figure 8",
    claim="With SimCLR a nonlinear head gives better features before it than a linear one, a linear one better than none, and all better "
    "ones than there are after it.",
    axis="layers of the head",
    measure="linear",
    arms={
        "none": Arm("simclr", 0, hyper_parameters={"head_layers": 0}),
        "linear": Arm("simclr", 1, hyper_parameters={"head_layers": 1}),
        "nonlinear": Arm("simclr", 2),
    },
    rules=(Above("nonlinear", "linear"), Above("linear", "none"), Above("nonlinear", At("nonlinear", "projection:linear"))),
    learned=("nonlinear",),
    scales={
        "cpu": DigitsScale(
            budget="20480images",
            cost="about 15 core-minutes, estimated",
            differs=f"{ON_DIGITS}; features of 64 numbers, which the head widens to 128, in place of 2,048, which it narrows{SHORT}.",
            evals=(*EVALS, "projection"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 10 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}.",
            evals=(*EVALS, "projection"),
        ),
    },
)
