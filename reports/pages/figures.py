"""The page of a paper's figure: the claim, its verdict at each scale, the picture, the rule and every number.

    files(name, figure, [at_cpu])     {"simclr_temperature.md": bytes, ....svg, ....png, ....csv, ....json}
    index(every)                      docs/figures.md, made in figure_index.py

A function of the records and of the figure's file: the same ones give the same bytes.
"""

import csv
import io
from collections.abc import Sequence

from bench.spec import Budget
from reports.claims.at_scale import AtScale, Number
from reports.claims.figure import Figure, Records
from reports.claims.reference import Published, beside, published
from reports.claims.rules import Rule
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.plots.cost import render
from reports.plots.figures import agreement_of, draw, shown
from reports.tables.columns import rounded
from reports.tables.provenance import together

RECORDS = "results/figures"
"""Where the records of scales lie that no suite has made."""

TEXT = ("arm", "scale", "verdict", "what the records say", "series", "x", "unit", "confidence", "source", "published")
"""Columns of tables that are text."""

CONFIDENCE = {
    "paper": "read in the paper",
    "copy": "read in a secondary copy",
    "by eye": "read off the picture",
}
"""What figures.csv says of a point -> the same in words."""

COLUMNS = ("where", "arm", "series", "x", "measure", "unit", "seed", "value", "run")
"""Of the CSV: a row for each published point, and for each arm, measure and seed of ours."""


def files(name: str, figure: Figure, scales: Sequence[AtScale]) -> dict[str, bytes]:
    """All files of one figure by their names. scales: those that it has, in its order, with records or without."""
    points = published(name)
    picture = draw(figure, points, scales)
    made_of = together(at.made_of for at in scales)
    made = {f"{name}.{kind}": render(picture, kind, made_of) for kind in ("svg", "png")}
    numbers = table(figure, points, scales)
    made |= {f"{name}.csv": numbers.encode(), f"{name}.json": as_json(name, figure, scales, numbers)}
    return {f"{name}.md": page(name, figure, points, scales).encode()} | made


def as_json(name: str, figure: Figure, scales: Sequence[AtScale], numbers: str) -> bytes:
    """The claim, its verdict at each scale with what it rests on and was made of, and every number. numbers: as `table` has them."""
    return programs.text(
        {
            "figure": name,
            "paper": figure.paper,
            "place": figure.place,
            "claim": figure.claim,
            "rules": [rule.words() for rule in figure.rules],
            "scales": [
                {
                    "scale": at.scale,
                    "verdict": at.word,
                    "why": at.why,
                    "gate": [{"words": one.words, "passed": one.passed} for one in at.verdict.gate],
                    "runs": at.count,
                    "asked_for": at.total,
                    "made_of": at.made_of.facts(),
                }
                for at in scales
            ],
            "numbers": programs.rows(numbers),
        }
    )


def page(name: str, figure: Figure, points: Sequence[Published], scales: Sequence[AtScale]) -> str:
    """The page as Markdown."""
    begun = [at for at in scales if at.count]
    parts = [
        f"# {name}\n",
        f"**{escape(figure.claim.rstrip('.'))}.** {linked(figure.paper)}, {escape(figure.place)}.\n",
        grid(["scale", "verdict", "what the records say"], [[at.scale, at.word, at.why] for at in scales], TEXT),
        f"![{escape(figure.claim)}]({name}.svg)\n",
        f"{caption(figure, points)}\n",
        "## The rule, fixed before a run\n",
        "\n".join(f"- {escape(rule.words())}{only_at(rule, scales)}" for rule in figure.rules) + "\n",
        gate(figure) + "\n",
        *(gates(at) for at in begun if at.verdict.gate),
        *(part for at in scales for part in of_scale(name, figure, points, at)),
        *sources(points),
    ]
    return "\n".join(part for part in parts if part)


def linked(paper: str) -> str:
    """'arXiv:2002.05709' as a link."""
    kind, _, number = paper.partition(":")
    address = {"arXiv": f"https://arxiv.org/abs/{number}", "doi": f"https://doi.org/{number}"}.get(kind)
    return f"[{escape(paper)}]({address})" if address else escape(paper)


def only_at(rule: Rule, scales: Sequence[AtScale]) -> str:
    """Where a rule is judged, if not at every scale: ' (gpu)'."""
    names = [at.scale for at in scales if rule in at.verdict.rules]
    return "" if len(names) == len(scales) else f" ({', '.join(names) or 'at no scale'})"


def caption(figure: Figure, points: Sequence[Published]) -> str:
    """What the picture shows."""
    theirs = (
        f"Left the published points ({escape(figure.unit or points[0].unit)})" if points else "No published point has a source: shape only"
    )
    by = (
        "by both measures"
        if agreement_of(figure)
        else f"by {escape(', '.join(figure.judged_by))}, seeds as faint dots, untrained encoders as dashed lines"
    )
    return f"{theirs}; ours {by}, with 95 % intervals over seeds and test images. The axes of y are not the same."


