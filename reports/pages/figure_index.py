"""The index of all figures, docs/figures.md: a row for each, and above it how many have which verdict and how many chance alone would give.

page({"simclr_temperature": (figure, [at_cpu, at_gpu]), ...})
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from reports.claims.at_scale import AtScale
from reports.claims.figure import Figure
from reports.claims.rules import CONTRADICTED, REPRODUCED, UNDECIDED, VERDICTS
from reports.pages.figures import linked
from reports.pages.markdown import escape, grid
from reports.tables.columns import rounded

ONE_WAY = 0.025
"""How often a rule goes one way where there is no effect: half of what a 95 % interval leaves."""

JUDGED = (REPRODUCED, CONTRADICTED, UNDECIDED)
"""Verdicts of figures that passed their gate."""

INTRODUCTION = """\
# Figures of papers

Each row is one claim of a paper, in a sentence that could have turned out false, and what the records here say of it at each scale, by a
rule and a gate that were fixed before a run. **reproduced**: the interval lies wholly on the claimed side, for every rule.
**contradicted**: for one rule wholly on the other. **undecided**: neither. **out of reach**: an arm that must have learned is not above
untrained features, so nothing is judged. A verdict belongs to its scale: `contradicted` at a small one is no word on the paper, and the
figure's page says what differs.

    run_bench.py figure list                # what there is, what it costs, what was found
    run_bench.py figure run NAME --scale cpu
    run_bench.py figure run all --scale cpu # of every figure, a run that several ask for once; `plan all` says how long
    run_bench.py figure draw all            # these pages, from the records alone
"""


def page(every: Mapping[str, tuple[Figure, Sequence[AtScale]]]) -> str:
    """The whole page. every: by name, with all scales of each."""
    scales = list(dict.fromkeys(at.scale for _, shown in every.values() for at in shown))
    of_scale = {scale: [at for _, shown in every.values() for at in shown if at.scale == scale] for scale in scales}
    begun = {scale: shown for scale, shown in of_scale.items() if any(at.count for at in shown)}
    parts = [INTRODUCTION]
    if begun:
        head = ["scale", "figures", *VERDICTS, "no verdict", "by chance alone"]
        parts.append(grid(head, [counted(scale, shown) for scale, shown in begun.items()], ("scale", "by chance alone")))
        parts.append(
            "By chance alone: how many verdicts each way there would be at most if no claim had anything in it, 2.5 % of the judged\n"
            "figures reproduced and 2.5 % of their rules contradicted. Nothing is corrected for the number of figures.\n"
        )
    head = ["figure", "paper", "claim", *scales, "what the records say", "core-minutes"]
    text = ("figure", "paper", "claim", *scales, "what the records say")
    body = [row(name, figure, shown, scales) for name, (figure, shown) in every.items()]
    parts.append(grid(head, body, text, markdown=("figure", "paper")))
    return "\n".join(parts)


def counted(scale: str, shown: Sequence[AtScale]) -> list[str]:
    """How many figures of a scale have each verdict."""
    words = Counter(at.word for at in shown)
    judged = [at for at in shown if at.word in JUDGED]
    rules = sum(len(at.verdict.rules) for at in judged)
    chance = f"{rounded(ONE_WAY * len(judged))} reproduced, {rounded(ONE_WAY * rules)} contradicted" if judged else "–"
    others = len(shown) - sum(words[word] for word in VERDICTS)
    return [scale, str(len(shown)), *(str(words[word]) for word in VERDICTS), str(others), chance]


def row(name: str, figure: Figure, shown: Sequence[AtScale], scales: Sequence[str]) -> list[str]:
    """A figure's line: its verdicts, the statistic of the first scale that has one, and what its runs took together."""
    at_scale = {at.scale: at for at in shown}
    verdicts = [at_scale[scale].word if scale in at_scale else "–" for scale in scales]
    said = next((at.why for at in shown if at.word in VERDICTS), "–")
    minutes = sum(at.minutes for at in shown if at.count)
    paper = f"{linked(figure.paper)}, {escape(figure.place)}"
    return [f"[{name}](figures/{name}.md)", paper, figure.claim, *verdicts, said, rounded(minutes) if minutes else "–"]
