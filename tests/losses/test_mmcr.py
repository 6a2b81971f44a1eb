"""MMCR: the loss against singular values found by Jacobi's rotations in Python, sharing no code with the method; against lightly's; its
chance loss and its bound; mistakes that must be noticed.

B images, V views, P projection.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.mmcr
from bench.domains import domains
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

MMCRLoss = from_lightly("loss", "MMCRLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.mmcr.MMCR(make_encoder, DATA, **{"hidden": 7, "projection": 5, **hyper_parameters}).train()


def nuclear_norm(rows):
    """Rows are turned against each other in pairs until all are orthogonal (one-sided Jacobi): their lengths are the singular values."""
    rows = [list(row) for row in rows]
    for _ in range(60):
        for p in range(len(rows)):
            for q in range(p):
                product, one, other = dot(rows[p], rows[q]), dot(rows[p], rows[p]), dot(rows[q], rows[q])
                angle = 0.5 * math.atan2(2 * product, one - other)
                c, s = math.cos(angle), math.sin(angle)
                turned = [(c * a + s * b, c * b - s * a) for a, b in zip(rows[p], rows[q], strict=True)]
                rows[p], rows[q] = [a for a, _ in turned], [b for _, b in turned]
    return sum(math.sqrt(dot(row, row)) for row in rows)


def loop_mmcr(images, compression):
    """images: of each its V unit rows."""
    means = [[sum(column) / len(rows) for column in zip(*rows, strict=True)] for rows in images]
    own = sum(nuclear_norm(rows) for rows in images) / len(images) if compression else 0.0
    return compression * own - nuclear_norm(means)


def check_loss(size=8, key=0, **hyper_parameters):
    method = make(key, **hyper_parameters)
    batch = random_batch(method, size, SIZE, key)
    views = method.projector(method.encoder(torch.cat(batch.views))).chunk(len(batch.views))
    images = zip(*[[unit(row) for row in rows_of(rows)] for rows in views], strict=True)
    close(method.loss(batch, 0.0), loop_mmcr(list(images), method.compression))


@pytest.mark.parametrize("hyper_parameters", [{}, {"views": 2, "compression": 0.3}, {"views": 1}, {"views": 3, "compression": 1.0}])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(hyper_parameters, size):
    check_loss(size, key=size, **hyper_parameters)


@pytest.mark.parametrize("compression", [0.0, 5e-3, 0.5])
def test_losses_and_gradients_are_lightlys(compression):
    """Whose online and momentum embeddings are two halves of the views, with unit length before they are handed over."""
    rows = torch.randn(9, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    units = F.normalize(rows, dim=-1)
    loss = MMCRLoss(compression)(units[:, :2], units[:, 2:])
    ours = methods.mmcr.manifold_capacity(rows, compression)
    close(ours, loss.item())
    own, other = (torch.autograd.grad(each, rows, retain_graph=True)[0] for each in (ours, loss))
    torch.testing.assert_close(own, other, rtol=1e-4, atol=TOLERANCE)


def test_images_that_differ_and_views_that_agree_are_best():
    """Equal views on orthogonal axes reach the bound, sqrt(B min(B, P)); views that disagree do not; one point is the chance loss."""
    axes = torch.eye(5).repeat(2, 1)[:, None].expand(-1, 4, -1)
    assert methods.mmcr.manifold_capacity(axes, 0.0).item() == pytest.approx(-math.sqrt(10 * 5), rel=1e-5)
    apart = torch.stack([axes[:, 0], axes[:, 0].roll(1, 1)], 1)
    assert methods.mmcr.manifold_capacity(apart, 0.0).item() > -0.8 * math.sqrt(10 * 5)
    method = make(compression=0.3)
    point = torch.ones(10, 4, 5)
    assert methods.mmcr.manifold_capacity(point, 0.3).item() == pytest.approx(method.chance_loss(10), rel=1e-4)


def test_with_one_view_nothing_has_to_agree():
    """The loss of a batch is then the same however its images are paired with views of others; so one view is refused."""
    rows = torch.randn(8, 4, 5, generator=torch.Generator().manual_seed(1))
    alone = [methods.mmcr.manifold_capacity(view[:, None], 0.0) for view in rows.unbind(1)]
    mixed = torch.stack([view.roll(number, 0) for number, view in enumerate(rows.unbind(1))], 1)
    for view, before in zip(mixed.unbind(1), alone, strict=True):
        torch.testing.assert_close(methods.mmcr.manifold_capacity(view[:, None], 0.0), before)
    assert not torch.isclose(methods.mmcr.manifold_capacity(mixed, 0.0), methods.mmcr.manifold_capacity(rows, 0.0), rtol=1e-3)
    views = domains(methods.mmcr.MMCR)["views"]
    assert not views.holds(1) and views.holds(2) and views.expected(1) == "a whole number, 2 or more"


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.5).dtype == torch.float64


MISTAKES = [
    ("rows = F.normalize(rows, dim=-1)", ""),
    ("svdvals(rows.mean(1))", "svdvals(rows.mean(0))"),
    ("loss = -torch", "loss = torch"),
    ("loss + compression *", "loss +"),
    ("sum() / len(rows)", "sum()"),
    ("rows.transpose(0, 1)", "rows"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.mmcr, right, wrong)
    with pytest.raises(AssertionError):
        check_loss(6, compression=0.4)
