"""W-MSE: the loss against loops over images and dimensions in float64, in which a column is whitened by taking out of it what the columns
before it say (Gram and Schmidt), and against lightly's; what a batch must be; mistakes that the comparison must notice.

B images, P projection, V views.
"""

import itertools
import math

import pytest
import torch

import methods.w_mse
from bench.compute.randomness import Draws
from bench.errors import UserError
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from loss_cases import agree, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit
from methods.w_mse import distance, whitened

WMSELoss = from_lightly("loss.wmse_loss", "WMSELoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def loop_whitened(rows):
    """A list of rows -> the same with mean 0, variance 1 (over B - 1) and no covariance, column by column."""
    done = []
    for column in zip(*rows, strict=True):
        centred = [value - sum(column) / len(column) for value in column]
        for before in done:
            share = dot(centred, before) / (len(rows) - 1)
            centred = [value - share * other for value, other in zip(centred, before, strict=True)]
        deviation = math.sqrt(dot(centred, centred) / (len(rows) - 1))
        done.append([value / deviation for value in centred])
    return [list(row) for row in zip(*done, strict=True)]


def loop_w_mse(views, orders, whiten, normalise):
    """Every part of every view is whitened by itself; all pairs of views, all ways of splitting."""
    count, total = len(views[0]), 0.0
    for order in orders:
        parts, first = max(1, count // whiten), 0
        white = [[None] * count for _ in views]
        for number in range(parts):
            places = order[first : first + count // parts + (number < count % parts)]
            first += len(places)
            for view, rows in zip(white, views, strict=True):
                for place, row in zip(places, loop_whitened([rows[k] for k in places]), strict=True):
                    view[place] = row
        for one, other in itertools.combinations(white, 2):
            for a, b in zip(one, other, strict=True):
                pair = (unit(a), unit(b)) if normalise else (a, b)
                squares = [(x - y) ** 2 for x, y in zip(*pair, strict=True)]
                total += sum(squares) / count / (1 if normalise else len(a))
    return total / (len(orders) * len(views) * (len(views) - 1) / 2)


def case(size=24, seed=0, **hyper_parameters):
    """The method's loss and the loops'."""
    torch.manual_seed(seed)
    settings = {"projection": 3, "hidden": 7, "whiten": 8, **hyper_parameters}
    method = methods.w_mse.WMSE(make_encoder, DATA, **settings).train()
    batch = random_batch(method, size, SIZE, seed)
    rows = method.projector(torch.cat([method.encoder(images) for images in batch.views])).chunk(len(batch.views))
    draws = Draws(*batch.draws.key, total=size)
    orders = [draws.permutation(size).tolist() for _ in range(settings.get("iterations", 1))]
    expected = loop_w_mse([rows_of(view) for view in rows], orders, settings["whiten"], settings.get("normalise", True))
    return method.loss(batch, 0.0).item(), expected


@pytest.mark.parametrize("settings", [{}, {"samples": 4}, {"iterations": 2}, {"normalise": False}, {"whiten": 24}])
@pytest.mark.parametrize("size", [24, 29])
def test_the_loss_is_the_papers(size, settings):
    assert agree(case(size, size, **settings))


def random_rows(*shape):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (rows @ torch.randn(shape[-1], shape[-1], generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 2).requires_grad_()


@pytest.mark.parametrize(("views", "count", "dims"), [(2, 8, 3), (2, 32, 16), (4, 20, 5)])
def test_loss_and_gradients_are_lightlys(views, count, dims):
    rows = random_rows(views * count, dims)
    theirs = WMSELoss(dims, w_size=count, num_samples=views)(rows)
    white = [whitened(part) for part in rows.chunk(views)]
    pairs = list(itertools.combinations(white, 2))
    ours = sum(distance(first, second, True) for first, second in pairs) / len(pairs)
    close(ours, theirs.item(), torch.float64)
    for own, other in zip(torch.autograd.grad(ours, rows), torch.autograd.grad(theirs, rows), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-7)


def test_whitened_rows_have_no_mean_and_no_covariance():
    rows = whitened(random_rows(40, 6).float())
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows.mean(0), torch.zeros(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.cov(rows.T), torch.eye(6), rtol=0, atol=1e-4)
    assert whitened(torch.ones(8, 3)).isnan().all(), "one point has no directions: the run ends there"


@pytest.mark.parametrize(
    ("batch_size", "settings", "told"),
    [
        (64, {}, "w_mse needs a batch of 128 images or more, not 64"),
        (24, {"projection": 16, "whiten": 32}, "w_mse needs a batch of 32 images or more, not 24"),
        (
            256,
            {"whiten": 64},
            "whitening 64 dimensions takes 65 images or more, and whiten = 64; expected whiten = 128, or a projection below 64",
        ),
    ],
)
def test_a_plan_refuses_what_cannot_be_whitened(batch_size, settings, told):
    facts = {"dataset": "digits", "budget": Budget("steps", 2), "precision": "float32", "encoder": "resnet8", "image_size": 16}
    spec = RunSpec(method="w_mse", recipe_changes={"batch_size": batch_size}, hyper_parameters=settings, **facts)
    with pytest.raises(UserError) as error:
        complete(spec)
    assert told in str(error.value) and "\n" not in str(error.value)


MISTAKES = {
    "rows are not centred": ("rows.double() - rows.double().mean(0)", "rows.double()"),
    "over B, not B - 1": ("/ (len(rows) - 1))", "/ len(rows))"),
    "the factor is not turned round": ("upper=False).T)", "upper=False))"),
    "views are whitened together": (
        "torch.cat([whitened(rows[part]) for part in parts]) for rows in views",
        "rows for rows in whitened(torch.cat(views)).chunk(len(views))",
    ),
    "an order for each view": (
        "[whitened(rows[part]) for part in parts]",
        "[whitened(rows[part]) for part in batch.permutation(len(rows)).chunk(3)]",
    ),
    "a sum over pairs": ("(self.iterations * len(views) * (len(views) - 1) / 2)", "self.iterations"),
    "one view after the other in the head": (
        "self.projector(features).chunk(len(batch.views))",
        "map(self.projector, features.chunk(len(batch.views)))",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    settings = {"samples": 3, "normalise": False}
    assert agree(case(**settings))
    mutate(monkeypatch, methods.w_mse, *MISTAKES[mistake])
    assert not agree(case(**settings))
