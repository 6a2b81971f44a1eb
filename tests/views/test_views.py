"""Every op against torchvision at fixed parameters, on photographs; what is drawn, and for whom.

torchvision works on one set of parameters per call, so it is called image by image.
"""

import itertools
import math
import re
from functools import cache

import pytest
import torch
from sklearn.datasets import load_sample_images
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as reference

from bench.compute.randomness import Draws
from bench.data.clips import ClipInfo
from bench.spec import DatasetInfo
from bench.views.clips import Frames
from bench.views.colours import adjust_brightness_, adjust_contrast_, adjust_hue_, adjust_saturation_, jitter_all, jitter_chosen
from bench.views.ops import Blur, ColorJitter, Flip, Grayscale, PaddedCrop, ResizedCrop, Solarize, color_distortion
from bench.views.view import View, normalise, render_views

SIZES = (32, 64)
STRONG = (ResizedCrop((0.2, 1)), Flip(), ColorJitter(0.8, 0.8, 0.8, 0.2), Grayscale(0.2), Blur(0.5, (0.1, 10.0)), Solarize(0.2))


@cache
def photographs(size: int) -> torch.Tensor:
    """Six squares of a temple and a flower: uint8 [6, 3, size, size]."""
    squares = []
    for picture in load_sample_images().images:
        whole = torch.from_numpy(picture.copy()).permute(2, 0, 1)
        squares += [whole[:, :, left : left + whole.shape[1]] for left in (0, 100, 213)]
    return torch.stack([reference.resize(square, [size, size], antialias=True) for square in squares])


def pictures(size: int) -> torch.Tensor:
    """The same in [0, 1]: float32 [6, 3, size, size]."""
    return photographs(size).float() / 255


def info(size: int = 32, **changes) -> DatasetInfo:
    return DatasetInfo(num_images=6, image_size=size, **changes)


ROUNDING = 8 * torch.finfo(torch.float32).eps
"""Largest difference of numbers in [0, 1] that are computed in two ways: four adjustments, of each of which a few operations round."""


def distance(ours: torch.Tensor, theirs: list[torch.Tensor]) -> float:
    assert ours.shape == torch.stack(theirs).shape
    return (ours - torch.stack(theirs)).abs().max().item()


def draws_of(total: int, *key) -> Draws:
    return Draws(0, *key, total=total)


@pytest.mark.parametrize(("size", "output"), [(32, 32), (32, 16), (32, 13), (64, 64), (64, 24), (64, 96)])
def test_resized_crop(size, output):
    images = pictures(size)
    boxes = [(0, 0, size, size), (3, 5, 20, 11), (7, 0, 9, size - 1), (size - 9, size - 8, 9, 8), (4, 4, 1, 1), (0, 2, 5, size - 2)]
    parameters = tuple(torch.tensor(boxes, dtype=torch.float32).T)
    expected = [
        reference.resized_crop(image, top, left, height, width, [output, output], antialias=True)
        for image, (top, left, height, width) in zip(images, boxes, strict=True)
    ]
    assert distance(ResizedCrop().apply(images, parameters, output), expected) <= 1e-5


def test_the_whole_image_at_its_own_size_is_unchanged():
    images = pictures(32)
    whole = tuple(torch.tensor([float(value)] * 6) for value in (0, 0, 32, 32))
    assert torch.equal(ResizedCrop().apply(images, whole, 32), images)


@pytest.mark.parametrize("size", SIZES)
def test_padded_crop(size):
    images = pictures(size)
    shifts = [(-4, 4), (0, 0), (3, -1), (-2, -2), (4, 4), (1, 0)]
    padded = reference.pad(images, [4, 4, 4, 4])
    expected = [reference.crop(image, 4 + down, 4 + right, size, size) for image, (down, right) in zip(padded, shifts, strict=True)]
    assert distance(PaddedCrop(4).apply(images, tuple(torch.tensor(shifts).T), size), expected) == 0


@pytest.mark.parametrize("size", SIZES)
def test_flip(size):
    images = pictures(size)
    which = torch.tensor([True, False, True, True, False, False])
    expected = [reference.horizontal_flip(image) if flip else image for image, flip in zip(images, which, strict=True)]
    assert distance(Flip().apply(images, which, size), expected) == 0


