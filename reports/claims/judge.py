"""A figure's verdict at a scale: the gate, every rule, and one word.

    runs = {"0.1": {0: "1f2e…", 1: …}, …, "floor random": {…}}     arm -> seed -> id of its run; of `asked(figure, scale)`
    points = points_of(figure, scale, frame, runs)
    verdict = judge(figure, scale, points)

reproduced where every rule is, contradicted where one is, else undecided; out of reach where an arm that must have learned is not shown to
be above untrained features, since a comparison of arms that have not learned says something of the budget and nothing of the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas

from bench.spec import PROTOCOL
from reports.claims.contrasts import contrast
from reports.claims.figure import Arm, Figure, Records, floors_of
from reports.claims.measures import Results, parse
from reports.claims.points import Points
from reports.claims.rule import together
from reports.claims.rules import NO_VERDICT, OUT_OF_REACH, REPRODUCED, Collapses, Outcome, Rule
from reports.tables.statistics import FEWEST_SEEDS
from reports.tables.table import KEY

OWN = ("encoder", "encoder_version", "budget_unit", "budget_amount", "pretrain_split")
"""Columns of the frame that an arm may have its own of."""

SHARED = tuple(column for column in KEY if column not in OWN)
"""Those that all runs of a comparison have in common."""

MOST_NAMED = 3
"""So many reasons are named, and of the others how many there are."""


@dataclass(frozen=True)
class Gate:
    """One arm that must have learned, beside the better untrained encoder."""

    arm: str
    floor: str
    """The better one: 'floor random'."""
    difference: float
    interval: tuple[float, float]
    passed: bool
    words: str
    """'0.5 beside floor random +9.3 ± 5.1'"""


@dataclass(frozen=True)
class Verdict:
    """What the records say of a figure at a scale."""

    word: str
    """One of reports.claims.rules.VERDICTS, or `no verdict`."""
    why: str
    """In one line: the statistics of the rules, the distance to the floor, or which runs are missing."""
    gate: tuple[Gate, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    """Of each of `rules`; empty where nothing was judged."""
    rules: tuple[Rule, ...] = ()
    """Those of the figure whose arms this scale runs."""


def floors(figure: Figure, scale: str) -> dict[str, Arm]:
    """Name -> untrained encoder, of all arms that the scale runs: 'floor random', 'floor random vit_nano'."""
    return {floor_name(floor): floor for arm in figure.arms_at(scale).values() for floor in floors_of(arm)}


def floor_name(floor: Arm) -> str:
    """What a floor's runs are called beside the arms'."""
    return " ".join(("floor", floor.method, *((floor.encoder,) if floor.encoder else ())))


def asked(figure: Figure, scale: str) -> dict[str, Arm]:
    """Name -> arm, of all that the scale runs: its arms and their floors."""
    return figure.arms_at(scale) | floors(figure, scale)


def rules_at(figure: Figure, scale: str) -> tuple[Rule, ...]:
    """The figure's rules of which the scale runs every arm."""
    arms = figure.arms_at(scale)
    return tuple(rule for rule in figure.rules if all(name in arms for name in rule.names()))


def points_of(figure: Figure, scale: str, frame: pandas.DataFrame, runs: Mapping[str, Mapping[int, str]]) -> Points:
    """What the frame has of these runs: arm -> seed -> id. UserError for a measure that is none."""
    for measure in (*figure.judged_by, *figure.gated_by):
        parse(measure)
    results = Results(frame, (run for by_seed in runs.values() for run in by_seed.values()))
    beside = {name: tuple(floor_name(floor) for floor in floors_of(arm)) for name, arm in figure.arms_at(scale).items()}
    return Points(figure.measure, lambda arm, by: results.point(runs.get(arm, {}), by), beside, figure.own, problems(results, runs))


