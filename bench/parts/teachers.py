"""What follows or remembers: momentum teachers, queues, memories; and bases of methods that have them, for BYOL's kin and for MoCo's.

B images of the global batch, P projection, Q queue length, N images of the pretraining split.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.collectives import gather, shard
from bench.compute.precision import upcast
from bench.parts.budgets import Needed, images_seen, queue_full, teacher_left
from bench.parts.losses import info_nce


def along_cosine(progress: float, start: float, end: float) -> float:
    """A teacher's momentum that goes from start to end along half a cosine, as BYOL's, DINO's and MoCo v3's."""
    return end - (end - start) * (1 + math.cos(math.pi * progress)) / 2


def along_line(progress: float, start: float, end: float) -> float:
    """A teacher's momentum that goes from start to end in equal steps, as I-JEPA's and MSN's."""
    return start + (end - start) * progress


class Teacher(nn.Module):
    """A copy of a network that follows it as an exponential moving average of its parameters; never has a gradient.

    Buffers are the copy's own: BatchNorm statistics come from the teacher's own forward passes, as in MoCo, BYOL and DINO."""

    network: Any
    """The copy, of the student's class."""

    def __init__(self, student: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args, **kwargs) -> Tensor:
        return self.network(*args, **kwargs)

    def left(self, momentum: float, rising: bool = False, end: float = 1.0) -> Needed:
        """When it has left its start behind, as it follows with this momentum (bench/parts/budgets.py)."""
        return teacher_left(momentum, rising, end)

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """teacher = momentum * teacher + (1 - momentum) * student"""
        # One call for all of them, which torch has under no public name; its own averaged models use it.
        own: list[Tensor] = list(self.network.parameters())
        others: list[Tensor] = list(student.parameters())
        torch._foreach_lerp_(own, others, 1 - momentum)  # pyright: ignore[reportPrivateImportUsage]


@torch.no_grad()
def permuted_keys(network: nn.Module, images: Tensor, order: Tensor) -> Tensor:
    """Unit keys [B, P] of the global batch, from this device's images [b, 3, H, W]; encoded in another order than the queries:
    otherwise an image's key and query share their BatchNorm group, whose statistics give the answer away (shuffling BN,
    arXiv:1911.05722, 3.3). order: a permutation of the global batch, int64 [B]."""
    return F.normalize(upcast(gather(network(shard(gather(images)[order])))), dim=1)[order.argsort()]


class Queue(nn.Module):
    """The last Q rows that were enqueued, oldest overwritten first. It starts empty: a place that no row was put in yet is no negative and
    no neighbour, where MoCo's code has random unit vectors, which are easy to tell from any image."""

    rows: Tensor
    """[Q, P]; a row of zeros is an empty place."""
    position: Tensor
    """int64 []: the row that the next one overwrites."""

    def __init__(self, length: int, dim: int):
        super().__init__()
        self.register_buffer("rows", torch.zeros(length, dim))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    def full(self, batch_size: int, by: float = 1.0) -> Needed:
        """When every place holds a row, of batches of so many. by: in this part of the budget, after which it is used."""
        return queue_full(len(self.rows), batch_size, by)

    @property
    def empty(self) -> Tensor:
        """Which places are empty: bool [Q]."""
        return ~self.rows.any(1)

    @torch.no_grad()
    def enqueue(self, rows: Tensor) -> None:
        """rows: [B, P], any B up to Q; a ValueError for more."""
        if len(rows) > len(self.rows):
            raise ValueError(f"a queue of {len(self.rows)} rows cannot take {len(rows)} at once; make it longer, or the batch smaller")
        where = (self.position + torch.arange(len(rows), device=rows.device)) % len(self.rows)
        self.rows[where] = rows.to(self.rows.dtype)
        self.position.copy_((self.position + len(rows)) % len(self.rows))


class Memory(nn.Module):
    """One row per training image, of unit length once it was first moved towards an embedding of the image."""

    rows: Tensor
    """[N, P]"""

    def __init__(self, num_images: int, dim: int):
        super().__init__()
        # Uniform in +-1/sqrt(dim / 3), so of unit length on average, as in the authors' code of instance discrimination
        # (zhirongw/lemniscate.pytorch@06c2d49, lib/LinearAverage.py).
        bound = (dim / 3) ** -0.5
        self.register_buffer("rows", (2 * torch.rand(num_images, dim) - 1) * bound)

    def filled(self, batch_size: int) -> Needed:
        """When every image's row was moved once, by batches of so many."""
        return images_seen(len(self.rows), batch_size, "the memory holds every image")

    @torch.no_grad()
    def move(self, index: Tensor, rows: Tensor, momentum: float) -> None:
        """row = normalised(momentum * row + (1 - momentum) * new). index: int64 [B], rows: [B, P]."""
        mixed = momentum * self.rows[index] + (1 - momentum) * rows.to(self.rows.dtype)
        self.rows[index] = F.normalize(mixed, dim=1)


