"""What the tests of SimCLR, MoCo (v2 and v1), NPID and BYOL share: tiny methods and batches, the papers' formulas as loops over images, and
how a mistake is patched in.

B images, P projection, Q queue length, N images of the pretraining split.
"""

import copy
import math

import torch
from torch.nn import functional as F

from bench.compute.randomness import Draws
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.method import Batch
from bench.spec import DatasetInfo
from loss_cases import dot, make_encoder, rows_of
from methods.byol import BYOL
from methods.moco import MoCo
from methods.moco_v1 import MoCoV1
from methods.npid import NPID
from methods.simclr import SimCLR

METHODS = (SimCLR, MoCo, MoCoV1, NPID, BYOL)
DATA = DatasetInfo(num_images=20, image_size=8)
SMALL = {
    SimCLR: {"projection": 5},
    MoCo: {"projection": 5, "queue": 12, "bn_groups": 2},
    MoCoV1: {"projection": 5, "queue": 12, "bn_groups": 2},
    NPID: {"projection": 5},
    BYOL: {"projection": 5, "hidden": 7},
}
"""Hyper-parameters that make heads and queues tiny."""

CASES = [(2, 0.5, 1), (4, 0.07, 2), (6, 0.2, 3), (10, 1.0, 4)]
"""(size of a batch, temperature, seed)."""


def make_batch(size, seed=0, views=2):
    generator = torch.Generator().manual_seed(seed)
    images = tuple(torch.randn(size, 3, 8, 8, generator=generator) for _ in range(views))
    return Batch(images, torch.randperm(DATA.num_images, generator=generator)[:size], Draws(seed, "loss", total=size))


def make_method(cls, seed=0, **hyper_parameters):
    """A tiny method in training mode; where there is a teacher, it differs from the student, as after some steps."""
    torch.manual_seed(seed)
    method = cls(make_encoder, DATA, **{**SMALL[cls], **hyper_parameters}).train()
    if hasattr(method, "teacher"):
        with torch.no_grad():
            for parameter in method.teacher.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    if hasattr(method, "queue"):  # 7 of its places are filled
        method.queue.enqueue(F.normalize(torch.randn(min(7, len(method.queue.rows)), method.queue.rows.shape[1]), dim=1))
    return method


def random_rows(*sizes, dim, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, dim, generator=generator, dtype=dtype) for size in sizes]


def cosine(first, second):
    return dot(first, second) / math.sqrt(dot(first, first) * dot(second, second))


# The papers' formulas, as loops over images.


def loop_nt_xent(first, second, temperature):
    """arXiv:2002.05709, algorithm 1: views of image k are neighbours 2k - 1 and 2k."""
    views = [view for pair in zip(rows_of(first), rows_of(second), strict=True) for view in pair]
    total = 0.0
    for i, view in enumerate(views):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = sum(math.exp(cosine(view, views[k]) / temperature) for k in range(len(views)) if k != i)
        total -= math.log(math.exp(cosine(view, views[partner]) / temperature) / others)
    return total / len(views)


def loop_contrast(queries, keys, queue, temperature):
    """arXiv:1911.05722, eq. 1, over a query's own key and the queue."""
    total = 0.0
    for query, key in zip(rows_of(queries), rows_of(keys), strict=True):
        positive = math.exp(cosine(query, key) / temperature)
        negative = sum(math.exp(cosine(query, row) / temperature) for row in rows_of(queue) if any(row))
        total -= math.log(positive / (positive + negative))
    return total / len(queries)


def loop_instance_softmax(embeddings, memory, index, temperature):
    """arXiv:1805.01978, eq. 2; the memory's rows are used as they are, the embedding has unit length."""
    total, memory = 0.0, rows_of(memory)
    for embedding, own in zip(rows_of(embeddings), index.tolist(), strict=True):
        length = math.sqrt(dot(embedding, embedding))
        scores = [math.exp(dot(row, embedding) / length / temperature) for row in memory]
        total -= math.log(scores[own] / sum(scores))
    return total / len(embeddings)


def loop_regression(predictions, targets):
    """arXiv:2006.07733, eq. 2: squared distance of two vectors of unit length."""
    total = 0.0
    for prediction, target in zip(rows_of(predictions), rows_of(targets), strict=True):
        lengths = math.sqrt(dot(prediction, prediction)), math.sqrt(dot(target, target))
        total += sum((p / lengths[0] - t / lengths[1]) ** 2 for p, t in zip(prediction, target, strict=True))
    return total / len(predictions)


def shuffled_keys(method, images, order):
    """Keys in the images' own order; BatchNorm without groups, fed one group of shuffled images after the other."""
    teacher = copy.deepcopy(method.teacher.network)
    groups = 1
    for module in teacher.modules():
        if isinstance(module, GroupedBatchNorm):
            groups, module.groups = module.groups, 1
    size, keys = len(images) // groups, [None] * len(images)
    for group in range(groups):
        places = order[group * size : (group + 1) * size]
        encoded = teacher(torch.stack([images[place] for place in places]))
        for place, row in zip(places, encoded, strict=True):
            keys[place] = row
    return torch.stack(keys).detach()


def lasting(method):
    """The state of a method without BatchNorm's running statistics, which any forward pass in training mode moves."""
    return {name: value.clone() for name, value in method.state_dict().items() if "running" not in name and "num_batches" not in name}


def patch(target, name, value):
    """A mutation that replaces an attribute of a module or class, undone after the test."""

    def apply(monkeypatch):
        monkeypatch.setattr(target, name, value)

    return apply


def same_order(self, *_):
    return torch.arange(len(self))
