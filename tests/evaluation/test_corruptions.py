"""The corruptions against the numbers that imagecorruptions and the authors' script for CIFAR-10 gave (corruption_numbers.py)."""

import numpy as np
import pytest
from corruption_numbers import LARGE, NUMBERS, SEED, SMALL, kept, picture
from numpy.random import RandomState
from scipy import ndimage

from bench.evaluation.corruptions import digital, strengths, weather
from bench.evaluation.corruptions.corrupt import CORRUPTIONS, SEVERITIES, corrupt, whole

with np.load(NUMBERS) as numbers:
    THEIRS = dict(numbers)

CLOSE = {"elastic_transform": (2, 0.3)}
"""Levels by which values may differ at most, and on average: OpenCV rounds where it takes pixels from to 1/32 of one, at the affine map of
the authors' script. All others differ by rounding before levels are cut: by 1."""

NOT_OF_IMAGEMAGICK = [name for name in CORRUPTIONS if name not in ("motion_blur", "snow", "frost_made")]


def ours(name, severity, side):
    """With the stream of random numbers that NumPy's global state had for theirs."""
    image = picture(side).transpose(2, 0, 1)[None]
    levels = whole(CORRUPTIONS[name](image, [RandomState(SEED)], *strengths.of(side)[name][severity - 1]))
    return kept(levels[0].transpose(1, 2, 0))


def differ(found, theirs):
    by = np.abs(found.astype(int) - theirs.astype(int))
    return by.max(), by.mean()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "frost_made"])
def test_each_is_the_packages(name, severity):
    most, mean = differ(ours(name, severity, LARGE), THEIRS[f"package {name} {severity}"])
    assert most <= 1 and mean <= 0.1, (most, mean)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", NOT_OF_IMAGEMAGICK)
def test_each_is_the_authors_on_cifar(name, severity):
    most, mean = differ(ours(name, severity, SMALL), THEIRS[f"authors {name} {severity}"])
    assert (most, mean) <= CLOSE.get(name, (1, 0.1)), (most, mean)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_frost_is_the_packages_behind_the_packages_picture(severity):
    """Its picture is known by what it makes of a black image."""
    image, (share, frosted) = picture(LARGE), strengths.IMAGENET["frost_made"][severity - 1]
    black, theirs = THEIRS[f"frost on black {severity}"], THEIRS[f"package frost {severity}"]
    column = kept(image)[None, :, None, None]
    found = whole(weather.frost(column, [black[:, None, None] / frosted], [(0, 0, 0)], share, frosted))
    # What black became was cut to whole levels, by less than one.
    assert differ(found.ravel(), theirs)[0] <= 1 and (theirs > black).mean() > 0.5


def test_what_is_drawn_follows_from_corruption_severity_and_index():
    images = np.stack([picture(SMALL).transpose(2, 0, 1)] * 5)
    for name in CORRUPTIONS:
        together = corrupt(name, 2, images, np.array([4, 9, 4, 0, 1]))
        assert together.shape == images.shape and together.dtype == np.uint8
        assert np.array_equal(together[0], together[2]) and np.array_equal(together[1:2], corrupt(name, 2, images[:1], np.array([9])))
        drawn = not np.array_equal(together[0], together[1])
        assert drawn == (name not in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")), name
        assert not np.array_equal(together, corrupt(name, 3, images, np.array([4, 9, 4, 0, 1])))
    assert not np.array_equal(images, np.zeros_like(images)) and (images == images[0]).all(), "the images themselves are as they were"


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 48, 48), (3, 120, 120)])
def test_grey_images_and_other_sizes(shape):
    image = np.resize(picture(shape[1]).transpose(2, 0, 1)[: shape[0]], (2, *shape)).astype(np.uint8)
    for name in CORRUPTIONS:
        for severity in (1, 5):
            assert corrupt(name, severity, image, np.arange(2)).shape == image.shape


def test_every_size_has_its_strengths():
    assert strengths.of(8) is strengths.of(45) is strengths.CIFAR
    assert strengths.of(46) is strengths.of(64) is strengths.of(119) is strengths.TINY
    assert strengths.of(120) is strengths.of(224) is strengths.IMAGENET
    for _, table in strengths.BY_SIZE:
        assert list(table) == list(CORRUPTIONS) and {len(rows) for rows in table.values()} == {5}


def test_a_glass_blur_copies_in_order_as_the_authors_loop_does():
    levels, random = np.random.default_rng(0).integers(0, 256, size=(1, 3, 30, 30)).astype(np.uint8), RandomState(3)
    expected = np.uint8(levels[0].transpose(1, 2, 0) / 255 * 255)
    for _ in range(3):
        for row in range(30 - 4, 4, -1):
            for column in range(30 - 4, 4, -1):
                right, down = random.randint(-4, 4, size=2)
                expected[row, column] = expected[row + down, column + right]
    found = CORRUPTIONS["glass_blur"](levels, [RandomState(3)], 0.0, 4, 3)
    assert np.array_equal(np.round(found[0].transpose(1, 2, 0)), expected)


def test_places_beyond_edges_are_scipys():
    image, random = np.random.default_rng(1).random((1, 2, 9, 7)), np.random.default_rng(2)
    rows, columns = random.uniform(-20, 30, (1, 9, 7)), random.uniform(-20, 30, (1, 9, 7))
    for beyond, mode in ((digital._reflected, "reflect"), (digital._mirrored, "mirror")):
        found = digital.bilinear(image, rows, columns, beyond)
        for channel in range(2):
            expected = ndimage.map_coordinates(image[0, channel], [rows[0], columns[0]], order=1, mode=mode)
            assert found[0, channel] == pytest.approx(expected)