class WithTeacher(nn.Module):
    """A base beside Method, named before it: a teacher of what `followed()` says, whose momentum goes from one value to another. By itself
    a teacher of the encoder along a line, as of methods whose student sees parts of the images that the teacher sees whole. A method makes
    the encoder and calls `build_teacher`."""

    encoder: nn.Module
    momentum_at = staticmethod(along_line)

    def build_teacher(self, momentum: float, momentum_end: float = 1.0) -> None:
        """Its momentum at the start and at the end."""
        self.teacher = Teacher(self.followed())
        self.momentum, self.momentum_end = momentum, momentum_end

    def followed(self) -> nn.Module:
        """What the teacher copies and follows, as one module."""
        return self.encoder

    def needed(self, batch_size: int) -> tuple[Needed, ...]:
        return (self.teacher.left(self.momentum, rising=True, end=self.momentum_end),)

    def after_step(self, progress: float) -> None:
        self.teacher.follow(self.followed(), self.momentum_at(progress, self.momentum, self.momentum_end))


class StudentAndTeacher(WithTeacher):
    """What BYOL (arXiv:2006.07733) and those that build on it share, a base beside Method, named before it: a teacher of encoder and
    projector, whose momentum goes along half a cosine. A method makes the two and calls `build_teacher`."""

    projector: nn.Module
    momentum_at = staticmethod(along_cosine)

    def followed(self) -> nn.Module:
        """Encoder and projector as one module, for the teacher to copy and to follow; a predictor has no copy."""
        return nn.Sequential(self.encoder, self.projector)

    def project(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def encode_also(self) -> dict:
        return {"teacher": next(self.teacher.network.children())}


class MomentumContrast(StudentAndTeacher):
    """What MoCo (arXiv:1911.05722) and those that build on it share, a base beside Method, named before it: a teacher of encoder and
    projector makes the keys, and past keys wait in a queue. A method calls `build_contrast` once and `contrast` in its loss, or `pairs`
    where what it compares with the queue is not InfoNCE's."""

    def build_contrast(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        *,
        queue: int,
        projection: int,
        momentum: float,
        temperature: float,
        shuffle: bool = True,
    ) -> None:
        """Q keys of P numbers; momentum of the teacher, temperature of the softmax; whether keys are encoded in an order of their own."""
        self.encoder, self.projector = encoder, projector
        self.teacher = Teacher(self.followed())
        self.queue = Queue(queue, projection)
        self.temperature, self.momentum, self.shuffle = temperature, momentum, shuffle
        # The keys of a step on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_keys: Tensor | None = None

    def pairs(self, query_images: Tensor, key_images: Tensor, permutation) -> tuple[Tensor, Tensor]:
        """Unit queries and keys, [B, P] each, of the global batch. permutation: the batch's, which shuffles the keys' images; without it
        they share BatchNorm's groups with their queries."""
        queries = F.normalize(upcast(gather(self.project(query_images))), dim=1)
        order = permutation(len(queries)) if self.shuffle else torch.arange(len(queries), device=queries.device)
        self.new_keys = permuted_keys(self.teacher, key_images, order)
        return queries, self.new_keys

    def contrast(self, query_images: Tensor, key_images: Tensor, permutation) -> tuple[Tensor, Tensor]:
        """Unit queries [B, P] of the global batch, and their InfoNCE, which is 0 in the first step: the queue is empty then."""
        queries, keys = self.pairs(query_images, key_images, permutation)
        return queries, info_nce(queries, keys, self.queue.rows, self.temperature, self.queue.empty)

    def chance_loss(self, batch_size: int) -> float:
        return math.log(1 + len(self.queue.rows))

    def needed(self, batch_size: int) -> tuple[Needed, ...]:
        return self.queue.full(batch_size), self.teacher.left(self.momentum)

    def after_step(self, progress: float) -> None:
        self.teacher.follow(self.followed(), self.momentum)
        if self.new_keys is not None:
            self.queue.enqueue(self.new_keys)
        self.new_keys = None