def gate(figure: Figure) -> str:
    """Who must have learned."""
    if not figure.learned:
        return "No arm need have learned for this to be judged."
    by = ", ".join(figure.gated_by)
    names = ", ".join(map(escape, figure.learned))
    return (
        f"Judged only where {names} lie above the better untrained encoder by {escape(by)}, beyond the interval; else it is out of reach."
    )


def gates(at: AtScale) -> str:
    """The gate with its numbers, at one scale."""
    return "\n".join(f"- {at.scale}: {escape(one.words)}{'' if one.passed else ': not above it'}" for one in at.verdict.gate) + "\n"


def of_scale(name: str, figure: Figure, points: Sequence[Published], at: AtScale) -> list[str]:
    """A scale's section: its numbers, what differs, its cost and its command."""
    command = f"    run_bench.py figure run {name} --scale {at.scale}\n"
    if not at.count:
        return [f"## {at.scale}: not run\n", f"{sentence(at.chosen.differs)} Cost: {escape(at.chosen.cost)}.\n", command]
    lines = [f"{at.count} of {at.total} runs are there: nothing is judged."] if at.count < at.total else []
    lines += [f"Left out: {escape(sentence)}." for sentence in at.left_out]
    return [
        f"## {at.scale}: {at.word}\n",
        f"{escape(setting(at))}.\n",
        numbers(figure, points, at),
        *(f"{line}\n" for line in lines),
        f"What differs from the paper: {sentence(at.chosen.differs)}\n",
        f"Cost: {rounded(at.minutes)} core-minutes measured, set-up and evaluation included, on {escape(at.hardware)}. "
        f"Records: [{folder(at)}](../../{folder(at)}).\n",
        command,
    ]


def sentence(text: str) -> str:
    """With one full stop, however it was written."""
    return f"{escape(text.rstrip('.'))}."


def folder(at: AtScale) -> str:
    """Where its records are committed."""
    return f"results/{at.chosen.suite}" if isinstance(at.chosen, Records) else RECORDS


def setting(at: AtScale) -> str:
    """'mnist5k, resnet8, 20,480 items, float32, 5 seeds'"""
    chosen, seeds = at.chosen, len({seed for wanted in at.wanted.values() for seed in wanted})
    if isinstance(chosen, Records):
        return ", ".join(part for part in (f"the suite {chosen.suite}", chosen.encoder, f"{seeds} seeds") if part)
    budget = str(Budget.parse(chosen.budget))
    return ", ".join(part for part in (chosen.dataset, chosen.encoder, budget, chosen.precision, f"{seeds} seeds") if part)


def numbers(figure: Figure, points: Sequence[Published], at: AtScale) -> str:
    """The table of arms and floors."""
    measures = [measure for measure in at.measures if any(at.cell(arm, measure) for arm in (*at.arms, *at.floors))]
    head = ["arm", *measures, "published", "seeds", "items", "TFLOP", "s"]
    body = []
    for name, arm in (at.arms | at.floors).items():
        theirs = beside(arm, tuple(points), figure.unit) if name in at.arms else ()
        cells = [number(at.cell(name, measure)) for measure in measures]
        body.append([name, *cells, f"{theirs[0].y:g}" if theirs else "–", *cost(at, name)])
    return grid(head, body, TEXT)


def number(cell: Number | None) -> str:
    """'90.2 ± 2.1'; more digits where it is small."""
    if cell is None:
        return "–"
    digits = 1 if abs(cell.mean) >= 10 else 2
    return f"{cell.mean:.{digits}f}" + ("" if cell.half_width is None else f" ± {cell.half_width:.{digits}f}")


def cost(at: AtScale, arm: str) -> list[str]:
    """Seeds, images, TFLOP, seconds of training."""
    found = at.cost(arm)
    if found is None:
        return ["0", "–", "–", "–"]
    return [str(found.runs), f"{found.images:,.0f}", rounded(found.flops / 1e12), rounded(found.seconds)]


def sources(points: Sequence[Published]) -> list[str]:
    """Every published point with its source."""
    if not points:
        return []
    head = ["series", "x", "y", "unit", "confidence", "source"]
    body = [[p.series, shown(p.x), f"{p.y:g}", p.unit, CONFIDENCE.get(p.confidence, p.confidence), p.source] for p in points]
    return ["## Published points\n", grid(head, body, TEXT)]


def table(figure: Figure, points: Sequence[Published], scales: Sequence[AtScale]) -> str:
    """Every number of the page and the picture as CSV, one a row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(("published", "", point.series, shown(point.x), "", point.unit, "", f"{point.y:g}", "") for point in points)
    for at in scales:
        for name, arm in (at.arms | at.floors).items():
            for measure in at.measures:
                cell = at.cell(name, measure)
                for seed, value in cell.values.items() if cell else ():
                    run = at.runs.get(name, {}).get(seed, "")
                    writer.writerow((at.scale, name, arm.series, shown(arm.x), measure, "", seed, repr(float(value)), run))
    return text.getvalue()
