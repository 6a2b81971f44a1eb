"""What a record says of itself: whether its numbers agree with each other. Nothing is trained, no image is read, and nobody's code is run.

    for finding in disagreements(record, path.read_text()):
        print(finding)      'line 14: linear on digits, test top1: 93.1 is said, and 331 of 359 images are right, which is 92.2006'

Of what is looked at, docs/contribute_results.md has the reasons, and what all committed records come to.
"""

import base64
import binascii
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator

from bench.data import catalogue
from bench.records.record import Result, RunRecord, unpack
from bench.spec import ids_of
from bench.training.hook import STATISTICS_IMAGES
from bench.training.loss_curve import CURVE_POINTS

ROUNDING = 1e-6
"""Percent, and shares of a budget: sums in another order."""

OVER = 0.05
"""Of a budget in FLOPs or seconds: what a hook before the last step may take beyond it."""

LOOKED_AT = "id and spec, budget and meters, loss curve, evaluators and results, outcomes of images and values"
"""In words, for whoever reads what could be checked."""


def disagreements(record: RunRecord, text: str) -> list[str]:
    """Sentences, each with the line of the record's file that it is about; none of a sound record. text: the file."""
    lines = text.splitlines()
    return [f"line {line}: {said}" if (line := line_of(key, lines)) else said for key, said in _found(record)]


def line_of(key: str | Result, lines: list[str]) -> int | None:
    """Where a field of the record begins, or where a result stands, counted from 1; None where the file is laid out in another way."""
    for number, line in enumerate(lines, start=1):
        stripped = line.strip().rstrip(",")
        if isinstance(key, str):
            if stripped.startswith(f'"{key}":'):
                return number
        elif stripped.startswith("{"):
            try:
                values = json.loads(stripped)
            except ValueError:
                continue
            if all(values.get(name) == getattr(key, name) for name in ("evaluator", "dataset", "split", "metric", "weights", "value")):
                return number
    return None


def _found(record: RunRecord) -> Iterator[tuple[str | Result, str]]:
    """(field or result, what is wrong with it)"""
    if record.id not in ids_of(record.spec):
        yield "id", f"the id {record.id} is not the hash of the spec, {ids_of(record.spec)[0]}"
    yield from _of_budget(record)
    yield from _of_curve(record)
    yield from _of_results(record)


def _of_budget(record: RunRecord) -> Iterator[tuple[str, str]]:
    """A run stops at the first step with which its budget is spent. FLOPs and seconds may be more than that by a last step, by features
    that a hook asks for, and by the images on which BatchNorm's statistics are taken anew."""
    cost, recipe, budget = record.cost, record.spec.get("recipe"), record.spec["budget"]
    if any(value < 0 for value in (cost.steps, cost.images, cost.flops, cost.seconds, cost.setup_seconds, cost.evaluation_seconds)):
        yield "cost", "a meter is below 0"
    if not record.trained or not recipe:
        if cost.steps or cost.images:
            yield "cost", f"nothing was trained, and {cost.steps} steps and {cost.images} images are counted"
        return
    batch = recipe["batch_size"]
    if cost.images != cost.steps * batch:
        yield "cost", f"{cost.images:,} images are not {cost.steps:,} steps of {batch}"
    unit, amount = budget["unit"], budget["amount"]
    spent = getattr(cost, unit)
    step = {"steps": 1, "images": batch}.get(unit, spent / max(cost.steps, 1))
    over = step if unit in ("steps", "images") else max(step * (1 + STATISTICS_IMAGES / batch), OVER * amount)
    said = f"{spent:g} {unit} are spent of a budget of {amount:g}"
    if record.status == "done" and spent < amount * (1 - ROUNDING):
        yield "cost", f"{said}: too few for a run that is done"
    if spent >= (amount + over) * (1 + ROUNDING):
        yield "cost", f"{said}: more than a last step can be beyond it ({over:g})"


