"""Momentum teachers, and bases of methods that have one, for BYOL's kin and for MoCo's.

B images of the global batch, P projection, Q queue length.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.collectives import gather, shard
from bench.compute.precision import upcast
from bench.parts.budgets import Needed, teacher_left
from bench.parts.losses import info_nce
from bench.parts.memories import Queue


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


LEAST_MOMENTUM = 0.9
"""Of a teacher whose half-life is a part of the run: in shorter runs it follows its student no closer."""


class WithTeacher(nn.Module):
    """A base beside Method, named before it: a teacher of what `followed()` says, whose momentum goes from one value to another. By itself
    a teacher of the encoder along a line, as of methods whose student sees parts of the images that the teacher sees whole. A method makes
    the encoder and calls `build_teacher`.

    A momentum says after how many steps half of a teacher is new: 0.996 after 173, a thousandth of the papers' runs, and longer than a run
    of forty steps. half_life says it as a part of the run, and so ties the momentum to the number of steps, as BYOL's authors do by hand
    (google-deepmind/deepmind-research@f5de0ed, byol/configs/byol.py: 0.97, 0.99 and 0.996 for 40, 100 and 1000 epochs). The momentum is
    then LEAST_MOMENTUM or more, and never more than what is declared for a long run. 0: what is declared."""

    encoder: nn.Module
    moves: Tensor
    """int64 []: how often a teacher with a half-life has moved."""
    momentum_at = staticmethod(along_line)

    def build_teacher(self, momentum: float, momentum_end: float = 1.0, half_life: float = 0.0) -> None:
        """Its momentum at the start and at the end, and its half-life as a part of the run, 0 for none."""
        self.teacher = Teacher(self.followed())
        self.momentum, self.momentum_end, self.half_life = momentum, momentum_end, half_life
        if half_life:
            self.register_buffer("moves", torch.zeros((), dtype=torch.long))

    def momentum_now(self, progress: float) -> float:
        """Of the teacher's next move, after the step that began at `progress`; counted where there is a half-life."""
        declared = self.momentum_at(progress, self.momentum, self.momentum_end)
        if not self.half_life:
            return declared
        before = 0 if self.moves.is_meta else int(self.moves)  # a step on paper has no numbers, and is the first
        self.moves += 1
        # How long a step is, the first does not know; its teacher is its student yet.
        return min(declared, max(LEAST_MOMENTUM, 0.5 ** (progress / before / self.half_life))) if before else declared

    def followed(self) -> nn.Module:
        """What the teacher copies and follows, as one module."""
        return self.encoder

    def needed(self, batch_size: int) -> tuple[Needed, ...]:
        return (self.left(),)

    def left(self) -> Needed:
        """When the teacher has left its start behind; with a half-life, in the shortest run in which it can."""
        if self.half_life:
            return self.teacher.left(min(self.momentum, LEAST_MOMENTUM))
        return self.teacher.left(self.momentum, rising=self.momentum != self.momentum_end, end=self.momentum_end)

    def after_step(self, progress: float) -> None:
        self.teacher.follow(self.followed(), self.momentum_now(progress))


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
        half_life: float,
        temperature: float,
        shuffle: bool = True,
    ) -> None:
        """Q keys of P numbers; momentum of the teacher, which stays, and its half-life; temperature of the softmax; whether keys are
        encoded in an order of their own."""
        self.encoder, self.projector = encoder, projector
        self.build_teacher(momentum, momentum, half_life)
        self.queue = Queue(queue, projection)
        self.temperature, self.shuffle = temperature, shuffle
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
        return self.queue.full(batch_size), self.left()

    def after_step(self, progress: float) -> None:
        super().after_step(progress)
        if self.new_keys is not None:
            self.queue.enqueue(self.new_keys)
        self.new_keys = None
