"""How long a plan will take here, and whether that is enough for its methods: from records of the same setting on this processor, else from
one timed step."""

import math
import time
from dataclasses import dataclass

import methods
from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.source import load_source
from bench.encoders import factory
from bench.machine import hardware
from bench.machine.memory import give_back_freed_memory, keep_freed_memory
from bench.method import build, on_paper
from bench.parts.budgets import short_of
from bench.plan.complete import own_code
from bench.plan.hook import hook_on_paper
from bench.plan.step import task_on_paper
from bench.records.store import ResultStore
from bench.run.build import as_seen_by, build_method
from bench.spec import RunSpec, canonical, method_name, settled
from bench.training.clock import left_for_steps
from bench.training.trainer import Trainer


@dataclass(frozen=True)
class Rate:
    """What a step costs."""

    seconds: float
    flops: float
    evaluation: float = 0.0
    """Seconds of a run's evaluation; 0 where none was measured."""
    steps: int = 0
    """Of the run that seconds and FLOPs are a mean over, its hooks among them; 0 where they are those of one step alone."""

    def without_hooks(self, hook: tuple[float, float], steps_per_epoch: int) -> "Rate":
        """Of steps alone. hook: FLOPs of a run's first hook, and of each later one, which take as many seconds a FLOP as steps do."""
        if not self.steps:
            return self
        hooks = hook[0] + (math.ceil(self.steps / steps_per_epoch) - 1) * hook[1]
        share = 1 - hooks / max(self.flops * self.steps, 1.0)
        # A record in which the hooks were not counted would have less than nothing left.
        return Rate(self.seconds * share, self.flops * share) if share > 0 else self


def setting(spec: RunSpec) -> tuple:
    """What a step's time depends on."""
    settings = canonical(spec.hyper_parameters)
    network = spec.encoder, spec.encoder_version, spec.image_size, spec.precision
    return (spec.method, spec.method_version, settings, *network, spec.recipe and spec.recipe.batch_size, spec.dataset)


def rates_of_records(store: ResultStore, threads: int, on_gpu: bool = False) -> dict[tuple, Rate]:
    """setting -> what a step costs, from finished runs on this processor with so many threads; or on
    any GPU."""
    here, rates = (hardware.hardware()["model"], threads), {}
    for record in store.records():
        ran_on = (record.hardware.get("model"), record.environment.get("threads"))
        fits = record.hardware.get("processes", 1) == 1 and (bool(record.hardware.get("gpu")) if on_gpu else ran_on == here)
        if fits and record.status == "done" and record.cost.steps:
            cost = record.cost
            rate = Rate(cost.seconds / cost.steps, cost.flops / cost.steps, cost.evaluation_seconds, cost.steps)
            rates[setting(RunSpec.from_json(record.spec))] = rate
    return rates


def time_one_step(spec: RunSpec, data: DataSet, threads: int) -> Rate:
    """Of one step on the real data; counting its FLOPs first warms everything up. A UserError with the method's own
    line where that fails. What the step took of memory is given back: who plans and launches may live for hours beside the runs."""
    keep_freed_memory()
    try:
        return timed(spec, data, threads)
    finally:
        give_back_freed_memory()


def timed(spec: RunSpec, data: DataSet, threads: int) -> Rate:
    """The step itself; of what it needs nothing is left when it returns."""
    source, num_classes = load_source(spec, data, threads)
    with own_code(f"{spec.method} fails in its first step"):
        method = build_method(spec, source, num_classes)
        trainer = Trainer(method, as_seen_by(method, source), spec)
        method.train()
        flops = trainer.measure_step(0.0)
        start = time.perf_counter()
        trainer.step(method, trainer.optimizer, trainer.batch(), 0.0).item()  # waits for the device
        return Rate(time.perf_counter() - start, flops)


def seconds_of(spec: RunSpec, rate: Rate) -> float:
    """Of one run."""
    return spec.budget.amount / cost_of_step(spec, rate) * rate.seconds + rate.evaluation


def cost_of_step(spec: RunSpec, rate: Rate) -> float:
    """In the unit of its budget."""
    return {
        "steps": 1.0,
        "images": settled(spec.recipe).batch_size,
        "flops": max(rate.flops, 1.0),
        "seconds": max(rate.seconds, 1e-9),
    }[spec.budget.unit]


def steps_of(spec: RunSpec, rate: Rate, steps_per_epoch: int, hook: tuple[float, float] = (0.0, 0.0)) -> int:
    """How many steps its budget is, as the loop makes them: a hook before each epoch is paid, and the last step begins before the budget is
    spent. hook: FLOPs of the first, and of each later one."""
    alone = rate.without_hooks(hook, steps_per_epoch)
    step = cost_of_step(spec, alone)
    # In steps and images hooks cost nothing.
    unit = {"flops": 1.0, "seconds": alone.seconds / max(alone.flops, 1.0)}.get(spec.budget.unit, 0.0)
    first, later = (unit * cost for cost in hook)
    left = spec.budget.amount - first
    return math.ceil(left_for_steps(left, step, steps_per_epoch, steps_per_epoch, later) / step - 1e-9) if left > 0 else 0


def too_short(specs: tuple[RunSpec, ...], data: DataSets, rates: dict[tuple, Rate]) -> list[str]:
    """A line for each method that needs more of a budget than it has (bench/parts/budgets.py). rates: as of `estimate_seconds`. What its
    hooks cost is reckoned on paper, and left out where that cannot be done."""
    lines = {}
    for spec in specs:
        key = setting(spec), spec.budget
        if spec.recipe is not None and key not in lines and (rate := rates.get(key[0])):
            found, cls = data.require(spec.dataset), methods.load(spec.method)
            info = found.info(spec.pretrain_split, settled(spec.image_size))
            make_encoder = factory.factory(settled(spec.encoder), settled(spec.image_size), kinds=info.kinds)
            classes = found.num_classes if cls.uses_labels else 0

            def new_method(cls=cls, make_encoder=make_encoder, info=info, classes=classes, spec=spec):
                return build(cls, make_encoder, info, classes, spec.hyper_parameters)

            with on_paper():
                method = new_method()
            batch_size = spec.recipe.batch_size
            needed = task_on_paper(method, batch_size, new_method)
            hook = hook_on_paper(method, info, new_method).flops if needed else None
            steps = steps_of(spec, rate, info.num_images // batch_size, hook or (0.0, 0.0))
            missed = short_of(needed, steps)
            lines[key] = f"{spec.budget} are short for {method_name(spec.method)}: {'; '.join(missed)}" if missed else ""
    return [line for line in lines.values() if line]


def estimate_seconds(
    specs: tuple[RunSpec, ...],
    store: ResultStore,
    data: DataSets,
    threads: int,
    workers: int = 1,
    note=lambda text: None,
    rates: dict[tuple, Rate] | None = None,
) -> float:
    """Wall-clock seconds for all runs on `workers` processes of so many threads, which torch has already. Hooks, and evaluations of
    settings never run here, come on top. rates: gets what a step of every setting costs."""
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
        images = settled(runs[0].recipe).batch_size / max(rate.seconds, 1e-9)
        what = f"{runs[0].method}, {runs[0].encoder}, {runs[0].budget}"
        lines.append(f"{what}: {hours:.2g} {unit} a run, {len(runs)} runs ({rate.flops:.3g} FLOPs a step, {images:,.0f} items/s: {how})")
    return [*lines, f"together about {total:.2g} {unit}: an estimate, without hooks, start-up, or evaluations never run before"]


def in_words(seconds: float) -> str:
    """'40 s', '5 min', '3.2 h'"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
