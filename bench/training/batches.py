"""Which images the batch of a step has, and its views: a function of (seed, step) alone, for this device's rows of the global batch.

B images of this device.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from bench.compute import collectives
from bench.compute.randomness import Draws, generator
from bench.data.packed import PackedImages
from bench.data.rows import Rows
from bench.data.source import Source
from bench.method import Batch, LabelledBatch, Method
from bench.spec import RunSpec, settled
from bench.views.view import render_views


class Ahead:
    """Batches of a run's images. Where they are packed, a thread reads the next batch while the run computes."""

    def __init__(self, images: Tensor | Rows):
        self.images = images
        self.thread = ThreadPoolExecutor(1, "read-ahead") if isinstance(images, PackedImages) else None
        self.expected: Tensor | None = None
        self.reading: Future[Tensor] | None = None

    def take(self, index: Tensor, following: Callable[[], Tensor]) -> Tensor:
        """images[index], int64 [B]. following(): the index that is likely to be asked for next; another one costs time alone."""
        if self.thread is None:
            return self.images[index]
        as_expected = self.expected is not None and torch.equal(self.expected, index)
        images = self.reading.result() if self.reading and as_expected else self.images[index]
        self.expected = following()
        self.reading = self.thread.submit(self.read, self.expected)
        return images

    def read(self, index: Tensor) -> Tensor:
        """images[index], int64 [B]."""
        return self.images[index]


class Batches:
    """The batches of a run, in the order of its steps."""

    def __init__(self, method: Method, source: Source, spec: RunSpec):
        self.method, self.source, self.seed, self.size = method, source, spec.seed, settled(spec.recipe).batch_size
        self.steps_per_epoch = len(source.images) // self.size
        self.ahead = Ahead(source.images)
        self.order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.long))

    def index(self, step: int) -> Tensor:
        """Which images a step's batch shows: int64 [B]."""
        epoch, number = divmod(step, self.steps_per_epoch)
        if self.order[0] != epoch:
            permutation = torch.randperm(len(self.source.images), generator=generator(self.seed, "order", epoch))
            self.order = (epoch, permutation.to(self.source.device))
        return self.order[1][number * self.size : (number + 1) * self.size][collectives.rows_of(self.size)]

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
        shared = {"total": self.size, "rows": collectives.rows_of(self.size), "device": source.device, "take": take}
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
            assert source.labels is not None, "a Reference is handed labels"
            return LabelledBatch(views, index, draws, source.labels[index])
        return Batch(views, index, draws)