def problems(results: Results, runs: Mapping[str, Mapping[int, str]]) -> tuple[str, ...]:
    """Why these runs cannot be set against each other, a sentence for each reason."""
    found, values = [], {column: {} for column in SHARED}
    for arm, by_seed in runs.items():
        for seed, run in sorted(by_seed.items()):
            row = results.runs.get(run)
            if row is not None and row.status != "done":
                found.append(f"{arm}, seed {seed}, {row.status}: {row.error}")
            if row is not None and row.protocol != PROTOCOL:
                found.append(f"{arm}, seed {seed}, was measured by protocol {row.protocol}, and this is {PROTOCOL}")
            for column in SHARED if row is not None else ():
                values[column].setdefault(getattr(row, column), f"{arm}, seed {seed}")
    for column, by_value in values.items():
        if len(by_value) > 1 and column != "protocol":
            found.append(f"runs differ in {column}: " + ", ".join(f"{value} ({where})" for value, where in by_value.items()))
    return tuple(found)


def judge(figure: Figure, scale: str, points: Points) -> Verdict:
    """The verdict on the points of a scale."""
    rules = rules_at(figure, scale)
    lacking = list(points.problems) or incomplete(figure, scale, points, rules)
    if lacking:
        more = f"; and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
        return Verdict(NO_VERDICT, "; ".join(lacking[:MOST_NAMED]) + more, rules=rules)
    gate = tuple(gate_of(arm, points, figure.gate_measure) for arm in learned_at(figure, scale))
    short = [one for one in gate if not one.passed]
    if short:
        return Verdict(OUT_OF_REACH, "not shown to have learned: " + "; ".join(one.words for one in short), gate, rules=rules)
    outcomes = tuple(rule.judge(points) for rule in rules)
    word = together(outcome.verdict for outcome in outcomes)
    return Verdict(word, "; ".join(outcome.words for outcome in outcomes), gate, outcomes, rules)


def learned_at(figure: Figure, scale: str) -> tuple[str, ...]:
    """The arms of the gate that the scale runs."""
    return tuple(arm for arm in figure.learned if arm in figure.arms_at(scale))


def gate_of(arm: str, points: Points, measure: str | None) -> Gate:
    """An arm beside the better of its floors, by the paired interval."""
    floor = points.floor(arm, measure)
    if floor is None:
        raise ValueError(f"{arm} has no untrained encoder beside it")
    difference = contrast([(1, points.of(arm, measure)), (-1, floor[1])])
    words = f"{arm} beside {floor[0]} {difference}"
    return Gate(arm, floor[0], difference.estimate, difference.interval, difference.beyond() == REPRODUCED, words)


def incomplete(figure: Figure, scale: str, points: Points, rules: tuple[Rule, ...]) -> list[str]:
    """Why there can be no verdict yet: runs that are missing, or too few seeds."""
    if not rules:
        return ["no rule is about the arms of this scale"]
    beside = [points.key(arm, figure.gate_measure) for arm in learned_at(figure, scale)]
    read = [key for rule in rules for key in rule.needs(figure.measure, figure.own)] + beside
    beside += [points.key(rule.without, rule.measure) for rule in rules if isinstance(rule, Collapses)]
    read += [(floor, measure) for arm, measure in beside for floor in points.floors.get(arm, ())]
    # That a run is there is known by what it took: an arm that is drawn alone may lack the measure.
    there = {arm: set(points.find(arm, "images").values) for arm in (*figure.arms_at(scale), *(arm for arm, _ in read))}
    chosen = figure.scales[scale]
    seeds = set().union(*there.values()) if isinstance(chosen, Records) else set(chosen.seeds)
    if len(seeds) < FEWEST_SEEDS:
        return [f"{len(seeds)} seed{'s' * (len(seeds) != 1)}, and an interval needs {FEWEST_SEEDS}"]
    absent = [("run", arm, seeds - found) for arm, found in there.items()]
    absent += [(measure, arm, (seeds & there[arm]) - set(points.find(arm, measure).values)) for arm, measure in dict.fromkeys(read)]
    return [
        f"no {what} of {arm}, seed{'s' * (len(those) > 1)} {', '.join(map(str, sorted(those)))}" for what, arm, those in absent if those
    ]
