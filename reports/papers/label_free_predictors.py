"""RankMe (Garrido et al. 2023, arXiv:2210.02885): over the settings of one method, the linear probe rises with the rank of its embeddings.

Its points were found in no text: shape only. The runs are those of five other figures, whose records it shares.
"""

from dataclasses import replace

from reports.claims.figure import EVALS, Figure
from reports.claims.rules import Agrees
from reports.papers import moco_momentum, moco_queue, simclr_temperature, vicreg_terms, vicreg_width
from reports.papers._rates import ON_DIGITS, SHORT, DigitsScale

GROUPS = {
    "SimCLR, temperature": simclr_temperature.FIGURE,
    "MoCo, momentum": moco_momentum.FIGURE,
    "MoCo, queue": moco_queue.FIGURE,
    "VICReg, terms": vicreg_terms.FIGURE,
    "VICReg, width": vicreg_width.FIGURE,
}
ARMS = {
    group: {
        f"{group} {name}": replace(
            arm,
            series=group,
            budget=figure.scales["cpu"].budget,
            hyper_parameters={**figure.scales["cpu"].hyper_parameters.get(arm.method, {}), **arm.hyper_parameters},
        )
        for name, arm in figure.arms_at("cpu").items()
    }
    for group, figure in GROUPS.items()
}

FIGURE = Figure(
    paper="arXiv:2210.02885",
    place="Abstract",
    claim="Over the settings of one method, the linear probe is better the higher the rank of the embeddings (RankMe) is.",
    axis="setting",
    measure="linear",
    arms={name: arm for group in ARMS.values() for name, arm in group.items()},
    rules=(Agrees(tuple(tuple(group) for group in ARMS.values()), "linear", "projection:rankme"),),
    scales={
        "cpu": DigitsScale(
            budget="20480images",
            cost="nothing beside the figures whose runs these are",
            differs=f"{ON_DIGITS}; settings of five ablations, 22 in all, in place of hundreds of hyper-parameters' values{SHORT}.",
            evals=(*EVALS, "projection"),
        ),
    },
)
