"""Colorization against loops from the paper's formulas in plain Python: colours, soft targets, weights and both losses.

The loops share no code with the method. One deliberate mistake after the other is written into a copy of its source, and the
comparison must then fail.
"""

import copy
import math

import pytest
import torch

import methods
import methods.colorization as colorization
from bench.compute.randomness import Draws, seeded
from bench.errors import UserError
from bench.method import Batch
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from loss_cases import MEAN, STD, agree, lab_of_one, mutate, narrow, normalised, pictures

SIZE, TOLERANCE = 16, 1e-4


def make(*, encoder="resnet8", **hyper_parameters):
    """The method on a narrow encoder, in training mode."""
    make_encoder, data = narrow(encoder, SIZE), DatasetInfo(num_images=8, image_size=SIZE, mean=MEAN, std=STD)
    with seeded("weights", encoder):
        return methods.load("colorization")(make_encoder, data, **hyper_parameters).train()


def make_batch(images):
    return Batch((normalised(images),), torch.arange(len(images)), Draws("test", total=len(images)))


def extract(images):
    """What the harness gives to before_epoch."""
    return lambda function: function(normalised(images))


def target_of_one(a, b, colours, neighbours=5, sigma=5.0):
    """{number of a colour: its share} of one pixel."""
    distances = sorted((math.hypot(a - one, b - other), number) for number, (one, other) in enumerate(colours))[:neighbours]
    weights = {number: math.exp(-(distance**2) / (2 * sigma**2)) for distance, number in distances}
    return {number: weight / sum(weights.values()) for number, weight in weights.items()}


def weights_of(shares, uniform=0.5):
    """Eq. 4 of the paper."""
    weights = [1 / ((1 - uniform) * share + uniform / len(shares)) for share in shares]
    expectation = sum(share * weight for share, weight in zip(shares, weights, strict=True))
    return [weight / expectation for weight in weights]


