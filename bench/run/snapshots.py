"""A run evaluated on its way: what a look (bench/training/snapshots.py) measures, on a copy, so that the run is as it was.

The copy is a whole method: it is evaluated in eval mode, with BatchNorm's statistics taken anew where the run's own will be at its end. By
default no test image is read: the probe is fitted on train and scored on val.
"""

import copy
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict

from bench.compute import collectives
from bench.compute.randomness import untouched
from bench.data.catalogue import DataSets
from bench.data.source import Source
from bench.errors import UserError, said
from bench.evaluation.evaluate import evaluate
from bench.machine.signals import Interrupted, StopSignals
from bench.records.record import COLLAPSE, Result, Snapshot
from bench.run.heartbeat import Heartbeat
from bench.spec import RunSpec
from bench.training.hook import retake_statistics
from bench.training.trainer import Trainer


def looks(
    spec: RunSpec, evals: tuple[str, ...], source: Source, data: DataSets, threads: int, signals: StopSignals, heartbeat: Heartbeat
) -> Callable[[Trainer, float], dict | None]:
    """What a trainer's controls have as `snapshot`. source: with all that evaluators see of the images; data: where their targets are."""

    def look(trainer: Trainer, asked: float) -> dict | None:
        meter, clock, results, error = trainer.meter, time.perf_counter(), [], None

        def report(request: str, done: float) -> None:
            heartbeat.write("training", trainer, f"snapshot at {asked:.0%}, {request} {done:.0%}")

        try:
            with untouched(source.device), collectives.alone():
                twin = copy.deepcopy(trainer.method)
                retake_statistics(twin, trainer.source, spec)
                results, _ = evaluate(twin, spec, source, evals, data, threads, signals, report, heartbeat.path.parent)
        except Interrupted:
            return None
        except (UserError, OSError):
            raise
        except Exception as reason:  # as features that are not finite: the training is told of them by its loss
            error = said(reason)
        warn(spec, asked, results, error)
        taken = Snapshot(
            asked=asked,
            share=trainer.share,
            steps=meter.steps,
            images=meter.images,
            flops=meter.flops,
            evals=evals,
            results=tuple(results),
            seconds=time.perf_counter() - clock,
            error=error,
        )
        return asdict(taken)

    return look


def warn(spec: RunSpec, asked: float, results: list[Result], error: str | None) -> None:
    """Where features have collapsed, in how many directions they still differ; where nothing could be measured, why."""
    values = {(result.evaluator, result.metric): result.value for result in results if result.weights is None}
    at = f"{spec.name} at {asked:.0%} of the budget"
    if error:
        warnings.warn(f"{at}: no snapshot, since its evaluation failed: {error}", stacklevel=2)
    if values.get(COLLAPSE):
        directions = values.get((COLLAPSE[0], "rankme_centred")) or math.nan
        warnings.warn(f"{at}: its features have collapsed, and differ in {directions:.2g} directions; the run goes on", stacklevel=2)


def of_record(trainer: Trainer | None) -> tuple[Snapshot, ...]:
    """Those that were taken, as its record has them."""
    taken = trainer.snapshots.taken if trainer else []
    return tuple(Snapshot(**{**one, "results": tuple(Result(**result) for result in one["results"])}) for one in taken)