FACTORS = [0.0, 0.3, 0.9, 1.0, 1.4, 1.8]
SHIFTS = [-0.5, -0.2, -0.01, 0.0, 0.1, 0.5]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("ours", "theirs", "values", "tolerance"),
    [
        (adjust_brightness_, reference.adjust_brightness, FACTORS, 1e-5),
        (adjust_contrast_, reference.adjust_contrast, FACTORS, 1e-5),
        (adjust_saturation_, reference.adjust_saturation, FACTORS, 1e-5),
        (adjust_hue_, reference.adjust_hue, SHIFTS, 1e-4),
    ],
)
def test_colour(ours, theirs, values, tolerance, size):
    for shift in range(6):
        turned = values[shift:] + values[:shift]
        images = pictures(size)
        expected = [theirs(image, value) for image, value in zip(images, turned, strict=True)]
        assert distance(ours(images, torch.tensor(turned)), expected) <= tolerance


def test_hue_of_pure_colours():
    """Greys, primaries and ties between two channels, where the formula changes its branch."""
    corners = torch.tensor(list(itertools.product((0.0, 0.5, 1.0), repeat=3))).T.reshape(1, 3, 1, -1)
    for shift in SHIFTS:
        assert distance(adjust_hue_(corners.clone(), torch.tensor([shift])), [reference.adjust_hue(corners[0], shift)]) <= 1e-4


def test_jitter_in_every_order():
    orders = torch.tensor(list(itertools.permutations(range(4))))
    images = pictures(32)[torch.arange(24) % 6]
    factors = torch.tensor([[1.3, 0.7, 1.5, 0.15], [0.6, 1.4, 0.5, -0.2], [1.0, 1.4, 1.0, 0.0]])[torch.arange(24) % 3]
    calls = (reference.adjust_brightness, reference.adjust_contrast, reference.adjust_saturation, reference.adjust_hue)
    expected = []
    for image, order, own in zip(images, orders.tolist(), factors.tolist(), strict=True):
        for number in order:
            image = calls[number](image, own[number])
        expected.append(image)
    before = images.clone()
    assert distance(ColorJitter().apply(images, (factors, orders), 32), expected) <= 1e-4
    assert torch.equal(images, before), "the images that came in were written to"


@pytest.mark.parametrize("channels", [3, 1])
def test_jitter_of_all_images_is_that_of_chosen_ones(channels):
    """A GPU goes over all images, a CPU over those whose turn it is; every order, and images that are left alone in part or whole."""
    images = pictures(32)[torch.arange(240) % 6, :channels].contiguous()
    factors, orders = ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.7).draw(draws_of(240), info())
    orders[:24] = torch.tensor(list(itertools.permutations(range(4))))
    factors[24:30, 1], factors[30:36, 3] = 1.0, 0.0
    jittered = jitter_all(images, factors, orders)
    assert (jittered - jitter_chosen(images, factors, orders)).abs().max() <= ROUNDING
    assert not torch.equal(jittered, images)


@pytest.mark.parametrize("size", SIZES)
def test_grayscale(size):
    images = pictures(size)
    which = torch.tensor([True, False, True, True, False, False])
    expected = [reference.rgb_to_grayscale(image, 3) if grey else image for image, grey in zip(images, which, strict=True)]
    assert distance(Grayscale().apply(images, which, size), expected) <= 1e-5


@pytest.mark.parametrize("largest", [2.0, 10.0])
@pytest.mark.parametrize("size", SIZES)
def test_blur(size, largest):
    """torchvision's kernel is cut at a given size; given ours, the two agree."""
    images = pictures(size)
    sigmas = [0.1, 0.7, 1.0, 1.5, 2.0, 0.0] if largest == 2 else [0.1, 3.0, 5.0, 8.0, 10.0, 0.0]
    kernel = 2 * max(1, math.ceil(3 * largest * size / 224)) + 1
    expected = [
        reference.gaussian_blur(image, [kernel, kernel], [sigma * size / 224] * 2) if sigma else image
        for image, sigma in zip(images, sigmas, strict=True)
    ]
    assert distance(Blur(sigma=(0.1, largest)).apply(images, torch.tensor(sigmas), size), expected) <= 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_solarize(size):
    images = pictures(size)
    which = torch.tensor([True, True, True, True, False, False])
    for threshold in (0.5, 0.25, 1.0):
        expected = [reference.solarize(image, threshold) if chosen else image for image, chosen in zip(images, which, strict=True)]
        assert distance(Solarize(threshold=threshold).apply(images, which, size), expected) <= 1e-5


