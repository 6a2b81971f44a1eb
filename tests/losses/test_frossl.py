"""FroSSL: its loss against loops, in float64, and against lightly's; its extremes; mistakes that the comparisons must notice; one view is
refused.

B images, V views, P projection.
"""

import math

import pytest
import torch

import methods.frossl
from bench.domains import domains
from bench.spec import DatasetInfo
from loss_cases import close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of

FroSSLLoss = from_lightly("loss.frossl_loss", "FroSSLLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.frossl.FroSSL(make_encoder, DATA, **{"projection": 5, "hidden": 7, **hyper_parameters}).train()


def loop_loss(views, invariance):
    """multiview_frossl_loss_func of the authors' solo/losses/frossl.py, of a list of [B, P]: the covariance is [P, P] at any B."""
    found = []
    for rows in views:
        lengths = [math.sqrt(dot(column, column)) for column in zip(*rows_of(rows), strict=True)]
        found.append([[value / length for value, length in zip(row, lengths, strict=True)] for row in rows_of(rows)])
    count, dims, total = len(found[0]), len(found[0][0]), 0.0
    for own in found:
        columns = list(zip(*own, strict=True))
        trace = sum(dot(column, column) for column in columns)
        total += math.log(sum((dot(left, right) / trace) ** 2 for left in columns for right in columns))
        for image in range(count):
            for place in range(dims):
                mean = sum(view[image][place] for view in found) / len(found)
                total += invariance * len(found) * dims * (own[image][place] - mean) ** 2 / (count * dims)
    return total


def check_loss(size=8, crops=3, **hyper_parameters):
    method = make(size, crops=crops, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    projections = [method.projector(method.encoder(images)) for images in batch.views]
    assert len(projections) == crops
    close(method.loss(batch, 0.0), loop_loss(projections, method.invariance))


@pytest.mark.parametrize("crops", [2, 4])
@pytest.mark.parametrize("size", [3, 5, 8])
def test_the_loss_is_the_papers(size, crops):
    check_loss(size, crops)
    check_loss(size, crops, invariance=1.4)


def rows(views, count, dims):
    """[V, B, P], float64."""
    return torch.randn(views, count, dims, generator=torch.Generator().manual_seed(count), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("shape", [(2, 4, 9), (2, 9, 4), (5, 6, 6)])
@pytest.mark.parametrize("weight", [1.0, 1.4])
def test_loss_and_gradients_are_lightlys(shape, weight):
    """They detach the trace: of columns of unit length it is a constant."""
    views = rows(*shape)
    ours, theirs = methods.frossl.frobenius(views, weight), FroSSLLoss(weight)(list(views))
    close(ours, theirs.item())
    (own,), (other,) = (torch.autograd.grad(loss, views) for loss in (ours, theirs))
    torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-8)


def test_it_is_least_where_views_agree_and_directions_are_even():
    """V times the logarithm of 1 over the number of directions; 0 where there is one."""
    even = torch.linalg.qr(rows(1, 12, 4).detach()).Q.expand(3, -1, -1)
    close(methods.frossl.frobenius(even, 1.0), -3 * math.log(4))
    one = (rows(1, 12, 1).detach() * torch.linspace(-2, 3, 4)).expand(3, -1, -1)
    close(methods.frossl.frobenius(one, 1.0), 0.0)
    assert methods.frossl.frobenius(rows(3, 12, 4), 1.0) > -3 * math.log(4)


def test_without_a_second_view_nothing_must_agree():
    """Each view for itself is at its least whatever image it is of; so one view is refused."""
    even, other = (torch.linalg.qr(rows(1, 12, 4).detach().roll(by, 1)).Q for by in (0, 5))
    alone = methods.frossl.frobenius(even, 1.0) + methods.frossl.frobenius(other, 1.0)
    close(alone, -2 * math.log(4))
    assert methods.frossl.frobenius(torch.cat([even, other]), 1.0) > alone + 0.4
    crops = domains(methods.frossl.FroSSL)["crops"]
    assert not crops.holds(1) and crops.holds(2) and crops.expected(1) == "a whole number, 2 or more"


MISTAKES = [
    ("F.normalize(views, dim=1)", "views"),
    ("F.normalize(views, dim=1)", "F.normalize(views, dim=2)"),
    ("small.square().sum((1, 2))", "small.sum((1, 2)).square()"),
    (".sum(1).square()", ".sum(1)"),
    ("squared_norms.log()", "squared_norms.sqrt().log()"),
    ("squared_norms.log()", "-squared_norms.log()"),
    ("columns.mean(0)", "columns[0]"),
    ("invariance * len(views) *", "invariance *"),
    (" * views.shape[2] * apart", " * apart"),
    ("* apart).sum()", "* apart).mean()"),
    ("[gather(self.project(images)) for images in batch.views]", "gather(self.project(torch.cat(batch.views))).chunk(3)"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.frossl, right, wrong)
    with pytest.raises(AssertionError):
        check_loss()
    monkeypatch.undo()
    check_loss()
