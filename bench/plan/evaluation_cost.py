"""What evaluating will take here, of each evaluator: from records of the same one on this processor, or on any.

evaluator_seconds(plan.todo, ("knn", "linear"), store, 2)    {'features': 40.0, 'knn': 4.0, 'linear': None}
"""

from collections.abc import Iterable
from statistics import median

from bench.evaluation.registry import EXTRACTION
from bench.machine import hardware
from bench.records.store import ResultStore
from bench.spec import RunSpec


def evaluator_seconds(
    specs: tuple[RunSpec, ...],
    requests: tuple[str, ...],
    store: ResultStore,
    threads: int,
    beside: Iterable[ResultStore] = (),
    *,
    anywhere: bool = False,
) -> dict[str, float | None]:
    """Seconds of each evaluator over all runs that lack it, and of extracting features for all of them; None where one was never measured
    with some run's data set, encoder and image size on this processor with so many threads; anywhere: on any with so many. beside: other
    stores, whose records are believed where this one has none; features may have been extracted of other sets there."""
    measured = costs_of_records(store, threads, anywhere)
    if any((request, *setting(spec)) not in measured for spec in specs for request in (EXTRACTION, *requests)):
        for other in beside:
            measured = costs_of_records(other, threads, anywhere) | measured
    total: dict[str, float | None] = dict.fromkeys((EXTRACTION, *requests), 0.0)
    for spec in specs:
        missing = store.missing(spec, requests)
        for request in (EXTRACTION, *missing) if missing else ():
            found, so_far = measured.get((request, *setting(spec))), total[request]
            total[request] = None if found is None or so_far is None else so_far + median(found)
    return total


def setting(spec: RunSpec) -> tuple:
    """What an evaluator's time depends on, beside chance."""
    return spec.dataset, spec.encoder, spec.image_size


def costs_of_records(store: ResultStore, threads: int, anywhere: bool = False) -> dict[tuple, list[float]]:
    """(request, *setting) -> seconds in every record that says them, of this processor with so many threads; anywhere: of any processor."""
    here, costs = hardware.hardware()["model"], {}
    for record in store.records():
        as_here = anywhere or record.hardware.get("model") == here
        if as_here and record.environment.get("threads") == threads and not record.hardware.get("gpu"):
            for request, seconds in record.cost.evaluators.items():
                costs.setdefault((request, *setting(RunSpec.from_json(record.spec))), []).append(seconds)
    return costs
