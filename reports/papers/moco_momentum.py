"""MoCo (He et al. 2020, arXiv:1911.05722), section 4.1: features get better as the key encoder follows more slowly, from 0 to 0.999."""

from reports.claims.figure import EVALS, Arm, Figure
from reports.claims.rules import Above, Rises
from reports.papers._rates import AS_IN_PAPER, ON_CIFAR_GPU, ON_DIGITS, SHORT, DigitsScale, GpuScale, PaperScale

MOMENTA = ("0", "0.9", "0.99", "0.999")

FIGURE = Figure(
    paper="arXiv:1911.05722",
    place="Section 4.1, ablation of momentum",
    claim="MoCo's linear probe rises with the momentum of the key encoder from 0 to 0.999; without momentum training fails.",
    axis="momentum of the key encoder",
    measure="linear",
    logarithmic=True,
    unit="top-1 on ImageNet, linear probe, %",
    arms={name: Arm("moco", name, "MoCo", {"momentum": float(name)}) for name in MOMENTA},
    rules=(Rises(MOMENTA), Above("0.999", "0.9")),
    learned=("0.999",),
    scales={
        "cpu": DigitsScale(
            budget="40960images",
            cost="about 22 core-minutes, estimated",
            differs=f"{ON_DIGITS}; MoCo v2, with a head of two layers, in place of v1; 2,048 keys in place of 4,096, since there are 3,600 "
            f"images; 160 steps, so that a momentum of 0.999 leaves the keys' encoder near its beginning{SHORT}.",
            hyper_parameters={"moco": {"queue": 2048}},
            evals=(*EVALS, "projection"),
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 12 H100-minutes, estimated",
            differs=f"{ON_CIFAR_GPU}; MoCo v2, with a head of two layers, in place of v1.",
        ),
        "paper": PaperScale(
            budget="200epochs",
            cost="about 240 H100-hours, estimated",
            differs=f"{AS_IN_PAPER}; MoCo v2, with a head of two layers, and its queue of 65,536 in place of v1 and 4,096.",
        ),
    },
)
