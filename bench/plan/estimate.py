"""How long a plan will take here: from records of the same setting on this processor, else from one timed step."""

import time

import methods
from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.source import load_source
from bench.encoders import factory
from bench.machine import hardware
from bench.machine.memory import keep_freed_memory
from bench.method import build, on_paper
from bench.parts.budgets import short_of
from bench.plan.complete import own_code
from bench.records.store import ResultStore
from bench.run.build import as_seen_by, build_method
from bench.spec import RunSpec, canonical, method_name, settled
from bench.training.trainer import Trainer


def setting(spec: RunSpec) -> tuple:
    """What a step's time depends on."""
    settings = canonical(spec.hyper_parameters)
    network = spec.encoder, spec.encoder_version, spec.image_size, spec.precision
    return (spec.method, settings, *network, spec.recipe and spec.recipe.batch_size, spec.dataset)


def rates_of_records(store: ResultStore, threads: int, on_gpu: bool = False) -> dict[tuple, tuple[float, float, float]]:
    """setting -> (seconds a step, FLOPs a step, evaluation seconds), from finished runs on this processor with so many threads; or on
    any GPU."""
    here, rates = (hardware.hardware()["model"], threads), {}
    for record in store.records():
        ran_on = (record.hardware.get("model"), record.environment.get("threads"))
        fits = record.hardware.get("processes", 1) == 1 and (bool(record.hardware.get("gpu")) if on_gpu else ran_on == here)
        if fits and record.status == "done" and record.cost.steps:
            cost = record.cost
            rate = (cost.seconds / cost.steps, cost.flops / cost.steps, cost.evaluation_seconds)
            rates[setting(RunSpec.from_json(record.spec))] = rate
    return rates


def time_one_step(spec: RunSpec, data: DataSet, threads: int) -> tuple[float, float, float]:
    """(seconds, FLOPs, 0) of one step on the real data; counting its FLOPs first warms everything up. A UserError with the method's own
    line where that fails."""
    keep_freed_memory()
    source, num_classes = load_source(spec, data, threads)
    with own_code(f"{spec.method} fails in its first step"):
        method = build_method(spec, source, num_classes)
        trainer = Trainer(method, as_seen_by(method, source), spec)
        method.train()
        flops = trainer.measure_step(0.0)
        start = time.perf_counter()
        trainer.step(method, trainer.optimizer, trainer.batch(), 0.0).item()  # waits for the device
        return time.perf_counter() - start, flops, 0.0


def seconds_of(spec: RunSpec, rate: tuple[float, float, float]) -> float:
    """Of one run, from (seconds a step, FLOPs a step, evaluation seconds)."""
    seconds, _, evaluation = rate
    return steps_of(spec, rate) * seconds + evaluation


def steps_of(spec: RunSpec, rate: tuple[float, float, float]) -> float:
    """How many steps its budget is, hooks left out."""
    seconds, flops, _ = rate
    amount = spec.budget.amount
    return {
        "steps": amount,
        "images": amount / settled(spec.recipe).batch_size,
        "flops": amount / max(flops, 1.0),
        "seconds": amount / max(seconds, 1e-9),
    }[spec.budget.unit]


def too_short(specs: tuple[RunSpec, ...], data: DataSets, rates: dict[tuple, tuple[float, float, float]]) -> list[str]:
    """A line for each method that needs more of a budget than it has (bench/parts/budgets.py). rates: as of `estimate_seconds`."""
    lines = {}
    for spec in specs:
        key = setting(spec), spec.budget
        if spec.recipe is not None and key not in lines and (rate := rates.get(key[0])):
            found, cls = data.require(spec.dataset), methods.load(spec.method)
            with on_paper():
                make_encoder = factory.factory(settled(spec.encoder), settled(spec.image_size))
                info = found.info(spec.pretrain_split, settled(spec.image_size))
                method = build(cls, make_encoder, info, found.num_classes if cls.uses_labels else 0, spec.hyper_parameters)
            missed = short_of(method.needed(spec.recipe.batch_size), steps_of(spec, rate))
            lines[key] = f"{spec.budget} are short for {method_name(spec.method)}: {'; '.join(missed)}" if missed else ""
    return [line for line in lines.values() if line]


def estimate_seconds(
    specs: tuple[RunSpec, ...],
    store: ResultStore,
    data: DataSets,
    threads: int,
    workers: int = 1,
    note=lambda text: None,
    rates: dict[tuple, tuple[float, float, float]] | None = None,
) -> float:
    """Wall-clock seconds for all runs on `workers` processes of so many threads, which torch has already. Hooks, and evaluations of
    settings never run here, come on top. rates: gets (seconds a step, FLOPs a step, evaluation seconds) of every setting."""
    rates = {} if rates is None else rates
    rates.update(rates_of_records(store, threads))
    total = 0.0
    for spec in specs:
        if spec.recipe is None:
            continue
        key = setting(spec)
        if key not in rates:
            note(f"timing a step of {spec.method}")
            rates[key] = time_one_step(spec, data.require(spec.dataset), threads)
        total += seconds_of(spec, rates[key])
    return total / workers


def job_hours(
    specs: tuple[RunSpec, ...], store: ResultStore, data: DataSets, threads: int, gpus: int, pack: int, note=lambda text: None
) -> list[str]:
    """Lines that say what runs on a cluster will cost, for each setting and budget and together, and what that was reckoned from: records
    of runs on a GPU where there are any, else a step timed here."""
    measured, total, lines = rates_of_records(store, threads, on_gpu=True) if gpus else {}, 0.0, []
    unit = "GPU-hours" if gpus else "process-hours"
    by_setting: dict[tuple, list[RunSpec]] = {}
    for spec in specs:
        if spec.recipe is not None:
            by_setting.setdefault((setting(spec), spec.budget), []).append(spec)
    for (key, _), runs in by_setting.items():
        rate, how = measured.get(key), "records on a GPU"
        if rate is None:
            note(f"timing a step of {runs[0].method}")
            rate = time_one_step(runs[0], data.require(runs[0].dataset), threads)
            how = f"a step timed here, on {hardware.describe_device(1, threads)}"
        hours = seconds_of(runs[0], rate) * max(1, gpus) / pack / 3600
        total += hours * len(runs)
        images = settled(runs[0].recipe).batch_size / max(rate[0], 1e-9)
        what = f"{runs[0].method}, {runs[0].encoder}, {runs[0].budget}"
        lines.append(f"{what}: {hours:.2g} {unit} a run, {len(runs)} runs ({rate[1]:.3g} FLOPs a step, {images:,.0f} images/s: {how})")
    return [*lines, f"together about {total:.2g} {unit}: an estimate, without hooks, start-up, or evaluations never run before"]


def in_words(seconds: float) -> str:
    """'40 s', '5 min', '3.2 h'"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
