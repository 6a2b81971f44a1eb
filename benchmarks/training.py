"""Training: images a second of the harness, of its bound, and of lightly's own pipeline, as documented and at its best.

The harness is `Trainer.run`: order, gathering, views, step, meter, curve. The bound is its step alone (loss, backward, optimizer,
after_step) on views that are already there, on a GPU played from a captured step too: what no harness around this method can beat. lightly
(benchmarks/lightly_pipelines.py) has its own transform, DataLoader, heads and loss on the same encoder with the same batch.
"""

import math
from dataclasses import replace

import torch

import methods
from bench.compute.randomness import Draws, generator, seeded
from bench.data.source import Source
from bench.encoders import factory
from bench.machine import hardware
from bench.machine.memory import keep_freed_memory
from bench.machine.signals import Interrupted
from bench.method import build
from bench.plan.complete import check_hyper_parameters
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.cuda_graph import CapturedStep
from bench.training.step import gradients, update
from bench.training.trainer import Trainer
from benchmarks import lightly_pipelines
from benchmarks.measure import alternate, now, rate, ratio, spread, table

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
            built = build(cls, factory.factory(encoder, pixels), info, 10, check_hyper_parameters(method, cls, {}))
        self.method = built.to(device, memory_format=torch.channels_last)
        facts = {"encoder": encoder, "image_size": pixels, "precision": precision, "data_revision": "random", "method_version": "0"}
        recipe = replace(built.recipe, batch_size=batch)
        spec = RunSpec(method=method, dataset="cifar10", budget=Budget("steps", FOR_EVER), seed=0, recipe=recipe, **facts)
        self.trainer = Trainer(self.method, Source(data, torch.arange(images, device=device) % 10, info, half, half), spec)
        self.batch, self.shown = self.trainer.batch(), self.trainer.batches.images(0)
        self.captured: CapturedStep | None = None

    def harness(self, steps: int) -> float:
        """Seconds of so many steps of the loop as it is; a few more are made where losses are read together."""
        first, meter = self.trainer.meter.steps, self.trainer.meter
        self.trainer.controls.stop = lambda: meter.steps >= first + steps
        start = now()
        try:
            self.trainer.run()
        except Interrupted:
            return (now() - start) * steps / (meter.steps - first)
        raise AssertionError("the trainer ended by itself")

    def gradients(self, step, index, images, take) -> torch.Tensor:
        """Loss and backward of the views that are there."""
        self.method.zero_grad(set_to_none=True)
        draws = Draws(0, "loss", step, total=len(index), device=index.device, take=take)
        return gradients(self.method, replace(self.batch, draws=draws), self.trainer.progress, self.trainer.spec.precision)

    def bound(self, steps: int) -> None:
        """So many steps on the views that are there."""
        trainer, capture = self.trainer, self.trainer.captured_steps.capture
        self.method.train()
        if capture and not self.captured:
            self.captured = CapturedStep(self.method, self.gradients, 0, self.shown, capture)
        for step in range(steps):
            loss = self.captured.play(step, self.shown) if self.captured else self.gradients(step, *self.shown, generator)
            update(self.method, trainer.optimizer, trainer.progress, trainer.recipe)
        assert math.isfinite(loss.item())


def rows(quick: bool = False) -> list[dict]:
    """One row per method: images a second (median, lowest, highest of the rounds) and the ratios of each round."""
    keep_freed_memory()
    found = []
    gpu = torch.cuda.is_available()
    # A GPU's harness looks at its losses every 16 steps. lightly makes fewer, which take it as long.
    repeats, steps, batch = (2, 1, 64) if quick else ((2, 32, 256) if gpu else (3, 2, 256))
    fewer = min(steps, 8)
    encoder, precision = ("resnet18", "bf16") if gpu else ("resnet8", hardware.default_precision())
    workers = hardware.cores()
    for method in METHODS:
        name = encoder if methods.can_use(method, encoder) else NEEDS_TOKENS
        ours = Bound(method, name, precision, batch)
        subjects = {"harness": lambda ours=ours: ours.harness(steps), "bound": lambda ours=ours: ours.bound(steps)}
        for best in (False, True):
            pipeline = lightly_pipelines.make(method, name, batch, workers, best, precision)
            if pipeline:
                subjects["lightly_best" if best else "lightly"] = lambda pipeline=pipeline: pipeline.time(fewer) * steps / fewer
        torch.set_num_threads(workers)
        seconds = alternate(subjects, repeats)
        # These two differ by a few per cent, which takes more rounds to see than a peer's factor.
        pair = alternate({name: subjects[name] for name in ("harness", "bound")}, repeats if quick else 3 * repeats)
        pair = {name: seconds[name] + more for name, more in pair.items()}
        row = {"measure": "training", "method": method, "encoder": name, "precision": precision, "batch": batch, "device": describe()}
        row |= {subject: rate(taken, steps * batch) for subject, taken in (seconds | pair).items()}
        row |= {f"over_{other}": ratio(seconds["harness"], seconds[other]) for other in seconds if other not in pair}
        row["over_bound"] = ratio(pair["harness"], pair["bound"])
        found.append(row)
        peers = "".join(f", {row[f'over_{peer}'][0]:.3g} times {peer}" for peer in ("lightly", "lightly_best") if peer in row)
        print(f"training  {method:<10} {spread(row['harness'])} images/s, {row['over_bound'][0]:.3f} of the bound{peers}", flush=True)
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
