"""TiCo: the loss and the second moment that it remembers against loops over images and dimensions, sharing no code with the method; against
lightly's over several steps; what flows back and what does not; mistakes that must be noticed.

B images, P projection.
"""

import pytest
import torch

import methods.tico
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

TiCoLoss = from_lightly("loss", "TiCoLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode, whose teacher is another network than its student."""
    torch.manual_seed(seed)
    method = methods.tico.TiCo(make_encoder, DATA, **{"hidden": 7, "projection": 5, **hyper_parameters}).train()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return method


def loop_moment(rows, before, forgetting):
    """beta C + (1 - beta) / B times the sum of outer products."""
    dims, count = len(before), len(rows)
    return [
        [forgetting * before[i][j] + (1 - forgetting) * sum(row[i] * row[j] for row in rows) / count for j in range(dims)]
        for i in range(dims)
    ]


def loop_loss(rows, targets, moment, contrast):
    total = 0.0
    for row, target in zip(rows, targets, strict=True):
        image = [dot(line, row) for line in moment]
        total += 1 - dot(row, target) + contrast * dot(row, image)
    return total / len(rows)


def check_steps(size=8, **hyper_parameters):
    """Three steps: each step's loss, with the moment of all steps so far, which no loss alone moves."""
    method = make(size, **hyper_parameters)
    moment = [[0.0] * 5 for _ in range(5)]
    for key in range(3):
        batch = random_batch(method, size, SIZE, key)
        rows = [unit(row) for row in rows_of(method.projector(method.encoder(batch.views[0])))]
        targets = [unit(row) for row in rows_of(method.teacher.network(batch.views[1]))]
        torch.testing.assert_close(method.moment.double(), torch.tensor(moment, dtype=torch.float64), rtol=0, atol=TOLERANCE)
        moment = loop_moment(rows, moment, method.forgetting)
        close(method.loss(batch, 0.0), loop_loss(rows, targets, moment, method.contrast))
        method.after_step(0.0)
        assert method.new_moment is None


@pytest.mark.parametrize("hyper_parameters", [{}, {"contrast": 0.0}, {"contrast": 20.0, "forgetting": 0.5}, {"forgetting": 0.0}])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_its_formula(hyper_parameters, size):
    check_steps(size, **hyper_parameters)


def test_losses_and_gradients_are_lightlys_over_steps():
    theirs, moment = TiCoLoss(beta=0.9, rho=8.0), torch.zeros(6, 6, dtype=torch.float64)
    for step in range(4):
        first, second = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        first.requires_grad_()
        loss = theirs(first, second)
        rows, targets = (torch.nn.functional.normalize(each, dim=1) for each in (first, second))
        moment = methods.tico.second_moment(rows, moment, 0.9)
        ours = methods.tico.agreement_and_contrast(rows, targets, moment, 8.0)
        close(ours, loss.item())
        own, other = (torch.autograd.grad(each, first, retain_graph=True)[0] for each in (ours, loss))
        torch.testing.assert_close(own, other, rtol=1e-4, atol=TOLERANCE)


def test_nothing_flows_into_the_teacher_or_the_moment():
    method = make()
    method.loss(random_batch(method, 8, SIZE), 0.0).backward()
    assert not method.new_moment.requires_grad
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert all(parameter.grad is not None for parameter in method.followed().parameters())


def test_a_spread_batch_has_the_lowest_contrast_and_one_point_the_chance_loss():
    """Of rows that point everywhere z^T C z is 1 / P, of one point 1."""
    axes = torch.eye(5).repeat(2, 1)
    spread = methods.tico.agreement_and_contrast(axes, axes, methods.tico.second_moment(axes, torch.zeros(5, 5), 0.0), 8.0)
    assert spread.item() == pytest.approx(8 / 5)
    point = axes[:1].repeat(10, 1)
    loss = methods.tico.agreement_and_contrast(point, point, methods.tico.second_moment(point, torch.zeros(5, 5), 0.0), 8.0)
    assert loss.item() == pytest.approx(make().chance_loss(10))


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.5).dtype == torch.float64
    method.after_step(0.5)
    assert method.moment.dtype == torch.float64


MISTAKES = [
    ("(1 - forgetting) * rows.T", "rows.T"),
    ("rows.T @ rows / len(rows)", "rows.T @ rows"),
    ("forgetting * before + ", ""),
    ("return 1 - (rows", "return -(rows"),
    ("+ contrast * ((rows", "+ ((rows"),
    ("rows @ moment) * rows", "targets @ moment) * targets"),
    ("self.project(first), self.teacher(second)", "self.project(second), self.teacher(first)"),
    ("self.new_moment, self.contrast)", "self.moment, self.contrast)"),
    ("self.moment.copy_(self.new_moment)", "pass"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.tico, right, wrong)
    with pytest.raises(AssertionError):
        check_steps()