@pytest.mark.parametrize("op", [ResizedCrop(), ColorJitter(p=1), Blur(p=1, sigma=(5.0, 20.0))])
def test_every_image_has_its_own_draw(op):
    images = photographs(32)[:1].expand(64, -1, -1, -1)
    rendered = View((op,)).render(images, draws_of(64), info())
    assert len(rendered.flatten(1).unique(dim=0)) == 64


@pytest.mark.parametrize(("op", "outcomes"), [(Flip(), 2), (Grayscale(), 2), (Solarize(), 2), (PaddedCrop(1), 9)])
def test_every_image_has_its_own_draw_among_few(op, outcomes):
    images = photographs(32)[:1].expand(256, -1, -1, -1)
    rendered = View((op,)).render(images, draws_of(256), info())
    assert len(rendered.flatten(1).unique(dim=0)) == outcomes


@pytest.mark.parametrize(("op", "p"), [(Flip(0.3), 0.3), (Grayscale(0.2), 0.2), (Solarize(0.1), 0.1), (Blur(0.7), 0.7)])
def test_probability(op, p):
    assert abs((op.draw(draws_of(20000), info()) != 0).float().mean() - p) < 0.015


def test_digits_are_not_flipped():
    images = photographs(32)
    data = info(mirror_safe=False)
    assert not Flip(1.0).draw(draws_of(1000), data).any() and Flip(1.0).draw(draws_of(1000), info()).all()
    assert torch.equal(View((Flip(1.0),)).render(images, draws_of(6), data), images.float() / 255)


@pytest.mark.parametrize("ops", [STRONG, (PaddedCrop(2), ColorJitter(p=1.0), Grayscale(1.0), Blur(1.0))])
def test_grey_data_is_grey_colour_data(ops):
    """Only to 1e-3: the weights of lightness add up to 0.9999."""
    grey = photographs(32)[torch.arange(60) % 6, 1:2]
    one = View(ops).render(grey, draws_of(60), info(channels=1))
    three = View(ops).render(grey.repeat(1, 3, 1, 1), draws_of(60), info())
    assert one.shape == (60, 1, 32, 32) and three.shape == (60, 3, 32, 32)
    assert (one - three).abs().max() <= 1e-3


def test_crops_are_drawn_as_torchvision_draws_them():
    size, scale, ratio, count = 32, (0.08, 1.0), (3 / 4, 4 / 3), 6000
    top, left, height, width = ResizedCrop(scale, ratio).draw(draws_of(count), info(size))
    ours = torch.stack([top, left, height, width], dim=1)
    assert torch.equal(ours, ours.round()) and ours[:, :2].min() >= 0 and ours[:, 2:].min() >= 1
    assert (top + height).max() <= size and (left + width).max() <= size
    with torch.random.fork_rng():
        torch.manual_seed(0)
        image = torch.zeros(3, size, size)
        theirs = torch.tensor([RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(count)]).float()

    def facts(boxes):
        area, log_ratio = boxes[:, 2] * boxes[:, 3] / size**2, (boxes[:, 3] / boxes[:, 2]).log()
        whole = (boxes[:, 2] == size).float() * (boxes[:, 3] == size)
        centres = (boxes[:, :2] + boxes[:, 2:] / 2) / size
        return torch.stack([area, area**2, log_ratio, log_ratio**2, whole, *centres.T, *(centres**2).T], dim=1)

    ours, theirs = facts(ours), facts(theirs)
    error = ((ours.var(0) + theirs.var(0)) / count).sqrt()
    assert ((ours.mean(0) - theirs.mean(0)) / error).abs().max() < 4
    # Whole pixels: the smallest and largest values are within a pixel's rounding of the range asked for.
    assert 0.06 < ours[:, 0].min() < 0.09 and ours[:, 0].max() <= 1
    for column in (0, 2):
        assert abs(ours[:, column].min() - theirs[:, column].min()) < 0.05 and abs(ours[:, column].max() - theirs[:, column].max()) < 0.05


def test_a_crop_that_never_fits_is_the_whole_image():
    top, left, height, width = ResizedCrop(scale=(1.5, 2.0)).draw(draws_of(50), info())
    assert top.eq(0).all() and left.eq(0).all() and height.eq(32).all() and width.eq(32).all()


def test_small_crops_are_small():
    *_, height, width = ResizedCrop(scale=(0.05, 0.14)).draw(draws_of(4000), info(64))
    area = height * width / 64**2
    assert 0.04 < area.min() < 0.06 and 0.13 < area.max() < 0.15


