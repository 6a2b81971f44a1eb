"""FastSiam: its loss against loops, in float64, and against lightly's, and SimSiam's where there are two views; targets without gradient;
mistakes that the comparisons must notice; and what it is for, a target that varies less.

B images, V views, P projection.
"""

import pytest
import torch
from torch.nn import functional as F

import methods.fastsiam
import methods.simsiam
from bench.spec import DatasetInfo
from loss_cases import close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

NegativeCosineSimilarity = from_lightly("loss", "NegativeCosineSimilarity")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.fastsiam.FastSiam(make_encoder, DATA, **{"projection": 6, "hidden": 4, **hyper_parameters}).train()


def loop_loss(predictions, projections):
    """Each prediction against the mean of the other views' projections, as lists of [B, P]."""
    predicted, projected, total = [rows_of(rows) for rows in predictions], [rows_of(rows) for rows in projections], 0.0
    for own, rows in enumerate(predicted):
        for image, prediction in enumerate(rows):
            others = [projected[view][image] for view in range(len(projected)) if view != own]
            mean = [sum(values) / len(values) for values in zip(*others, strict=True)]
            total -= dot(unit(prediction), unit(mean))
    return total / (len(predicted) * len(predicted[0]))


def check_loss(size=8, crops=4, **hyper_parameters):
    method = make(size, crops=crops, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    projections = [method.projector(method.encoder(images)) for images in batch.views]
    assert len(projections) == crops
    close(method.loss(batch, 0.0), loop_loss([method.predictor(rows) for rows in projections], projections))


@pytest.mark.parametrize("crops", [2, 3, 5])
@pytest.mark.parametrize("size", [2, 8])
def test_the_loss_is_that_of_loops(size, crops):
    check_loss(size, crops)
    check_loss(size, crops, head_layers=3)


def rows(views, seed):
    """[V, B, P], float64."""
    return torch.randn(views, 5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("views", [2, 4])
def test_loss_and_gradients_are_lightlys(views):
    """FastSiamModel of its CIFAR-10 benchmark: its cosine loss, of each view and the mean of the others, detached."""
    predictions, projections = rows(views, 0), rows(views, 1)
    theirs = [
        NegativeCosineSimilarity()(predictions[own], projections[torch.arange(views) != own].detach().mean(0)) / views
        for own in range(views)
    ]
    ours = methods.fastsiam.distance_to_the_others(predictions, projections)
    close(ours, sum(theirs).item())
    (own,), (other,) = (torch.autograd.grad(loss, predictions) for loss in (ours, sum(theirs)))
    torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-8)


def check_gradients():
    predictions, projections = rows(3, 0), rows(3, 1)
    methods.fastsiam.FastSiam.loss.__globals__["distance_to_the_others"](predictions, projections).backward()
    assert predictions.grad is not None and projections.grad is None


def test_targets_are_constants():
    check_gradients()


def test_with_two_views_it_is_simsiam():
    ours = make(crops=2)
    torch.manual_seed(0)
    theirs = methods.simsiam.SimSiam(make_encoder, DATA, projection=6, hidden=4).train()
    assert ours.views == theirs.views and ours.recipe == theirs.recipe
    batch = random_batch(ours, 8, SIZE)
    close(ours.loss(batch, 0.0), theirs.loss(batch, 0.0).item())


def target_variance(views):
    """Of the target of one view, over draws of the views: its projections are a signal and as much noise."""
    signal, draws = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    seen, given = [], torch.zeros(views, 1, 64)

    def keep(predictions, others, dim):
        seen.append(F.normalize(others[0], dim=-1))
        return (predictions * others).sum(dim)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods.fastsiam.F, "cosine_similarity", keep)
        for _ in range(50):
            methods.fastsiam.distance_to_the_others(given, signal + torch.randn(views, 1, 64, generator=draws))
    return torch.stack(seen).var(0).sum().item()


def test_more_views_make_a_steadier_target():
    """The paper's abstract: a target of a single view is unstable. Of three it varies half as much where signal and noise are even."""
    assert target_variance(4) < 0.6 * target_variance(2)


MISTAKES = [
    ("return -F.cosine", "return F.cosine", check_loss),
    ("(targets.sum(0) - targets) / (len(targets) - 1)", "targets.mean(0).expand_as(targets)", check_loss),
    ("(targets.sum(0) - targets) / (len(targets) - 1)", "targets", check_loss),
    ("targets = projections.detach()", "targets = F.normalize(projections.detach(), dim=2)", check_loss),
    ("self.predictor(rows) for rows in projections", "rows for rows in projections", check_loss),
    ("[self.project(images) for images in batch.views]", "self.project(torch.cat(batch.views)).chunk(len(batch.views))", check_loss),
    ("targets = projections.detach()", "targets = projections", check_gradients),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.fastsiam, right, wrong)
    with pytest.raises(AssertionError):
        check()
    monkeypatch.undo()
    check()
