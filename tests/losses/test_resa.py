"""ReSA: the loss against loops over images, written from arXiv:2501.18452 and its authors' method/ in float64, Sinkhorn's algorithm among
them; what has a gradient, and whose features are evaluated; mistakes that must be noticed.

B images, P projection.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.resa
from bench.spec import DatasetInfo
from bench.views.ops import ColorJitter
from loss_cases import close, cross_entropy_of_one, dot, make_encoder, mutate, random_batch, rows_of, unit

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode, whose teacher is another network than its student."""
    torch.manual_seed(seed)
    method = methods.resa.ReSA(make_encoder, DATA, **{"hidden": 7, "projection": 5, **hyper_parameters}).train()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return method


def cosines(rows, others):
    return [[dot(unit(row), unit(other)) for other in rows_of(others)] for row in rows_of(rows)]


def loop_sinkhorn(scores, epsilon, iterations):
    """sinkhorn_knopp of the authors' method/base.py: each image that is compared with is shared out, then each image's share is 1."""
    count = len(scores)
    powers = [[math.exp(score / epsilon) for score in row] for row in scores]
    for _ in range(iterations):
        columns = [sum(row[place] for row in powers) for place in range(count)]
        powers = [[value / columns[place] for place, value in enumerate(row)] for row in powers]
        powers = [[value / sum(row) for value in row] for row in powers]
    return powers


def loop_cross_entropy(scores, shares):
    return sum(
        share * cross_entropy_of_one(row, place) for row, part in zip(scores, shares, strict=True) for place, share in enumerate(part)
    ) / (len(scores))


def expected(method, batch):
    """What the loss must be, from the outputs of the method's own networks: one call for each view."""
    features = [method.encoder(images) for images in batch.views]
    rows = [method.predictor(method.projector(each)) for each in features]
    encoder, projector = method.teacher.network
    teacher_features = [encoder(images) for images in batch.views]
    targets = [projector(each) for each in teacher_features]
    shares = loop_sinkhorn(cosines(features[0], teacher_features[0]), method.epsilon, method.iterations)
    total = 0.0
    for own in (0, 1):
        scores = [[value / method.temperature for value in row] for row in cosines(rows[own], targets[1 - own])]
        total += loop_cross_entropy(scores, shares) / 2
    return total


def check_loss(size=8, **hyper_parameters):
    method = make(size, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    close(method.loss(batch, 0.0), expected(method, batch))


CHANGED = [{}, {"temperature": 0.1}, {"epsilon": 0.3}, {"iterations": 1}, {"predictor": True}, {"weak": False}]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(size, changed):
    check_loss(size, **changed)


def check_gradients():
    """As of a loss whose targets and whose assignment are numbers."""
    method = make()
    batch = random_batch(method, 8, SIZE)
    method.loss(batch, 0.0).backward()
    found = [parameter.grad.clone() for parameter in method.encoder.parameters()]
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    method.zero_grad()
    rows = [F.normalize(method.projector(method.encoder(images)), dim=1) for images in batch.views]
    with torch.no_grad():
        encoder, projector = method.teacher.network
        targets = [F.normalize(projector(encoder(images)), dim=1) for images in batch.views]
        shares = loop_sinkhorn(cosines(method.encoder(batch.views[0]), encoder(batch.views[0])), 0.05, 3)
    sum(F.cross_entropy(rows[own] @ targets[1 - own].T / 0.4, torch.tensor(shares)) / 2 for own in (0, 1)).backward()
    for own, parameter in zip(found, method.encoder.parameters(), strict=True):
        torch.testing.assert_close(own, parameter.grad, rtol=1e-3, atol=1e-5)


def test_targets_and_assignment_are_constants():
    check_gradients()


def check_evaluated():
    """The teacher's features, and its projections, as eval/evaluate.py."""
    method = make().eval()
    images = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    encoder, projector = method.teacher.network
    torch.testing.assert_close(method.encode(images), encoder(images))
    torch.testing.assert_close(method.project(images), projector(encoder(images)))
    torch.testing.assert_close(method.encode_also()["student"](images), method.encoder(images))
    assert not torch.allclose(method.encode(images), method.encoder(images))


def test_the_teacher_is_evaluated():
    check_evaluated()


def test_an_images_nearest_share_is_its_own():
    """Where features tell images apart, each is assigned to itself, and to others in so far as they are alike."""
    rows = torch.eye(6)
    rows[1] = rows[0] + 0.3 * rows[1]
    shares = methods.resa.sinkhorn(methods.resa.likeness(rows, rows), 0.05, 3)
    assert shares.argmax(1).tolist() == list(range(6)) and shares[0, 1] > 0.1 and shares[0, 2] < 1e-4
    torch.testing.assert_close(shares.sum(1), torch.ones(6))


def test_the_first_view_is_weak():
    """Its features are what is clustered; without, both are drawn alike."""
    weak, strong = make().views
    assert len(weak.ops) == 2 and any(isinstance(op, ColorJitter) for op in strong.ops)
    (both,) = make(weak=False).views
    assert both.count == 2 and both.ops == strong.ops


MISTAKES = [
    ("F.normalize(rows, dim=1)", "rows", check_loss),
    ("F.normalize(others, dim=1)", "others", check_loss),
    (".sum(1).mean()", ".mean()", check_loss),
    ("gather(features[0]), gather(teacher_features[0])", "gather(features[0]), gather(teacher_features[1])", check_loss),
    ("gather(features[0]), gather(teacher_features[0])", "first, first_target", check_loss),
    ("likeness(second, first_target)", "likeness(second, second_target)", check_loss),
    ("each / self.temperature", "each", check_loss),
    ("sinkhorn(shared,", "sinkhorn(shared.T,", check_loss),
    ("(gather(projector(rows)) for rows in teacher_features)", "(gather(self.projector(rows)) for rows in teacher_features)", check_loss),
    ("return encoder(images)", "return self.encoder(images)", check_evaluated),
    ("return self.teacher.network(images)", "return self.projector(self.encoder(images))", check_evaluated),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.resa, right, wrong)
    with pytest.raises(AssertionError):
        check()
    monkeypatch.undo()
    check()