def sampled(image, side):
    """a and b of one pixel in so many, row by row: the colours of an image [3, S, S] at a resolution of `side`."""
    places = [place * SIZE // side for place in range(side)]
    return [lab_of_one(*image[:, row, column].double().tolist())[1:] for row in places for column in places]


def shares_of(images, colours, **options):
    shares = [0.0] * len(colours)
    for image in images:
        pixels = sampled(image, 8)
        for a, b in pixels:
            for number, share in target_of_one(a, b, colours, **options).items():
                shares[number] += share / len(pixels) / len(images)
    return shares


def predictions(method, images):
    """What a twin predicts of the lightness: [B][place][channel]."""
    twin = copy.deepcopy(method)
    lightness = torch.empty(len(images), 1, SIZE, SIZE)
    for number, image in enumerate(images):
        for row in range(SIZE):
            for column in range(SIZE):
                lightness[number, 0, row, column] = (lab_of_one(*image[:, row, column].double().tolist())[0] - 50) / 100
    with torch.no_grad():
        output = twin.head(twin.encoder.feature_map(lightness))
    return output.flatten(2).transpose(1, 2).double().tolist(), output.shape[-1]


def classification_case(count=2, key=0, uniform=0.5, grey=0, encoder="resnet8", **options):
    """-> the method's loss and the reference's. grey: images without colour, at the end."""
    images, method = pictures(count + grey, key), make(encoder=encoder, uniform=uniform, **options)
    images[count:] = images[count:].mean(1, keepdim=True)
    method.before_epoch(extract(images[:3]), None)
    colours = method.colours.tolist()
    weights = weights_of(shares_of(images[:3], colours, **options), uniform)
    predicted, side = predictions(method, images)
    total = 0.0
    for image, places in list(zip(images, predicted, strict=True))[:count]:
        for (a, b), logits in zip(sampled(image, side), places, strict=True):
            target = target_of_one(a, b, colours, **options)
            highest = max(logits)
            logsum = highest + math.log(sum(math.exp(value - highest) for value in logits))
            total += weights[max(target, key=target.get)] * sum(share * (logsum - logits[number]) for number, share in target.items())
    return method.loss(make_batch(images), 0.3).item(), total / (len(images) * side**2)


def regression_case(count=3):
    images, method = pictures(count), make(kind="regression")
    predicted, side = predictions(method, images)
    total = 0.0
    for image, places in zip(images, predicted, strict=True):
        for colour, output in zip(sampled(image, side), places, strict=True):
            total += sum((one - other / 110) ** 2 for one, other in zip(output, colour, strict=True)) / 2
    return method.loss(make_batch(images), 0.3).item(), total / (count * side**2)


@pytest.mark.parametrize(
    "options",
    [
        {"count": 1},
        {"count": 3, "key": 1, "uniform": 1.0},
        {"uniform": 0.1, "grey": 2},
        {"neighbours": 10, "sigma": 8.0},
        {"encoder": "vit_micro"},
    ],
    ids=str,
)
def test_classification_is_the_papers_formula(options):
    assert agree(classification_case(**options), TOLERANCE)


def test_regression_is_the_papers_formula():
    assert agree(regression_case(), TOLERANCE)


MISTAKES = {
    "weights are the shares": ("weights = 1 / ((1", "weights = ((1"),
    "weights of another expectation": ("/ (shares * weights).sum()", "/ weights.mean()"),
    "the uniform part is the other": ("(1 - uniform) * shares + uniform /", "uniform * shares + (1 - uniform) /"),
    "sigma is a variance": ("(2 * sigma**2)", "(2 * sigma)"),
    "hard targets": ("(-nearest / (2 * sigma**2)).softmax(1)", "(nearest == nearest[:, :1]).float()"),
    "a mean colour": ("ab = F.interpolate(ab, predicted.shape[2:])", "ab = F.adaptive_avg_pool2d(ab, predicted.shape[2:])"),
    "no undoing of the normalisation": ("self.mean, self.std)", "0 * self.mean, self.std**0)"),
    "weighted by the batch": ("coloured[:, None, None]).mean()", "coloured[:, None, None]).sum() / weights[target.argmax(1)].sum()"),
    "grey images weigh as much": ("* coloured[:, None, None]", ""),
    "the weight of the farthest": ("weights[target.argmax(1)]", "weights[target.argmin(1)]"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, colorization, *MISTAKES[mistake])
    assert not agree(classification_case(uniform=0.1, grey=1), TOLERANCE)


def test_colours_are_the_corners_around_every_colour_of_srgb():
    colours = {tuple(colour) for colour in colorization.colours_in_gamut().tolist()}
    assert len(colours) == 309 and all(value % 10 == 0 for colour in colours for value in colour)
    random = Draws("colours", total=2000).randint(256, 3).double() / 255
    for colour in [*random.tolist(), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 0, 0), (1, 1, 1)]:
        _, a, b = lab_of_one(*colour)
        for one in (math.floor(a / 10), math.ceil(a / 10)):
            assert {(10.0 * one, 10.0 * math.floor(b / 10)), (10.0 * one, 10.0 * math.ceil(b / 10))} <= colours
    # Points of the authors' list (pts_in_hull.npy): its corners, and the four that ours lacks.
    assert {(-90, 50), (-90, 90), (-60, -20), (0, 100), (60, -110), (90, 70), (100, -80)} <= colours
    assert not {(40, 90), (100, -90), (100, -10), (100, 0)} & colours


def test_soft_encoding_against_a_loop():
    ab = Draws("ab", total=2).uniform(-60, 60, 2, 3, 2)
    colours = colorization.colours_in_gamut()
    encoded = colorization.soft_encode(ab, colours, 5, 5.0)
    torch.testing.assert_close(encoded.sum(1), torch.ones(2, 3, 2))
    assert ((encoded > 0).sum(1) <= 5).all()
    for image in range(2):
        for row in range(3):
            for column in range(2):
                expected = target_of_one(*ab[image, :, row, column].tolist(), colours.tolist())
                found = encoded[image, :, row, column].tolist()
                for number, value in enumerate(found):
                    assert value == pytest.approx(expected.get(number, 0.0), abs=1e-5)


def test_rebalancing_against_a_loop():
    shares = Draws("shares", total=20).rand()
    shares[3] = 0
    shares = shares / shares.sum()
    for uniform in (0.5, 0.1, 1.0):
        weights = colorization.rebalancing(shares, uniform)
        assert weights.tolist() == pytest.approx(weights_of(shares.tolist(), uniform), rel=1e-4)
        assert (weights * shares).sum().item() == pytest.approx(1)
    assert weights.tolist() == pytest.approx([1.0] * 20)


def test_colours_are_counted_before_the_first_epoch_and_never_again():
    method, images = make(), pictures(4)
    assert method.before_epoch(extract(images), None) == ()
    assert method.shares.tolist() == pytest.approx(shares_of(images, method.colours.tolist()), abs=1e-6)
    kept = method.shares.clone()
    resumed = make()
    resumed.load_state_dict(method.state_dict())
    for again in (method, resumed):
        again.before_epoch(extract(pictures(4, key=1)), None)
        assert torch.equal(again.shares, kept)


def test_regression_counts_nothing():
    make(kind="regression").before_epoch(None, None)


def recoloured(images):
    """Other colours of the same lightness, and inside sRGB: linear light along the plane of equal Y."""
    linear = torch.where(images > 0.04045, ((images + 0.055) / 1.055) ** 2.4, images / 12.92)
    grey = (linear * torch.tensor([0.212671, 0.715160, 0.072169], dtype=images.dtype).view(3, 1, 1)).sum(1, keepdim=True)
    linear = grey + 0.3 * (linear - grey)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)


@pytest.mark.parametrize("encoder", ["resnet8", "vit_micro"])
def test_encode_sees_lightness_only(encoder):
    method, images = make(encoder=encoder).eval(), pictures(3)
    other = recoloured(images.double()).float()
    assert (images - other).abs().max() > 0.3
    features = method.encode(normalised(images))
    torch.testing.assert_close(method.encode(normalised(other)), features, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(method.encode(normalised(images * 0.5)), features, atol=1e-3)


def test_grey_data_is_refused_before_anything_is_trained():
    with pytest.raises(UserError, match="these images are grey"):
        complete(RunSpec(method="colorization", dataset="mnist5k", budget=Budget("steps", 1)))


def test_a_float64_run_stays_float64():
    method, images = make().double(), pictures(2).double()
    method.before_epoch(extract(images), None)
    batch = make_batch(images)
    assert batch.views[0].dtype == method.loss(batch, 0.0).dtype == method.encode(batch.views[0]).dtype == torch.float64