def _of_curve(record: RunRecord) -> Iterator[tuple[str, str]]:
    """At most one point in each hundredth of the budget, none without a step, and the last at its end. Nothing is asked of the losses but
    that they are numbers: they may rise, where a task gets harder, and they may stand still."""
    curve, budget, recipe = record.loss_curve, record.spec["budget"], record.spec.get("recipe")
    if not record.trained or not recipe:
        if curve:
            yield "loss_curve", "nothing was trained, and it has a curve"
        return
    shares = [share for share, _ in curve]
    if record.status == "done" and not curve:
        yield "loss_curve", "a run that is done has a curve, and this one has no point"
    if len(curve) > min(record.cost.steps, CURVE_POINTS):
        yield "loss_curve", f"{len(curve)} points are more than {record.cost.steps:,} steps and {CURVE_POINTS} hundredths can leave"
    places = [CURVE_POINTS if share >= 1 else math.floor(share * CURVE_POINTS) for share in shares]
    if any(share <= 0 or share > 1 for share in shares) or any(a >= b for a, b in itertools.pairwise(places)):
        yield "loss_curve", "its points do not lie one after another, each in another hundredth of the budget"
    if budget["unit"] not in ("steps", "images"):
        return
    # A hook costs neither steps nor images: the last step is the end, and every point is after a whole number of them.
    if record.status == "done" and shares and shares[-1] < 1:
        yield "loss_curve", f"it ends at {shares[-1]:.4g} of the budget, and the run is done"
    step = (1 if budget["unit"] == "steps" else recipe["batch_size"]) / budget["amount"]
    if any(abs(share / step - round(share / step)) > ROUNDING * share / step for share in shares if share < 1):
        yield "loss_curve", "a point lies between two steps"


def _of_results(record: RunRecord) -> Iterator[tuple[str | Result, str]]:
    """Each evaluator that is listed has measured something, nothing is measured twice, and what images say is the value."""
    asked, measured = {name.partition(":")[0] for name in record.evals}, {result.evaluator for result in record.results}
    # A floor has no projector, and an evaluator of projectors nothing to say of it.
    if record.status == "done" and (measured - asked or (record.trained and asked - measured)):
        yield "evals", f"evaluators {', '.join(sorted(asked))} are listed, and there are results of {', '.join(sorted(measured)) or 'none'}"
    times = Counter((result.evaluator, result.dataset, result.split, result.metric, result.weights) for result in record.results)
    for result in record.results:
        named = f"{result.evaluator} on {result.dataset}, {result.split} {result.metric}"
        if times[result.evaluator, result.dataset, result.split, result.metric, result.weights] > 1:
            yield result, f"{named}: measured twice"
        yield from ((result, f"{named}: {said}") for said in _of_result(result))
    for snapshot in record.snapshots:
        for result in snapshot.results:
            yield from (("snapshots", f"at {snapshot.asked:g}, {result.evaluator} {result.metric}: {said}") for said in _of_result(result))


def _of_result(result: Result) -> Iterator[str]:
    known = catalogue.entry(result.dataset) if result.dataset in catalogue.names() else None
    if known and result.metric == known.metric and (size := known.sizes.get(result.split)) and result.n != size:
        yield f"measured on {result.n:,} images, and {result.split} has {size:,}"
    if result.metric == "top1" and result.split == "test" and result.correct is None:
        yield "it does not say which images were right"
    if result.correct is None:
        return
    try:
        size = len(base64.b64decode(result.correct, validate=True))
    except binascii.Error:
        yield "which images were right is not in base64"
        return
    if size != math.ceil(result.n / 8):
        yield f"outcomes of {result.n:,} images take {math.ceil(result.n / 8):,} bytes, and there are {size:,}"
        return
    # A mean over classes cannot be taken without the labels.
    right = int(unpack(result.correct, result.n).sum())
    if "per_class" not in result.metric and (result.value is None or abs(result.value - 100 * right / result.n) > ROUNDING):
        said = "no value" if result.value is None else f"{result.value:.6g}"
        yield f"{said} is said, and {right:,} of {result.n:,} images are right, which is {100 * right / result.n:.6g}"
