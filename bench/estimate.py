"""How long a plan will take here: from records of the same setting on this processor, else from one timed step."""

import time

from bench import hardware
from bench.memory import keep_freed_memory
from bench.run import as_seen_by, build_method, load_source
from bench.spec import RunSpec
from bench.store import ResultStore
from bench.trainer import Trainer


def setting(spec: RunSpec) -> tuple:
    """What a step's time depends on."""
    settings = str(sorted(spec.hyper_parameters.items()))
    return (spec.method, settings, spec.encoder, spec.image_size, spec.precision, spec.recipe and spec.recipe.batch_size, spec.dataset)


def rates_of_records(store: ResultStore) -> dict[tuple, tuple[float, float, float]]:
    """setting -> (seconds a step, FLOPs a step, evaluation seconds), from finished runs on this processor and thread count."""
    here = (hardware.hardware()["model"], hardware.environment()["threads"])
    rates = {}
    for record in store.records():
        same = (record.hardware.get("model"), record.environment.get("threads")) == here and record.hardware.get("processes", 1) == 1
        if same and record.status == "done" and record.cost.steps:
            cost = record.cost
            rate = (cost.seconds / cost.steps, cost.flops / cost.steps, cost.evaluation_seconds)
            rates[setting(RunSpec.from_json(record.spec))] = rate
    return rates


def time_one_step(spec: RunSpec, root) -> tuple[float, float, float]:
    """(seconds, FLOPs, 0) of one step on the real data; counting its FLOPs first warms everything up."""
    keep_freed_memory()
    source, num_classes = load_source(spec, root)
    method = build_method(spec, source, num_classes)
    trainer = Trainer(method, as_seen_by(method, source), spec)
    method.train()
    flops = trainer.measure_step(0.0)
    start = time.perf_counter()
    trainer.step(method, trainer.optimizer, trainer.batch(), 0.0)
    return time.perf_counter() - start, flops, 0.0


def estimate_seconds(specs: tuple[RunSpec, ...], store: ResultStore, root=None, workers: int = 1, note=lambda text: None) -> float:
    """Wall-clock seconds for all runs on `workers` processes. Hooks, and evaluations of settings never run here, come on top."""
    rates = rates_of_records(store)
    total = 0.0
    for spec in specs:
        if spec.recipe is None:
            continue
        key = setting(spec)
        if key not in rates:
            note(f"timing a step of {spec.method}")
            rates[key] = time_one_step(spec, root)
        seconds, flops, evaluation = rates[key]
        amount = spec.budget.amount
        steps = {
            "steps": amount,
            "images": amount / spec.recipe.batch_size,
            "flops": amount / max(flops, 1.0),
            "seconds": amount / max(seconds, 1e-9),
        }[spec.budget.unit]
        total += steps * seconds + evaluation
    return total / workers


def in_words(seconds: float) -> str:
    """'40 s', '5 min', '3.2 h'"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
