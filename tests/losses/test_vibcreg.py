"""VIbCReg: whitening and loss against loops over numbers, in float64; what each does to scales and to directions that lack; mistakes that
the comparisons must notice.

B images, P projection, G groups.
"""

import math

import pytest
import torch

import methods.vibcreg
from bench.spec import DatasetInfo
from loss_cases import close, dot, make_encoder, mutate, random_batch, rows_of

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode; its dimensions vary by less than 1 and by more."""
    torch.manual_seed(seed)
    method = methods.vibcreg.VIbCReg(make_encoder, DATA, **{"projection": 6, "groups": 2, **hyper_parameters}).train()
    with torch.no_grad():
        method.projector[-1].weight.mul_(torch.linspace(0.2, 12, 6)[:, None])
        if method.scale is not None:
            method.scale.copy_(torch.linspace(0.3, 1.7, 6))
    return method


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def centred(rows):
    """Columns of a list of rows, each minus its mean."""
    return [[value - sum(column) / len(column) for value in column] for column in columns(rows)]


def product(left, right):
    return [[dot(row, column) for column in columns(right)] for row in left]


def loop_whitened(rows, groups, steps):
    """arXiv:1904.03441: rows as lists -> lists. P_0 is the identity, P_k = (3 P_k-1 - P_k-1^3 S) / 2, S the covariance over its trace."""
    size, found = len(rows[0]) // groups, [[] for _ in rows]
    for group in range(groups):
        own = centred([row[group * size : (group + 1) * size] for row in rows])
        covariance = [[dot(a, b) / len(rows) + 1e-5 * (i == j) for j, b in enumerate(own)] for i, a in enumerate(own)]
        trace = sum(covariance[i][i] for i in range(size))
        scaled = [[value / trace for value in row] for row in covariance]
        root = [[float(i == j) for j in range(size)] for i in range(size)]
        for _ in range(steps):
            cubed = product(product(product(root, root), root), scaled)
            root = [[1.5 * root[i][j] - 0.5 * cubed[i][j] for j in range(size)] for i in range(size)]
        for place, row in enumerate(product(columns(own), root)):
            found[place] += [value / math.sqrt(trace) for value in row]
    return found


def loop_loss(first, second, invariance, variance, decorrelation):
    """The three terms of lists of rows: vibcreg_invariance_loss, vibcreg_var_loss and vibcreg_cov_loss in the authors' losses.py."""
    count, dims = len(first), len(first[0])
    total = invariance * sum((a - b) ** 2 for left, right in zip(first, second, strict=True) for a, b in zip(left, right, strict=True))
    total /= count * dims
    for own in (centred(first), centred(second)):
        for i, left in enumerate(own):
            total += variance * max(0.0, 1 - math.sqrt(dot(left, left) / (count - 1) + 1e-4)) / dims
            for j, right in enumerate(own):
                if i != j:
                    total += decorrelation * dot(left, right) ** 2 / (dot(left, left) * dot(right, right)) / dims**2
    return total


def check_loss(size=8, **hyper_parameters):
    method = make(size, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    rows = [rows_of(method.projector(method.encoder(images))) for images in batch.views]
    if method.scale is not None:
        scale = method.scale.double().tolist()
        rows = [
            [[a * b for a, b in zip(row, scale, strict=True)] for row in loop_whitened(each, method.groups, method.newton_steps)]
            for each in rows
        ]
    close(method.loss(batch, 0.0), loop_loss(*rows, *method.weights_of_terms))


CHANGED = [{}, {"groups": 0}, {"groups": 3, "newton_steps": 2}, {"groups": 1}, {"invariance": 1.0, "variance": 30.0, "decorrelation": 9.0}]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
@pytest.mark.parametrize("size", [3, 8])
def test_the_loss_is_the_papers(size, changed):
    check_loss(size, **changed)


def rows(count=64, seed=0):
    """Correlated columns of different means and spreads: float64 [B, 8]."""
    draws = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, 8, generator=draws, dtype=torch.float64) @ torch.randn(8, 8, generator=draws, dtype=torch.float64)
    return mixed + torch.linspace(-3, 3, 8)


def test_many_steps_whiten_each_group():
    """Within a group covariances are those of the identity, between groups they are not looked at."""
    white = methods.vibcreg.whitened(rows(), 2, 12)
    covariance = torch.cov(white.T, correction=0)
    for group in (slice(0, 4), slice(4, 8)):
        torch.testing.assert_close(covariance[group, group], torch.eye(4, dtype=torch.float64), rtol=0, atol=0.02)
    assert covariance[:4, 4:].abs().max() > 0.1
    assert methods.vibcreg.whitened(rows(), 8, 5).std(0, correction=0) == pytest.approx([1.0] * 8, abs=1e-3), "groups of one: BatchNorm"


def test_a_direction_that_lacks_stays_small():
    """More dimensions than images: the covariance has no inverse, and nothing grows beyond 1.5 to the power of the steps."""
    few = rows(4)
    white = methods.vibcreg.whitened(few, 1, 5)
    assert white.isfinite().all() and torch.cov(white.T, correction=0).diagonal().sum() <= 8
    assert torch.linalg.matrix_rank(white - white.mean(0), rtol=1e-6) == 3


def test_correlations_do_not_go_with_scale():
    """What VICReg's covariances do: the better term is the same of an embedding a thousand times as large, and of more dimensions."""

    def term(own):
        return methods.vibcreg.three_terms(own, own, 0.0, 0.0, 1.0).item()

    assert term(rows()) == pytest.approx(term(1000 * rows()), rel=1e-9) and term(rows()) > 0.05
    assert term(rows().repeat(1, 2)) == pytest.approx(term(rows()), rel=0.6)


MISTAKES = [
    ("1.5 * root - 0.5", "1.5 * root - 0.4"),
    ("(root @ root @ root)", "(root @ root)"),
    ("trace.rsqrt()", "1"),
    ("+ 1e-5 * same", "+ 1e-2 * same"),
    ("/ len(rows) + 1e-5", "/ (len(rows) - 1) + 1e-5"),
    ("(rows - rows.mean(0)).unflatten", "rows.unflatten"),
    ("mse_loss(first, second)", "mse_loss(first, second, reduction='sum')"),
    ("F.relu(1 - (", "(1 - ("),
    ("/ (len(rows) - 1) + 1e-4", "/ len(rows) + 1e-4"),
    ("F.normalize(centred, dim=0)", "centred"),
    (" - correlation.diagonal().square().sum()", ""),
    ("/ correlation.numel()", "/ len(correlation)"),
    (" * self.scale", ""),
    ("self.compared(gather(self.project(images)))", "gather(self.project(images))"),
    (
        "(self.compared(gather(self.project(images))) for images in batch.views)",
        "self.compared(gather(self.project(torch.cat(batch.views)))).chunk(2)",
    ),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    def check():
        check_loss()
        check_loss(groups=0)

    mutate(monkeypatch, methods.vibcreg, right, wrong)
    with pytest.raises(AssertionError):
        check()
    monkeypatch.undo()
    check()


def test_groups_must_divide_the_projection():
    with pytest.raises(ValueError, match="projection = 10 cannot be split into 4 groups; expected a multiple, as 8"):
        make(projection=10, groups=4)