def test_padded_crop_shifts_every_way_equally():
    down, right = PaddedCrop(4).draw(draws_of(9000), info())
    for shift in (down, right):
        counts = (shift + 4).bincount(minlength=9)
        assert len(counts) == 9 and (counts - 1000).abs().max() < 150
    assert abs(torch.corrcoef(torch.stack([down, right]).float())[0, 1]) < 0.05


def test_jitter_draws():
    jitter = ColorJitter(0.4, 0.8, 1.2, 0.1, p=0.8)
    factors, order = jitter.draw(draws_of(24000), info())
    alone = (factors == torch.tensor([1.0, 1.0, 1.0, 0.0])).all(1)
    assert abs(alone.float().mean() - 0.2) < 0.012
    drawn = factors[~alone]
    for column, (low, high) in enumerate([(0.6, 1.4), (0.2, 1.8), (0.0, 2.2), (-0.1, 0.1)]):
        values = drawn[:, column]
        assert low <= values.min() < low + 0.01 * (high - low) and high - 0.01 * (high - low) < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.01 * (high - low)
    assert torch.corrcoef(drawn.T).fill_diagonal_(0).abs().max() < 0.03
    which, counts = order.unique(dim=0, return_counts=True)
    assert len(which) == 24 and (counts - 1000).abs().max() < 150


def test_blur_draws():
    sigma = Blur(p=1.0, sigma=(0.1, 2.0)).draw(draws_of(5000), info())
    assert 0.1 <= sigma.min() < 0.12 and 1.98 < sigma.max() <= 2.0 and abs(sigma.mean() - 1.05) < 0.03


def test_view_is_data():
    def build():
        return View((ResizedCrop((0.2, 1)), Flip(), ColorJitter()), count=2, size=0.5)

    assert build() == build() and hash(build()) == hash(build()) and build() != View((ResizedCrop((0.3, 1)),), count=2, size=0.5)
    assert [View((ResizedCrop(),), size=size).pixels(info(28)) for size in (1.0, 0.5, 0.43, 0.001)] == [28, 14, 12, 1]
    with pytest.raises(ValueError, match="ResizedCrop"):
        View((Flip(),), size=0.5)


@pytest.mark.parametrize("size", [0.5, 1.5])
def test_other_ops_may_come_before_the_crop_to_another_size(size):
    ops = (PaddedCrop(2), Blur(1.0), ResizedCrop(), Blur(1.0), Flip())
    assert View(ops, size=size).render(photographs(32), draws_of(6), info()).shape == (6, 3, round(32 * size), round(32 * size))


@pytest.mark.parametrize("channels", [1, 3])
def test_render_views(channels):
    """Order, count, sizes, normalisation; each tensor has a Draws of its own, asked for by its number."""
    images = photographs(32)[:, :channels]
    data = info(channels=channels)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    views = (View((ResizedCrop(),), count=2), View((ResizedCrop((0.05, 0.4)),), count=3, size=0.5), View(()))
    asked = []

    def draws_for(number):
        asked.append(number)
        return draws_of(6, number)

    tensors = render_views(views, images, data, mean, std, draws_for)
    assert asked == list(range(6))
    assert [tuple(tensor.shape) for tensor in tensors] == [(6, 3, 32, 32)] * 2 + [(6, 3, 16, 16)] * 3 + [(6, 3, 32, 32)]
    assert all(tensor.dtype == torch.float32 for tensor in tensors)
    for number, view in enumerate([views[0]] * 2 + [views[1]] * 3 + [views[2]]):
        alone = view.render(images, draws_of(6, number), data)
        expected = torch.stack([(alone[:, channel % channels] - mean[channel]) / std[channel] for channel in range(3)], dim=1)
        assert torch.allclose(tensors[number], expected, atol=1e-6)
    assert len({tuple(tensor.flatten()[:5].tolist()) for tensor in tensors}) == 6
    plain = normalise(images.float() / 255, mean, std)
    assert torch.equal(tensors[5], plain)


@pytest.mark.parametrize("ops", [STRONG, (PaddedCrop(),), ()])
def test_draws_rendered_together_are_those_rendered_alone(ops):
    """A GPU renders all tensors of a view at once."""
    images, view = photographs(32), View(ops)
    together = view.render_together(images, [draws_of(6, number) for number in range(3)], info())
    for number, rendered in enumerate(together):
        assert torch.allclose(rendered, view.render(images, draws_of(6, number), info()), atol=1e-6)


