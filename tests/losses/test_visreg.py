"""VISReg: the loss against loops over crops, dimensions and directions, sharing no code with the method; against lightly's; what is taken
as a constant; its chance loss; mistakes that must be noticed.

B images, V crops, P projection, M directions.
"""

import math
import statistics

import pytest
import torch
from torch.nn import functional as F

import methods.visreg
from bench.compute.randomness import Draws
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of

VISRegLoss = from_lightly("loss.visreg_loss", "VISRegLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
NORMAL = statistics.NormalDist()


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.visreg.VISReg(make_encoder, DATA, **{"projection": 5, "hidden": 7, "slices": 6, **hyper_parameters}).train()


def loop_regular(rows, directions):
    """Of one crop's rows."""
    count = len(rows)
    columns = list(zip(*rows, strict=True))
    means = [sum(column) / count for column in columns]
    spreads = [math.sqrt(sum((value - mean) ** 2 for value in column) / count) for column, mean in zip(columns, means, strict=True)]
    total = sum(mean**2 for mean in means) / len(means) + sum((spread - 1) ** 2 for spread in spreads) / len(spreads)
    standard = [[(value - m) / (s + 1e-6) for value, m, s in zip(row, means, spreads, strict=True)] for row in rows]
    shape = 0.0
    for direction in zip(*directions, strict=True):
        for place, value in enumerate(sorted(dot(row, direction) for row in standard), 1):
            shape += (value - NORMAL.inv_cdf(place / (count + 1))) ** 2
    return total + shape / (count * len(directions[0]))


def loop_agreement(crops, large):
    total, images, dims = 0.0, len(crops[0]), len(crops[0][0])
    for image in range(images):
        for dim in range(dims):
            centre = sum(crops[number][image][dim] for number in range(large)) / large
            total += sum((crop[image][dim] - centre) ** 2 for crop in crops)
    return total / (len(crops) * images * dims)


def check_loss(size=8, key=0, **hyper_parameters):
    method = make(key, **hyper_parameters)
    batch = random_batch(method, size, SIZE, key)
    large = method.global_crops
    groups = [batch.views[:large], batch.views[large:]] if len(batch.views) > large else [batch.views]
    features = torch.cat([method.encoder(torch.cat(group)) for group in groups])
    crops = [rows_of(rows) for rows in method.projector(features).chunk(len(batch.views))]
    drawn = Draws(*batch.draws.key, total=3).shared_randn(*method.directions_shape)
    directions = rows_of(drawn / drawn.square().sum(0).sqrt())
    regular = sum(loop_regular(rows, directions) for rows in crops) / len(crops)
    close(method.loss(batch, 0.0), method.regularization * regular + (1 - method.regularization) * loop_agreement(crops, large))


CHANGED = [{}, {"global_crops": 2, "local_crops": 3, "local_size": 0.5}, {"regularization": 0.0}, {"regularization": 1.0}]


@pytest.mark.parametrize("hyper_parameters", CHANGED)
@pytest.mark.parametrize("size", [3, 8])
def test_the_loss_is_the_papers(hyper_parameters, size):
    check_loss(size, key=size, **hyper_parameters)


@pytest.mark.parametrize("size", [3, 16])
def test_losses_and_gradients_are_lightlys(size, monkeypatch):
    """Its epsilon is outside the deviation that is held to 1."""
    rows = torch.randn(5, size, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = (rows * torch.linspace(0.3, 2, 6)).requires_grad_()
    drawn = torch.randn(6, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: drawn)
    loss = VISRegLoss(0.6, num_slices=11, eps=1e-6)(global_proj=rows[:2], local_proj=rows[2:])
    regular = methods.visreg.centre_scale_shape(rows, F.normalize(drawn, dim=0))
    ours = 0.6 * regular + 0.4 * methods.visreg.distance_to_centre(rows, 2)
    close(ours, loss.item())
    own, other = (torch.autograd.grad(each, rows, retain_graph=True)[0] for each in (ours, loss))
    torch.testing.assert_close(own, other, rtol=1e-4, atol=TOLERANCE)


def test_the_deviation_that_rows_are_divided_by_is_a_constant():
    """The gradient is as of a loss that divides by numbers; the deviation that is held to 1 has its own."""
    rows = torch.randn(1, 32, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    directions = F.normalize(torch.randn(4, 9, generator=torch.Generator().manual_seed(3), dtype=torch.float64), dim=0)
    (gradient,) = torch.autograd.grad(methods.visreg.centre_scale_shape(rows, directions), rows)
    deviation = rows.std(1, correction=0, keepdim=True).detach() + 1e-6
    centred = rows - rows.mean(1, keepdim=True)
    shape = ((centred / deviation @ directions).sort(1).values - methods.visreg.normal_quantiles(32, rows)[:, None]).square().mean()
    others = rows.mean(1).square().mean() + (rows.std(1, correction=0) - 1).square().mean()
    torch.testing.assert_close(gradient, torch.autograd.grad(shape + others, rows)[0], rtol=1e-4, atol=1e-6)


def test_a_collapse_has_the_chance_loss():
    method = make()
    regular = methods.visreg.centre_scale_shape(torch.zeros(4, 8, 5), torch.eye(5))
    assert method.regularization * regular.item() == pytest.approx(method.chance_loss(8), rel=1e-4)
    assert make(regularization=0.0).chance_loss(8) is None


def test_everything_is_float64_in_a_float64_run():
    method = make(local_crops=1).double()
    batch = random_batch(method, 4, SIZE)
    batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.5).dtype == torch.float64


MISTAKES = [
    ("return mean.square().mean() + ", "return "),
    ("(deviation - 1).square()", "deviation.square()"),
    ("/ math.sqrt(rows.shape[1])", "/ math.sqrt(rows.shape[1] - 1)"),
    ("(centred / deviation.detach() @", "(centred @"),
    (".sort(dim=1)", ".sort(dim=1, descending=True)"),
    ("dtype=like.dtype) / (count + 1)", "dtype=like.dtype) / (count + 2)"),
    ("(1 - self.regularization) * distance", "distance"),
    ("return self.regularization * regular", "return regular"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.visreg, right, wrong)
    with pytest.raises(AssertionError):
        check_loss(8, global_crops=2, local_crops=2, local_size=0.5)
