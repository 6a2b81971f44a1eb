"""A run beside the same run made again: the same bits, or how far each number is from what it was, and whether that is within its interval.

The interval is docs/statistics.md's, "A run made again": of two runs of one setting and one seed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas

from bench.records.record import Result, RunRecord, unpack
from bench.records.verification import Compared, Outcome
from reports.tables.settings import Setting, settings_of
from reports.tables.statistics import CONFIDENCE, of_repetition
from reports.tables.table import KEY, SETTING

ROUNDING = 1e-3
"""Of a number that no image is right or wrong in, computed from the same weights by another processor or library."""


class Of(NamedTuple):
    """What a number is of."""

    evaluator: str
    dataset: str
    split: str
    metric: str
    weights: str | None


@dataclass(frozen=True)
class Comparison:
    """What came of it."""

    outcome: Outcome
    findings: tuple[str, ...]
    """What of the training, and of which numbers there are, is not as it was; a sentence each."""
    compared: tuple[Compared, ...]
    """Numbers that differ."""
    numbers: int
    """How many both have."""


def key_of(result: Result) -> Of:
    """What the number is of."""
    return Of(result.evaluator, result.dataset, result.split, result.metric, result.weights)


def setting_of(frame: pandas.DataFrame, run_id: str) -> Setting:
    """The run's setting with all seeds that the folder has of it: the rows of the frame that may share a table's row with it."""
    facts = frame[[*KEY, *SETTING]].astype(object)
    facts = facts.where(facts.notna(), "").to_numpy()
    own = facts[frame["id"].to_numpy() == run_id][0]
    (setting,) = settings_of(frame.loc[(facts == own).all(axis=1)])
    return setting


def compare(parts: list[RunRecord], again: RunRecord, setting: Setting) -> Comparison:
    """parts: those of the run that count (bench/records/standing.py), or its only one. setting: of all its seeds, this one included."""
    first = parts[0]
    if again.status != first.status:
        said = f"the run is {first.status}, and made again it is {again.status}{f' ({again.reason})' if again.reason else ''}"
        return Comparison("off", (said,), (), 0)
    was: dict[Of, Result] = {}
    for result in (result for record in parts for result in record.results):
        was.setdefault(key_of(result), result)
    now = {key_of(result): result for result in again.results}
    common = [key for key in was if key in now]
    gone = [key for key in was if key not in now]
    training = _training(first, again)
    findings = (*training, *(f"{key.evaluator} does not measure {key.metric} on {key.dataset} any more" for key in gone))
    # From the same weights numbers differ by rounding alone, whatever seeds do to the weights.
    constant = (first.weights_sha256 is not None and first.weights_sha256 == again.weights_sha256) or first.deterministic
    confidence = 1 - (1 - CONFIDENCE) / max(len(common), 1)
    of_seeds = _of_seeds(setting, first.spec["seed"])
    compared = tuple(
        _compared(was[key], now[key], of_seeds.get(key, []), constant, confidence) for key in common if not _same(was[key], now[key])
    )
    outcomes = {each.outcome for each in compared}
    if not common and was:
        outcomes.add("undecided")
    outcome: Outcome = "bit-equal" if not training and not outcomes else "within"
    for word in ("undecided", "off"):
        outcome = word if word in outcomes else outcome
    return Comparison(outcome, findings, compared, len(common))


def _training(first: RunRecord, again: RunRecord) -> list[str]:
    """What two trainings with the same bits have in common, where these do not."""
    said = []
    for name in ("steps", "images", "flops"):
        was, now = getattr(first.cost, name), getattr(again.cost, name)
        if was != now:
            said.append(f"{was:,.10g} {name}, and made again {now:,.10g}")
    apart = next((share for (share, loss), (_, other) in zip(first.loss_curve, again.loss_curve, strict=False) if loss != other), None)
    if apart is not None:
        said.append(f"losses differ from {apart:.0%} of the budget on")
    elif len(first.loss_curve) != len(again.loss_curve):
        said.append(f"a loss curve of {len(first.loss_curve)} points, and made again of {len(again.loss_curve)}")
    if first.weights_sha256 != again.weights_sha256:
        said.append("the final weights differ")
    if first.error != again.error:
        said.append(f"'{first.error}', and made again '{again.error}'")
    return said


def _same(was: Result, now: Result) -> bool:
    return (was.value, was.n, was.chosen, was.correct) == (now.value, now.n, now.chosen, now.correct)


def _of_seeds(setting: Setting, seed: int) -> dict[Of, list[float]]:
    """The values of the setting's other seeds."""
    found: dict[Of, list[float]] = {}
    for result in setting.results:
        if result.seed != seed:
            key = Of(result.evaluator, result.eval_dataset, result.split, result.metric, result.weights or None)
            found.setdefault(key, []).append(result.value)
    return found


def _compared(was: Result, now: Result, others: list[float], constant: bool, confidence: float) -> Compared:
    """One number that is not the same to its last bit, or not of the same images."""
    if was.value is None or now.value is None:
        half, outcome = None, "within" if was.value == now.value else "off"
    else:
        images = None
        if was.correct and now.correct and was.n == now.n and "per_class" not in was.metric:
            images = 100.0 * unpack(now.correct, now.n) - 100.0 * unpack(was.correct, was.n)
        half = of_repetition((was.value, now.value), np.array(others), images, constant, confidence)
        if constant and images is None:
            half = ROUNDING * abs(was.value)
        inside = half is not None and abs(now.value - was.value) <= half
        outcome = "within" if inside or now.value == was.value else "undecided" if half is None else "off"
    return Compared(**key_of(was)._asdict(), value=was.value, again=now.value, half_width=half, outcome=outcome)
