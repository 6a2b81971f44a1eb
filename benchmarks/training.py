"""Training: images a second of the harness, of its bound, and of lightly's own pipeline, as documented and at its best.

The harness is `Trainer.run`: order, gathering, views, step, meter, curve. The bound is its step alone (loss, backward, optimizer,
after_step) on views that are already there: what no harness around this method can beat. lightly (benchmarks/lightly_pipelines.py) has its
own transform, DataLoader, heads and loss on the same encoder with the same batch.
"""

import itertools
import math
from dataclasses import replace

import torch

import methods
from bench import encoders, hardware
from bench.interrupt import Interrupted
from bench.memory import keep_freed_memory
from bench.method import build
from bench.plan import check_hyper_parameters
from bench.randomness import seeded
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.trainer import Controls, Source, Trainer
from benchmarks import lightly_pipelines
from benchmarks.measure import alternate, rate, ratio, spread, table

METHODS = ("simclr", "byol", "moco", "dino", "mae", "rotation")
NEEDS_TOKENS = "vit_nano"
"""The encoder where a method cannot use a ResNet."""

FOR_EVER = 10**9


class Bound:
    """A method's trainer, run for a few steps at a time, and its step on one batch that is already there."""

    def __init__(self, method: str, encoder: str, precision: str, batch: int, pixels: int = 32, images: int = 10_000):
        device = hardware.device()
        random = torch.Generator().manual_seed(0)
        data = torch.randint(256, (images, 3, pixels, pixels), dtype=torch.uint8, generator=random).to(device)
        half = torch.full((3,), 0.5, device=device)
        info = DatasetInfo(images, pixels, 3, True, mean=(0.5,) * 3, std=(0.5,) * 3)
        cls = methods.load(method)
        with seeded(0, "init"):
            built = build(cls, encoders.factory(encoder, pixels), info, 10, check_hyper_parameters(method, cls, {}))
        self.method = built.to(device, memory_format=torch.channels_last)
        facts = {"encoder": encoder, "image_size": pixels, "precision": precision, "data_revision": "random", "method_version": "0"}
        recipe = replace(built.recipe, batch_size=batch)
        spec = RunSpec(method=method, dataset="cifar10", budget=Budget("steps", FOR_EVER), seed=0, recipe=recipe, **facts)
        self.left = itertools.count()
        self.trainer = Trainer(self.method, Source(data, None, info, half, half), spec, Controls(stop=lambda: next(self.left) <= 0))
        self.batch = self.trainer.batch()

    def harness(self, steps: int) -> None:
        """So many steps of the loop as it is."""
        self.left = itertools.count(1 - steps)
        self.trainer.controls.stop = lambda: next(self.left) >= 0
        try:
            self.trainer.run()
        except Interrupted:
            return
        raise AssertionError("the trainer ended by itself")

    def bound(self, steps: int) -> None:
        """So many steps on the batch that is there."""
        self.method.train()
        for _ in range(steps):
            loss = self.trainer.step(self.method, self.trainer.optimizer, self.batch, self.trainer.progress)
            assert math.isfinite(loss)


def rows(quick: bool = False) -> list[dict]:
    """One row per method: images a second (median, lowest, highest of the rounds) and the ratios of each round."""
    keep_freed_memory()
    found = []
    repeats, steps, batch = (2, 1, 64) if quick else (3, 2, 256)
    encoder, precision = ("resnet18", "bf16") if torch.cuda.is_available() else ("resnet8", hardware.default_precision())
    workers = hardware.cores()
    for method in METHODS:
        name = encoder if encoders.can_use(method, encoder) else NEEDS_TOKENS
        ours = Bound(method, name, precision, batch)
        subjects = {"harness": lambda ours=ours: ours.harness(steps), "bound": lambda ours=ours: ours.bound(steps)}
        for best in (False, True):
            pipeline = lightly_pipelines.make(method, name, batch, workers, best, precision)
            if pipeline:
                subjects["lightly_best" if best else "lightly"] = lambda pipeline=pipeline: pipeline.time(steps)
        torch.set_num_threads(workers)
        seconds = alternate(subjects, repeats)
        row = {"measure": "training", "method": method, "encoder": name, "precision": precision, "batch": batch, "device": describe()}
        row |= {subject: rate(taken, steps * batch) for subject, taken in seconds.items()}
        row |= {f"over_{other}": ratio(seconds["harness"], seconds[other]) for other in seconds if other != "harness"}
        found.append(row)
        print(f"training  {method:<10} {spread(row['harness'])} images/s, {row['over_bound'][0]:.3f} of the bound", flush=True)
    return found


def describe() -> str:
    """The machine in a few words."""
    here = hardware.hardware()
    return f"{here['model']}, {here['cores']} cores" if not here["gpu"] else here["gpu"]


def markdown(found: list[dict]) -> str:
    """The rows as a table of images a second and ratios."""

    def cell(row, name):
        return spread(row[name]) if name in row else "–"

    names = ("harness", "bound", "lightly", "lightly_best", "over_bound", "over_lightly", "over_lightly_best")
    header = ("method", "encoder", "harness", "bound", "lightly", "lightly at its best", "of the bound", "over lightly", "over its best")
    return table(header, [[row["method"], row["encoder"], *(cell(row, name) for name in names)] for row in found])


if __name__ == "__main__":
    print(markdown(rows()))
