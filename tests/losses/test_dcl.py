"""DCL and DCLW: the loss against loops over images, written from eq. 6 of arXiv:2110.06848 in float64, and against lightly's; what it has
to do with InfoNCE's; mistakes that the comparisons must notice.

B images, P projection.
"""

import math
import warnings

import pytest
import torch
from torch.nn import functional as F

import methods.dcl
from bench.parts import nt_xent
from bench.spec import DatasetInfo
from loss_cases import agree, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit
from methods.dcl import decoupled

DCLLoss = from_lightly("loss", "DCLLoss")
DCLWLoss = from_lightly("loss", "DCLWLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def loop_decoupled(first, second, temperature, sigma=None):
    """For every image and each of its views: w <z, z'> is attracted, both views of all other images are repelled."""
    views = [[unit(row) for row in rows_of(rows)] for rows in (first, second)]
    count, total = len(first), 0.0
    alike = [dot(views[0][i], views[1][i]) for i in range(count)]
    density = [1.0] * count if sigma is None else [math.exp(each / sigma) for each in alike]
    for i in range(count):
        weight = 2 - density[i] / (sum(density) / count)
        for own, other in ((0, 1), (1, 0)):
            repelled = sum(
                math.exp(dot(views[own][i], views[whose][k]) / temperature) for whose in (own, other) for k in range(count) if k != i
            )
            total += -weight * alike[i] / temperature + math.log(repelled)
    return total / (2 * count)


def case(size=6, seed=0, **hyper_parameters):
    """The method's loss and the loops'."""
    torch.manual_seed(seed)
    method = methods.dcl.DCL(make_encoder, DATA, **{"projection": 5, "temperature": 0.3, **hyper_parameters}).train()
    batch = random_batch(method, size, SIZE, seed)
    first, second = method.projector(method.encoder(torch.cat(batch.views))).chunk(2)
    sigma = hyper_parameters.get("sigma", 0.5) if hyper_parameters.get("weighted") else None
    return method.loss(batch, 0.0).item(), loop_decoupled(first, second, hyper_parameters.get("temperature", 0.3), sigma)


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.07}, {"weighted": True}, {"weighted": True, "sigma": 0.2}])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(size, settings):
    assert agree(case(size, seed=size, **settings))


def random_rows(size, dims, seed):
    return torch.randn(size, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize(("size", "dims", "temperature"), [(2, 3, 0.5), (7, 4, 0.07), (16, 9, 0.1)])
@pytest.mark.parametrize("sigma", [None, 0.5, 0.1])
def test_loss_and_gradients_are_lightlys(size, dims, temperature, sigma):
    first, second = random_rows(size, dims, 0), random_rows(size, dims, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its weights are a tensor made of a tensor
        # lightly weighs pairs by the dot products of what it is given, so it is given rows of unit length.
        unit_rows = F.normalize(first, dim=1), F.normalize(second, dim=1)
        theirs = (DCLLoss(temperature) if sigma is None else DCLWLoss(temperature, sigma))(*unit_rows)
    ours = decoupled(first, second, temperature, sigma)
    close(ours, theirs.item(), torch.float64)
    for own, other in zip(torch.autograd.grad(ours, (first, second)), torch.autograd.grad(theirs, (first, second)), strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize("count", [2, 8, 64])
def test_a_small_batch_takes_no_part_of_the_gradient_away(count):
    """The paper's negative-positive coupling: InfoNCE's gradient is DCL's times the share that the repelled have in its denominator,
    little where the batch is small; here the same for all rows, which are as unlike as can be."""
    rows = (0.9 * torch.eye(count, dtype=torch.float64) + 0.1).requires_grad_()
    others = torch.eye(count, dtype=torch.float64)
    losses = nt_xent(rows, others, 0.2), decoupled(rows, others, 0.2)
    slope, decoupled_slope = (torch.autograd.grad(loss, rows)[0] for loss in losses)
    first, second = F.normalize(rows, dim=1), others
    own = torch.eye(count, dtype=torch.bool)
    shares = []
    for anchor, other in ((first, second), (second, first)):
        repelled = torch.cat([anchor @ anchor.T, anchor @ other.T], 1).masked_fill(own.repeat(1, 2), -math.inf)
        repelled = (repelled / 0.2).exp().sum(1)
        shares.append((repelled / (repelled + ((anchor * other).sum(1) / 0.2).exp())).detach())
    low, high = (bound(share.item() for share in torch.cat(shares)) for bound in (min, max))
    ratio = (slope.norm() / decoupled_slope.norm()).item()
    assert low - 1e-6 <= ratio <= high + 1e-6 and (ratio < 0.05) == (count == 2)


def test_pairs_are_weighted_1_in_the_mean_and_the_unlike_ones_more():
    weights = methods.dcl.pair_weights(torch.tensor([0.9, 0.1, -0.5]), 0.5)
    assert weights.mean().item() == pytest.approx(1, abs=1e-6) and weights[0] < weights[1] < weights[2]


MISTAKES = {
    "the pair is among the repelled": ("dtype=torch.bool, device=rows.device).repeat(2, 2)", "dtype=torch.bool).repeat(2, 2).triu(1)"),
    "one view is repelled": ("masked_fill(own, ", "masked_fill(own | torch.ones_like(own).triu(len(first)), "),
    "rows are not of unit length": ("F.normalize(first, dim=1), F.normalize(second, dim=1)", "first, second"),
    "the mean of the weights is off": ("return 2 - len(similarity) *", "return 2 -"),
    "sigma is not used": ("similarity.detach() / sigma", "similarity.detach()"),
    "no temperature": ("attracted = -similarity / temperature", "attracted = -similarity"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    assert agree(case(weighted=True))
    mutate(monkeypatch, methods.dcl, *MISTAKES[mistake])
    assert not agree(case(weighted=True))
