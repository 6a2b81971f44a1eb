"""Scaling: images a second of SimCLR's harness against batch size, image size, encoder width, threads and processes.

Where it stops growing, `profile` says what a step spends its time on, by kind of operation.
"""

import tempfile
from pathlib import Path

import torch

from bench.machine import hardware
from bench.machine.memory import keep_freed_memory
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.place import Place
from bench.spec import Budget, RunSpec
from benchmarks.measure import now, rate, spread, table
from benchmarks.training import Bound

KINDS = {
    "convolutions": ("convolution", "mkldnn"),
    "BatchNorm": ("batch_norm",),
    "matrix products": ("mm", "matmul", "linear"),
    "ReLU, sums, pooling": ("relu", "threshold", "add", "mean", "sum", "mul", "div", "clamp", "where", "copy", "cat"),
}


def rows(quick: bool = False) -> list[dict]:
    """One row per setting: images a second, and microseconds an image."""
    keep_freed_memory()
    cores, precision = hardware.cores(), hardware.default_precision()
    small, steps, repeats = (32, 1, 1) if quick else (256, 2, 3)
    settings = [("batch size", {"batch": batch}, 1) for batch in ((16, small) if quick else (16, 64, 256, 1024))]
    settings += [("image size", {"pixels": pixels}, 1) for pixels in ((32,) if quick else (32, 64, 96))]
    settings += [("encoder", {"encoder": encoder}, 1) for encoder in (("resnet8",) if quick else ("resnet8", "resnet8x2", "resnet8x4"))]
    settings += [("threads", {}, threads) for threads in sorted({1, cores})]
    found = []
    for what, changes, threads in settings:
        torch.set_num_threads(threads)
        facts = {"encoder": "resnet8", "batch": small, "pixels": 32} | changes
        # As many images in a step at 96 pixels as memory and patience allow.
        batch = max(16, facts["batch"] // max(1, (facts["pixels"] // 32) ** 2)) if what == "image size" else facts["batch"]
        bound = Bound("simclr", facts["encoder"], precision, batch, facts["pixels"], images=2048)
        bound.harness(1)
        seconds = []
        for _ in range(repeats):
            start = now()
            bound.harness(steps)
            seconds.append(now() - start)
        value = changes.get({"batch size": "batch", "image size": "pixels", "encoder": "encoder"}.get(what, ""), threads)
        found.append({"measure": "scaling", "what": what, "setting": str(value), "images_per_second": rate(seconds, steps * batch)})
        print(f"scaling   {what} {value}: {spread(found[-1]['images_per_second'])} images/s", flush=True)
    return [*found, *(() if quick else processes(cores)), *profile(small, precision)]


def processes(cores: int) -> list[dict]:
    """One run shared by processes, a thread each: images a second of training, from its record."""
    found = []
    for count in sorted({1, cores}):
        with tempfile.TemporaryDirectory() as folder:
            spec = complete(RunSpec(method="simclr", dataset="mnist5k", budget=Budget("steps", 8), precision="float32"), processes=count)
            place = Place(Path(folder) / "results", Path(folder) / "scratch", threads=1, processes=count)
            execute(spec, ("label_free",), place)
            (record,) = ResultStore(place.results).records()
        speed = record.cost.images / record.cost.seconds
        found.append({"measure": "scaling", "what": "processes", "setting": str(count), "images_per_second": (speed, speed, speed)})
        print(f"scaling   processes {count}: {speed:,.0f} images/s", flush=True)
    return found


def profile(batch: int, precision: str) -> list[dict]:
    """Percent of a step's own time on one thread, by kind of operation."""
    torch.set_num_threads(1)
    bound = Bound("simclr", "resnet8", precision, batch, images=2048)
    bound.harness(1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        bound.harness(1)
    times = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    total, shares = sum(times.values()), dict.fromkeys((*KINDS, "everything else"), 0.0)
    for name, taken in times.items():
        kind = next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "everything else")
        shares[kind] += 100 * taken / total
    found = [{"measure": "profile", "what": kind, "percent": round(share, 1)} for kind, share in shares.items()]
    print("profile   " + ", ".join(f"{row['what']} {row['percent']} %" for row in found), flush=True)
    return found


def markdown(found: list[dict]) -> str:
    """Two tables: the settings, and the profile."""
    settings = [[row["what"], row["setting"], spread(row["images_per_second"])] for row in found if row["measure"] == "scaling"]
    shares = [[row["what"], f"{row['percent']} %"] for row in found if row["measure"] == "profile"]
    return (
        table(("SimCLR against", "setting", "images/s"), settings)
        + "\n\n"
        + table(("where a step's time goes, one thread", "share"), shares)
    )


if __name__ == "__main__":
    print(markdown(rows()))
