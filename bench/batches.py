"""Which images the batch of a step has, and its views: a function of (seed, step) alone, for this device's rows of the global batch.

B images of this device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench import distributed
from bench.method import Batch, LabelledBatch, Method
from bench.packed import Ahead, PackedImages
from bench.randomness import Draws, generator
from bench.spec import DatasetInfo, RunSpec
from bench.views import render_views


@dataclass(frozen=True)
class Source:
    """The images that a run is trained on, on its device; packed ones come there batch by batch."""

    images: Tensor | PackedImages
    """uint8 [N, C, H, W]"""
    labels: Tensor | None
    """int64 [N] for a Reference, None for everything else."""
    info: DatasetInfo
    mean: Tensor
    """float32 [3]"""
    std: Tensor

    @property
    def device(self) -> torch.device:
        return self.images.device


class Batches:
    """The batches of a run, in the order of its steps."""

    def __init__(self, method: Method, source: Source, spec: RunSpec):
        self.method, self.source, self.seed, self.size = method, source, spec.seed, spec.recipe.batch_size
        self.steps_per_epoch = len(source.images) // self.size
        self.ahead = Ahead(source.images)
        self.order: tuple[int, Tensor | None] = (-1, None)

    def index(self, step: int) -> Tensor:
        """Which images a step's batch shows: int64 [B]."""
        epoch, number = divmod(step, self.steps_per_epoch)
        if self.order[0] != epoch:
            permutation = torch.randperm(len(self.source.images), generator=generator(self.seed, "order", epoch))
            self.order = (epoch, permutation.to(self.source.device))
        return self.order[1][number * self.size : (number + 1) * self.size][distributed.rows_of(self.size)]

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self.show(step, *self.images(step))

    def images(self, step: int) -> tuple[Tensor, Tensor]:
        """Which images a step's batch shows, int64 [B], and they: uint8 [B, C, H, W]."""
        index = self.index(step)
        return index, self.ahead.take(index, lambda: self.index(step + 1))

    def show(self, step: int, index: Tensor, images: Tensor, take=generator) -> Batch:
        """The batch of these images, uint8 [B, C, H, W], with the draws of this step. take: what gives a draw its generator."""
        source = self.source
        shared = {"total": self.size, "rows": distributed.rows_of(self.size), "device": source.device, "take": take}
        views = render_views(
            self.method.views,
            images,
            source.info,
            source.mean,
            source.std,
            lambda number: Draws(self.seed, "view", step, number, **shared),
        )
        draws = Draws(self.seed, "loss", step, **shared)
        if self.method.uses_labels:
            return LabelledBatch(views, index, draws, source.labels[index])
        return Batch(views, index, draws)
