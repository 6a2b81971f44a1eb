"""EMP-SSL: the loss against loops over patches, images and dimensions, whose determinant is taken by elimination; against lightly's two
terms; the patches that an image is evaluated by; mistakes that must be noticed.

B images, V patches, P projection.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.emp_ssl
from bench.spec import DatasetInfo
from loss_cases import close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

emp_ssl_loss = from_lightly("loss", "emp_ssl_loss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
SMALL = {"projection": 5, "hidden": 7, "patches": 3, "scale": 1.0}


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.emp_ssl.EMPSSL(make_encoder, DATA, **{**SMALL, **hyper_parameters}).train()


def log_determinant(matrix):
    """Of a positive definite list of lists, by elimination."""
    rows, total = [list(row) for row in matrix], 0.0
    for place, row in enumerate(rows):
        total += math.log(row[place])
        for other in rows[place + 1 :]:
            factor = other[place] / row[place]
            other[:] = [value - factor * above for value, above in zip(other, row, strict=True)]
    return total


def loop_loss(patches, invariance, coding, epsilon):
    """arXiv:2304.03977, eq. 3: patches, lists [V][B][P]."""
    patches = [[unit(row) for row in rows] for rows in patches]
    count, dims, agree, rate = len(patches[0]), len(patches[0][0]), 0.0, 0.0
    for rows in patches:
        for image, row in enumerate(rows):
            centre = [sum(values) / len(patches) for values in zip(*(other[image] for other in patches), strict=True)]
            agree += dot(row, unit(centre)) / count / len(patches)
        columns = list(zip(*rows, strict=True))
        scale = dims / (count * epsilon)
        matrix = [[(i == j) + scale * dot(a, b) for j, b in enumerate(columns)] for i, a in enumerate(columns)]
        rate += log_determinant(matrix) / 2 / len(patches)
    return -invariance * agree - coding * rate


def check_loss(size=8, key=0, **hyper_parameters):
    method = make(key, **hyper_parameters)
    batch = random_batch(method, size, SIZE, key)
    rows = method.head(method.encoder(torch.cat(batch.views))).chunk(len(batch.views))
    expected = loop_loss([rows_of(patch) for patch in rows], method.invariance, method.coding, method.epsilon)
    close(method.loss(batch, 0.0), method.scale * expected)


@pytest.mark.parametrize("changed", [{}, {"invariance": 1.0}, {"scale": 0.3}, {"coding": 0.0}, {"epsilon": 3.0}, {"patches": 2}], ids=str)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(size, changed):
    """With fewer images than dimensions, and with more."""
    check_loss(size, key=size, **changed)


@pytest.mark.parametrize(("patches", "count", "dims"), [(2, 4, 9), (5, 12, 3), (3, 6, 6)])
def test_terms_and_gradients_are_lightlys(patches, count, dims):
    """Of its EMPSSLLoss each term: it adds the coding rate, which the authors' main.py subtracts."""
    rows = torch.randn(patches, count, dims, generator=torch.Generator().manual_seed(dims), dtype=torch.float64).requires_grad_()
    unit_rows = F.normalize(rows, dim=-1)
    ours = methods.emp_ssl.coding_rate(unit_rows, 0.2), -methods.emp_ssl.agreement(unit_rows)
    theirs = emp_ssl_loss.tcr_loss(unit_rows, 0.2), emp_ssl_loss.invariance_loss(unit_rows)
    for own, other in zip(ours, theirs, strict=True):
        close(own, other.item(), torch.float64)
        one, two = (torch.autograd.grad(each, rows, retain_graph=True)[0] for each in (own, other))
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


def test_one_direction_for_all_has_the_chance_loss_and_many_directions_a_lower_one():
    method = make()
    assert -method.invariance - method.coding * methods.emp_ssl.coding_rate(F.normalize(torch.ones(2, 6, 5), dim=-1), 0.2).item() == (
        pytest.approx(method.chance_loss(6), rel=1e-6)
    )
    spread = torch.eye(5).expand(2, 5, 5)
    assert -method.invariance * methods.emp_ssl.agreement(spread) - methods.emp_ssl.coding_rate(spread, 0.2) < method.chance_loss(5)


def check_representation(**hyper_parameters):
    """The mean over patches of what says which pixels they are of, and over that of the networks."""
    method = make(**hyper_parameters).eval()
    images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    layers = method.head[:3] if method.representation == "head" else torch.nn.Identity()
    total = 0.0
    for top in (0, 2, 4):
        for left in (0, 2, 4):
            patch = F.interpolate(images[:, :, top : top + 4, left : left + 4], scale_factor=2, mode="bilinear", align_corners=False)
            total = total + layers(method.encoder(patch)) / 9
    torch.testing.assert_close(method.encode(images), total, rtol=1e-5, atol=1e-6)
    if method.representation == "head":
        assert method.encode(images).shape == (2, 7) and method.project(images).shape == (2, 5)


@pytest.mark.parametrize("representation", ["head", "encoder"])
def test_an_image_is_evaluated_as_the_mean_of_its_patches(representation):
    check_representation(grid=3, representation=representation)


def test_the_grid_reaches_every_border():
    method = make(grid=4)
    seen = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    images = torch.arange(SIZE * SIZE, dtype=torch.float32).view(1, 1, SIZE, SIZE)

    def corners(patch):
        # Corners are no mixture of pixels.
        for row in (0, -1):
            for column in (0, -1):
                place = int(patch[0, 0, row, column].item())
                seen[place // SIZE, place % SIZE] = True
        return patch

    method.mean_of_patches(corners, images)
    assert seen[0, 0] and seen[0, -1] and seen[-1, 0] and seen[-1, -1] and seen.sum() > 16


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"area": 1e-3}, "area = 0.001 of an image 8 pixels wide is no pixel; expected 0.016 or more"),
        ({"grid": 6}, "patches 4 pixels wide have 5 places in a row of 8, and grid = 6; expected a grid of 5 or fewer"),
        ({"area": 1.0, "grid": 2}, "patches 8 pixels wide have 1 places in a row of 8"),
    ],
)
def test_patches_that_do_not_fit_are_refused(settings, told):
    """Training would see the whole image in the place of a patch that is no pixel, and a patch would be evaluated twice."""
    with pytest.raises(ValueError, match=told):
        make(**settings)
    make(area=1 / SIZE**2, grid=SIZE)


def test_a_training_view_is_a_patch_of_a_quarter_of_the_image():
    (view,) = make(patches=20).views
    assert view.count == 20 and view.ops[0].scale == (0.25, 0.25) and view.ops[0].ratio == (1.0, 1.0) and view.size == 1


MISTAKES = [
    ("dims / (count * epsilon)", "dims / count", check_loss),
    ("dims / (count * epsilon)", "1 / (count * epsilon)", check_loss),
    (".log().sum(-1).mean()", ".log().mean()", check_loss),
    ("rows.mean(0, keepdim=True), dim=-1)", "rows[:1], dim=-1)", check_loss),
    ("F.normalize(self.head(self.encoder(patches)), dim=1)", "self.head(self.encoder(patches))", check_loss),
    (" + self.coding * coding_rate", " - self.coding * coding_rate", check_loss),
    ("self.head[:3]", "self.head[:2]", lambda: check_representation(grid=3)),
    ("for top in places for left in places", "for top in places for left in places[:1]", lambda: check_representation(grid=3)),
    ("math.sqrt(self.area) * size", "self.area * size", lambda: check_representation(grid=3)),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.emp_ssl, right, wrong)
    with pytest.raises(AssertionError):
        check()