@pytest.mark.parametrize("size", [32, 17])
def test_rows_of_a_view_do_not_depend_on_the_number_of_devices(size):
    """Bit for bit: what is told apart by 1e-7 here, BatchNorm and twenty steps make 1e-8 of in float64, and `check` would be red. So ops
    of views are chosen whose rounding no processor lets depend on the batch; `make test-processors` asks several, as far as one can."""
    images = photographs(size).repeat(7, 1, 1, 1)
    views, count = (View(STRONG, count=2),), len(images)
    mean, std = torch.full((3,), 0.4), torch.full((3,), 0.2)

    def render(rows):
        return render_views(views, images[rows], info(size), mean, std, lambda number: Draws(0, number, total=count, rows=rows))

    whole = render(slice(0, count))
    parts = [render(slice(start, end)) for start, end in ((0, 1), (1, 6), (6, 19), (19, count))]
    for number, view in enumerate(whole):
        assert torch.equal(torch.cat([part[number] for part in parts]), view)


@pytest.mark.parametrize(
    ("op", "wrong", "told"),
    [
        (ResizedCrop, {"scale": (0.4, 0.1)}, "scale = (0.4, 0.1): expected two parts of the area"),
        (ResizedCrop, {"scale": (0.0, 1.0)}, "scale"),
        (ResizedCrop, {"ratio": (2.0, 0.5)}, "ratio"),
        (PaddedCrop, {"padding": -1}, "padding"),
        (Flip, {"p": 2.0}, "p = 2.0: expected a probability"),
        (ColorJitter, {"hue": -0.1}, "hue"),
        (ColorJitter, {"p": -0.5}, "p"),
        (Grayscale, {"p": 7}, "p"),
        (Blur, {"p": 7}, "p"),
        (Blur, {"sigma": (2.0, 0.1)}, "sigma"),
        (Solarize, {"threshold": 1.5}, "threshold"),
    ],
)
def test_what_an_operation_cannot_be_is_refused(op, wrong, told):
    with pytest.raises(ValueError, match=re.escape(f"{op.__name__}'s {told}")):
        op(**wrong)


def test_frames_of_a_clip_are_changed_alike():
    """One draw of the ops for all frames: each is what the view makes of it as an image of its own, with the clip's parameters."""
    clips, view = torch.randint(256, (4, 5, 3, 16, 16), dtype=torch.uint8), View((ResizedCrop((0.3, 1)), Flip(), color_distortion(1)))
    data = ClipInfo(4, 16, frames=5)
    together = view.render(clips, Draws("clips", total=4), data)
    assert together.shape == (4, 5, 3, 16, 16) and view.shape(data) == (5, 3, 16, 16)
    for time in range(5):
        torch.testing.assert_close(together[:, time], view.render(clips[:, time], Draws("clips", total=4), data))
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    first, second = view.ready(clips, [Draws("clips", total=4), Draws("others", total=4)], data, mean, std)
    torch.testing.assert_close(first * std[:, None, None] + mean[:, None, None], together)
    assert not torch.allclose(first, second)


def test_frames_are_taken_in_order_with_a_stride_wherever_they_fit():
    clips = torch.arange(8, dtype=torch.uint8)[None, :, None, None, None].expand(4_000, -1, 1, 1, 1)
    found = Frames(frames=3, strides=(1, 3)).taken(clips, Draws("frames", total=4_000)).flatten(1).long()
    steps = found.diff(dim=1)
    assert (steps[:, 0] == steps[:, 1]).all() and set(steps[:, 0].tolist()) == {1, 3}
    assert set(found[steps[:, 0] == 1, 0].tolist()) == set(range(6)) and set(found[steps[:, 0] == 3, 0].tolist()) == {0, 1}
    half = Frames(frames=3, strides=(1, 3)).taken(clips[:2_000], Draws("frames", total=4_000, rows=slice(0, 2_000)))
    assert torch.equal(half.flatten(1).long(), found[:2_000]), "two devices see what one sees"
    with pytest.raises(ValueError, match="which span 10; expected fewer frames, or a stride of at most 2"):
        Frames(frames=4, strides=(1, 3)).shape(ClipInfo(4, 16, frames=8))
    with pytest.raises(ValueError, match="expected 1 or more of each"):
        Frames(frames=0)
