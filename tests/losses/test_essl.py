"""E-SSL: the loss against loops over images and quarters of a turn, written from its authors' cifar10/main.py in float64; which way an
image is turned; mistakes that must be noticed.

B images, P projection.
"""

import math

import pytest
import torch

import methods.essl
from bench.spec import DatasetInfo
from loss_cases import close, cross_entropy, cross_entropy_of_one, dot, make_encoder, mutate, random_batch, rows_of, unit

SIZE = 16
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, **hyper_parameters):
    """A tiny method in training mode."""
    torch.manual_seed(seed)
    return methods.essl.ESSL(make_encoder, DATA, **{"hidden": 7, "projection": 5, **hyper_parameters}).train()


def turned(image, quarters):
    """[3, S, S] -> the same, pixel by pixel, so many quarters against the clock: what was on the right is on top."""
    for _ in range(quarters):
        size, result = image.shape[1], image.clone()
        for row in range(size):
            for column in range(size):
                result[:, row, column] = image[:, column, size - 1 - row]
        image = result
    return image


def loop_info_nce(rows, others, temperature):
    others = [unit(other) for other in others]
    logits = [[dot(unit(row), other) / temperature for other in others] for row in rows]
    return sum(cross_entropy_of_one(scores, place) for place, scores in enumerate(logits)) / len(rows)


def expected(method, batch):
    """What the loss must be, from the outputs of the method's own networks: one call for each view, and one for all that is turned."""
    first, second = (rows_of(method.projector(method.encoder(images))) for images in batch.views[:2])
    contrast = (loop_info_nce(first, second, method.temperature) + loop_info_nce(second, first, method.temperature)) / 2
    images = torch.stack([turned(image, quarters) for quarters in range(4) for image in batch.views[2]])
    labels = [quarters for quarters in range(4) for _ in batch.views[2]]
    return contrast + method.rotation * cross_entropy(method.classifier(method.encoder(images)), labels)


def check_loss(size=6, **hyper_parameters):
    method = make(size, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    close(method.loss(batch, 0.0), expected(method, batch))


@pytest.mark.parametrize("changed", [{}, {"temperature": 0.1}, {"rotation": 2.0}, {"rotation": 0.0}, {"head_layers": 3}], ids=str)
@pytest.mark.parametrize("size", [2, 3, 6])
def test_the_loss_is_the_authors(size, changed):
    check_loss(size, **changed)


def test_what_is_turned_is_a_small_view():
    method = make()
    assert [view.pixels(DATA) for view in method.views] == [SIZE, SIZE, SIZE // 2]


def test_rotation_trains_the_encoder_too():
    """Equivariance is asked of the encoder, and of no other network."""
    batch = random_batch(make(), 6, SIZE)

    def gradient(rotation):
        method = make(rotation=rotation)
        method.loss(batch, 0.0).backward()
        return torch.cat([parameter.grad.flatten() for parameter in method.encoder.parameters()])

    once, twice = (gradient(weight) - gradient(0.0) for weight in (0.4, 0.8))
    assert once.norm() > 0.01
    torch.testing.assert_close(twice, 2 * once, rtol=0, atol=1e-4)


def test_the_smaller_area_comes_first():
    with pytest.raises(ValueError, match=r"rotated_min = 0\.5 is more than rotated_max = 0\.2; expected"):
        make(rotated_min=0.5, rotated_max=0.2)


def test_chance_is_even_among_the_batch_and_among_four_rotations():
    assert make().chance_loss(8) == pytest.approx(math.log(8) + 0.4 * math.log(4))
    assert make(rotation=0.0).chance_loss(8) == pytest.approx(math.log(8))


MISTAKES = [
    ("find_own(second, first, self.temperature)", "find_own(first, second, self.temperature)"),
    ("find_own(second, first, self.temperature)) / 2", "find_own(second, first, self.temperature))"),
    ("self.rotation * mean_of_batch", "mean_of_batch"),
    ("torch.rot90(batch.views[2], quarter, (2, 3))", "torch.rot90(batch.views[2], quarter, (3, 2))"),
    ("torch.rot90(batch.views[2], quarter, (2, 3))", "batch.views[2]"),
    (".repeat_interleave(len(batch.views[2]))", ".repeat(len(batch.views[2]))"),
    (
        "gather(self.project(images)) for images in batch.views[:2]",
        "gather(rows) for rows in self.project(torch.cat(batch.views[:2])).chunk(2)",
    ),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.essl, right, wrong)
    with pytest.raises(AssertionError):
        check_loss()
