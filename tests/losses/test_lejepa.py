"""LeJEPA: the loss against loops over crops, images and directions in Python's complex numbers, sharing no code with the method; against
the authors' printed algorithm 1, the closed form of the integral, and lightly's; its chance loss; mistakes that must be noticed.

B images, V crops, P projection, M directions.
"""

import cmath
import math

import pytest
import torch
from torch.nn import functional as F

import methods.lejepa
from bench.compute.randomness import Draws
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of

LeJEPALoss = from_lightly("loss.lejepa_loss", "LeJEPALoss")
SIGReg = from_lightly("loss.lejepa_loss", "SIGReg")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
SMALL = {"projection": 5, "hidden": 7, "slices": 6, "knots": 9}


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.lejepa.LeJEPA(make_encoder, DATA, **{**SMALL, **hyper_parameters}).train()


def grown(crops, images, dims, seed=0):
    """Random rows [V, B, P], float64, with columns of different means and spreads."""
    rows = torch.randn(crops, images, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (rows * torch.linspace(0.3, 2, dims) + torch.linspace(-1, 1, dims)).requires_grad_()


def unit_columns(dims, count):
    directions = torch.randn(dims, count, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return F.normalize(directions, dim=0)


def loop_sigreg(rows, directions, knots, reach):
    """arXiv:2511.08544, section 4.2.3, of one crop's rows: the trapezoidal rule over the whole of -reach to reach."""
    total, step = 0.0, reach / (knots - 1)
    for direction in zip(*directions, strict=True):
        for knot in range(-knots + 1, knots):
            t, weight = knot * step, step / 2 if abs(knot) == knots - 1 else step
            empirical = sum(cmath.exp(1j * t * dot(row, direction)) for row in rows) / len(rows)
            total += weight * abs(empirical - math.exp(-t * t / 2)) ** 2 * math.exp(-t * t / 2)
    return len(rows) * total / len(directions[0])


def loop_agreement(crops, large):
    """Algorithm 2: every crop's squared distance from the mean of the large crops, mean over all numbers."""
    total, images, dims = 0.0, len(crops[0]), len(crops[0][0])
    for image in range(images):
        for dim in range(dims):
            centre = sum(crops[number][image][dim] for number in range(large)) / large
            total += sum((crop[image][dim] - centre) ** 2 for crop in crops)
    return total / (len(crops) * images * dims)


def expected(method, batch):
    """What the loss must be, from the outputs of the method's own networks: crops of one size share an encoder call."""
    large = method.global_crops
    groups = [batch.views[:large], batch.views[large:]] if len(batch.views) > large else [batch.views]
    features = torch.cat([method.encoder(torch.cat(group)) for group in groups])
    crops = [rows_of(rows) for rows in method.projector(features).chunk(len(batch.views))]
    drawn = Draws(*batch.draws.key, total=3).shared_randn(*method.directions_shape)
    directions = rows_of(drawn / drawn.square().sum(0).sqrt())
    gaussian = sum(loop_sigreg(rows, directions, method.knots, method.reach) for rows in crops) / len(crops)
    return method.regularization * gaussian + (1 - method.regularization) * loop_agreement(crops, large)


def check_loss(size=8, key=0, **hyper_parameters):
    method = make(key, **hyper_parameters)
    batch = random_batch(method, size, SIZE, key)
    close(method.loss(batch, 0.0), expected(method, batch))


CHANGED = [
    {},
    {"global_crops": 2, "local_crops": 3, "local_size": 0.5},
    {"regularization": 0.6, "reach": 5.0, "knots": 4},
    {"regularization": 0.0},
    {"regularization": 1.0},
]


@pytest.mark.parametrize("hyper_parameters", CHANGED)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(hyper_parameters, size):
    check_loss(size, key=size, **hyper_parameters)


def test_the_statistic_is_the_authors_algorithm_1():
    """As printed: 17 knots from -5 to 5, each direction's, in complex numbers."""
    rows, directions = grown(3, 12, 5), unit_columns(5, 7)
    t = torch.linspace(-5, 5, 17, dtype=torch.float64)
    window = torch.exp(-0.5 * t**2)
    printed = []
    for crop in rows:
        empirical = (1j * ((crop @ directions)[:, :, None] * t)).exp().mean(0)
        printed.append(torch.trapz((empirical - window).abs().square() * window, t, dim=1) * len(crop))
    close(methods.lejepa.sigreg(rows, directions, 9, 5.0), torch.stack(printed).mean().item())


def test_the_statistic_is_the_closed_form_of_its_integral():
    """Over all t: with Gaussian kernels of all pairs of images, and no quadrature."""
    rows, directions = grown(1, 9, 4), unit_columns(4, 3)
    total, count = 0.0, 9
    for values in zip(*rows_of(rows[0] @ directions), strict=True):
        pairs = sum(math.exp(-((one - other) ** 2) / 2) for one in values for other in values) / count**2
        cross = sum(math.exp(-(value**2) / 4) for value in values) / count
        total += count * math.sqrt(2 * math.pi) * (pairs - math.sqrt(2) * cross + 1 / math.sqrt(3))
    close(methods.lejepa.sigreg(rows, directions, 401, 9.0), total / 3)


@pytest.mark.parametrize("size", [2, 5, 16])
def test_losses_and_gradients_are_lightlys(size, monkeypatch):
    rows, directions = grown(5, size, 6), unit_columns(6, 11)
    monkeypatch.setattr(SIGReg, "_generate_unit_vectors", lambda *arguments, **options: directions)
    theirs = LeJEPALoss(0.05, sigreg_num_vectors=11).double()
    # Its knots and windows were made in float32.
    loss = theirs(global_proj=rows[:2], local_proj=rows[2:])
    ours = 0.05 * methods.lejepa.sigreg(rows, directions, 17, 3.0) + 0.95 * methods.lejepa.distance_to_centre(rows, 2)
    close(ours, loss.item())
    one, other = (torch.autograd.grad(each, rows)[0] for each in (ours, loss))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=TOLERANCE)


def test_a_gaussian_batch_has_a_low_statistic_and_every_other_a_higher_one():
    """Of N(0, 1) its mean is the integral of (1 - exp(-t^2)) exp(-t^2 / 2), 1.06, whatever the batch; shift, scale and shape raise it."""
    normal = torch.randn(8, 512, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = unit_columns(4, 64)
    found = methods.lejepa.sigreg(normal, directions, 33, 5.0).item()
    assert found == pytest.approx(math.sqrt(2 * math.pi) * (1 - 1 / math.sqrt(3)), rel=0.1)
    for wrong in (normal + 0.5, 0.5 * normal, 2 * normal, normal.sign(), normal * torch.tensor([1.0, 1, 1, 0])):
        assert methods.lejepa.sigreg(wrong, directions, 33, 5.0).item() > 3 * found


def test_a_collapse_to_any_point_is_no_better_than_the_chance_loss():
    method = make(knots=17)
    for point in (0.0, 0.3, 1.0, 4.0):
        loss = method.regularization * methods.lejepa.sigreg(torch.full((4, 8, 5), point), torch.eye(5), 17, 3.0)
        assert loss.item() >= method.chance_loss(8) * (1 - 1e-5)
        assert point > 0 or loss.item() == pytest.approx(method.chance_loss(8), rel=1e-5)
    assert make(regularization=0.0).chance_loss(8) is None


def test_everything_is_float64_in_a_float64_run():
    method = make(local_crops=1).double()
    batch = random_batch(method, 4, SIZE)
    batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.5).dtype == torch.float64


MISTAKES = [
    ("angles.sin().mean(1).square()", "0"),
    ("(-t.square() / 2)", "(-t.square())"),
    ("off * gaussian", "off"),
    ("2 * len(rows[0]) * ", "len(rows[0]) * "),
    ("2 * len(rows[0]) * ", "2 * "),
    ("(knots - 1)).mean()", "knots).mean()"),
    ("(1 - self.regularization) * distance", "distance"),
    ("distance_to_centre(rows, self.global_crops)", "distance_to_centre(rows, len(rows))"),
    ("return self.regularization * gaussian", "return gaussian"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.lejepa, right, wrong)
    with pytest.raises(AssertionError):
        check_loss(8, global_crops=2, local_crops=2, local_size=0.5)
