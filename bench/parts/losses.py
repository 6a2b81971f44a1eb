"""Losses that more than one paper uses, in float32 whatever the precision of the networks.

B images of the global batch, V crops of an image, P projection, Q negatives, K classes or prototypes.
"""

import contextlib
import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.compute.precision import upcast


def full_precision(function):
    """Run a loss in float32: autocast off, tensors of less cast up. In bfloat16 a logit of 10 is off by up to 0.03."""

    def single(value):
        return upcast(value) if isinstance(value, Tensor) else value

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        device = next(value.device.type for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        # On the meta device, where a plan takes a step, nothing is cast and torch knows no autocast.
        with contextlib.nullcontext() if device == "meta" else torch.autocast(device, enabled=False):
            return function(*[single(value) for value in args], **{name: single(value) for name, value in kwargs.items()})

    return wrapped


@full_precision
def nt_xent(first: Tensor, second: Tensor, temperature: float, normalise: bool = True) -> Tensor:
    """SimCLR's loss (arXiv:2002.05709, eq. 1) for two views [B, P] each: every one of the 2B rows must find its other
    view among the 2B - 1 others, by cosine similarity, or by the dot product where rows are not normalised (table 5)."""
    rows = torch.cat([first, second])
    rows = F.normalize(rows, dim=1) if normalise else rows
    logits = rows @ rows.T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=rows.device), float("-inf"))
    target = torch.arange(len(rows), device=rows.device).roll(len(first))
    return F.cross_entropy(logits, target)


@full_precision
def find_first(positive: Tensor, negatives: Tensor) -> Tensor:
    """The softmax loss that finds the positive logit [B, 1] among it and the negative ones [B, Q]."""
    logits = torch.cat([positive, negatives], dim=1)
    return classify(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


@full_precision
def find_own(rows: Tensor, others: Tensor, temperature: float) -> Tensor:
    """The softmax loss by which each row [B, P] must find its own image's among the others [B, P], of another view or network, by cosine
    similarity (arXiv:2104.02057, algorithm 1's ctr without its factor)."""
    logits = F.normalize(rows, dim=1) @ F.normalize(others, dim=1).T / temperature
    return classify(logits, torch.arange(len(others), device=others.device))


@full_precision
def info_nce(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float, empty: Tensor | None = None) -> Tensor:
    """InfoNCE as MoCo's (arXiv:1911.05722, eq. 1): each query [B, P] must find its key [B, P] among it and the negatives [Q, P], all
    unit vectors. empty: bool [Q], which negatives are none (Queue.empty)."""
    positive, negative = (queries * keys).sum(1, keepdim=True), queries @ negatives.to(queries.dtype).T
    if empty is not None:
        negative = negative.masked_fill(empty, float("-inf"))
    return find_first(positive / temperature, negative / temperature)


@full_precision
def classify(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in float32, whatever the precision of the logits [B, K]; target: int64 [B]."""
    return F.cross_entropy(logits, target)


@full_precision
def cross_view_loss(scores: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between the targets of G crops [G, B, K], the first of V, and what every OTHER crop predicts by its scores [V, B, K],
    mean over pairs of crops and images, as SwAV's (arXiv:2006.09882, eq. 2 and 6) and DINO's (arXiv:2104.14294, eq. 3)."""
    predicted = (scores / temperature).log_softmax(-1)
    # The cross-entropy is linear in the prediction: for each target, sum the others first.
    terms = [-(target * torch.cat([predicted[:own], predicted[own + 1 :]]).sum(0)).sum() for own, target in enumerate(targets)]
    return torch.stack(terms).sum() / (len(targets) * (len(scores) - 1) * scores.shape[1])
