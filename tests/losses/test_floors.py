"""Yardsticks that look at the training images: components against numpy's, rescaled layers against BatchNorm's own statistics; and
what their one look may and may not do.

N images, P pixels, K components.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import methods
import methods.pca
import methods.random_rescaled
from bench.compute.randomness import Draws, seeded
from bench.conformance.case import Case
from bench.conformance.check import checks, name_of, run_check
from bench.data.source import Source
from bench.method import Floor
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.hook import fit
from loss_cases import mutate, narrow

SIZE = 16


def make(name, *, encoder="resnet8", count=30, channels=3, size=SIZE, **hyper_parameters):
    make_encoder, data = narrow(encoder, size), DatasetInfo(num_images=count, image_size=size, channels=channels)
    with seeded("weights", encoder):
        return methods.load(name)(make_encoder, data, **hyper_parameters)


def pictures(count, size=SIZE, channels=3):
    """Smooth random images, so that some directions matter more than others: uint8 [N, C, S, S]."""
    coarse = Draws("pictures", total=count).rand(channels, 4, 4)
    return (nn.functional.interpolate(coarse, size, mode="bilinear") * 255).round().byte()


def fitted(method, images, precision="float32"):
    """-> the method after its look at the images, and the images as `encode` gets them."""
    mean, std = torch.full((3,), 0.5), torch.full((3,), 0.25)
    data = DatasetInfo(num_images=len(images), image_size=images.shape[-1], channels=images.shape[1])
    spec = RunSpec(method="floor", dataset="pictures", budget=Budget("steps", 1), precision=precision)
    meter = fit(method, Source(images, None, data, mean, std), spec)
    return method.eval(), (images.float().expand(-1, 3, -1, -1) / 255 - 0.5) / 0.25, meter


def components(rows, count):
    """The mean and the first directions by numpy's singular value decomposition, in float64."""
    rows = rows.double().numpy()
    directions = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:count]
    largest = np.abs(directions).argmax(1)
    return rows.mean(0), directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]


def pca_case(count=30, channels=3, size=SIZE, **options):
    """-> features of new images, and what they should be."""
    method, seen, _ = fitted(make("pca", count=count, channels=channels, size=size, **options), pictures(count, size, channels))
    new = Draws("new", total=4).randn(channels, size, size).expand(-1, 3, -1, -1)
    side = min(size, options.get("reduced", 32))

    def flat(images):
        blocks = images[:, :channels].unflatten(3, (side, -1)).unflatten(2, (side, -1)).mean((3, 5))
        return blocks.flatten(1)

    mean, directions = components(flat(seen[: options.get("images", count)]), options.get("components", 128))
    kept = min(len(directions), options.get("images", count) - 1)
    return method.encode(new), torch.from_numpy((flat(new).double().numpy() - mean) @ directions[:kept].T)


def agree(case):
    found, expected = case
    return found.shape == expected.shape and torch.allclose(found.double(), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    "options",
    [
        {"components": 5},
        {"count": 90, "size": 8, "components": 6, "channels": 1},
        {"count": 40, "components": 6, "images": 20},
        {"size": 64, "components": 4},
        {"components": 4, "reduced": 8},
    ],
    ids=str,
)
def test_components_are_numpys(options):
    assert agree(pca_case(**options))


MISTAKES = {
    "not centred": ("centred = rows - mean", "centred = rows"),
    "the smallest first": ("directions.flip(1)", "directions"),
    "not of unit length": ("F.normalize(directions.flip(1)[:, :count], dim=0)", "directions.flip(1)[:, :count]"),
    "the mean left in": ("(rows - mean) @ directions.T", "rows @ directions.T"),
    "some direction": (".sign()", ".sign().neg()"),
    "all images": ("extract(self.pixels, self.images)", "extract(self.pixels)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_components_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.pca, *MISTAKES[mistake])
    assert not agree(pca_case(components=5, images=20))


@pytest.mark.parametrize("count", [200, 40])
def test_features_have_the_images_variance_largest_first(count):
    """As many images as there are, fewer or more than pixels: the features of the images themselves are uncorrelated."""
    method, seen, meter = fitted(make("pca", count=count, size=8, channels=1, components=6), pictures(count, 8, 1))
    covariance = torch.cov(method.encode(seen).T)
    variances = covariance.diagonal()
    assert (variances.diff() <= 0).all() and (covariance - variances.diag()).abs().max() < 1e-3 * variances[0]
    assert meter.flops > 0 and meter.seconds > 0 and meter.steps == meter.images == 0


def test_there_are_no_more_components_than_pixels_or_images():
    with torch.device("meta"):
        assert len(make("pca", count=10).directions) == 9
        assert len(make("pca", count=1000, size=8, channels=1).directions) == 64
        assert make("pca", count=50_000, size=224).directions.shape == (128, 3 * 32 * 32)


def test_bfloat16_leaves_the_components_as_they_are():
    exact, images, _ = fitted(make("pca"), pictures(30))
    coarse, _, _ = fitted(make("pca"), pictures(30), "bf16")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(exact.encode(images), coarse.encode(images))


# Rescaled random features.


def rescaled_case(encoder="resnet8", count=24):
    """-> features, and those of the same random weights where BatchNorm takes its statistics from the batch itself."""
    method = make("random_rescaled", encoder=encoder, count=40, images=count)
    twin = copy.deepcopy(method.encoder).train()
    method, seen, _ = fitted(method, pictures(40))
    with torch.no_grad():
        return method.encode(seen[:count]), twin(seen[:count]).double()


@pytest.mark.parametrize("encoder", ["resnet8", "resnet18"])
def test_rescaling_gives_the_features_of_batch_norm_on_those_images(encoder):
    assert agree(rescaled_case(encoder))


RESCALING_MISTAKES = {
    "statistics as they were": ("taking_statistics(encoder)", "taking_statistics(nn.Identity())"),
    "more images than asked for": ("self.images).unflatten", "2 * self.images).unflatten"),
}


@pytest.mark.parametrize("mistake", RESCALING_MISTAKES)
def test_a_mistake_in_the_rescaling_is_seen(monkeypatch, mistake):
    right, wrong = RESCALING_MISTAKES[mistake]
    mutate(monkeypatch, methods.random_rescaled, right, wrong)
    assert not agree(rescaled_case())


@pytest.mark.parametrize("encoder", ["resnet8", "wideresnet28x2", "vit_micro", "convnext_tiny"])
def test_every_layers_output_has_mean_0_and_variance_1(encoder):
    method = make("random_rescaled", encoder=encoder, count=40, images=24)
    before = {name: parameter.clone() for name, parameter in method.named_parameters()}
    method, seen, meter = fitted(method, pictures(40))
    outputs = {}
    for name, module in method.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.BatchNorm2d)):
            module.register_forward_hook(lambda module, inputs, output, name=name: outputs.__setitem__(name, (module, output)))
    with torch.no_grad():
        method.encode(seen[:24])
    assert len(outputs) > 5 and meter.flops > 0
    for name, (module, output) in outputs.items():
        rows = (output if isinstance(module, nn.Linear) else output.movedim(1, -1)).flatten(0, -2).double()
        alive = rows.std(0, correction=0) > 1e-3
        assert alive.any(), name
        torch.testing.assert_close(rows.std(0, correction=0)[alive], torch.ones_like(rows[0][alive]), rtol=2e-3, atol=2e-3)
        if isinstance(module, nn.BatchNorm2d) or module.bias is not None:
            assert rows.mean(0)[alive].abs().max() < 1e-2, name
    for name, parameter in method.named_parameters():
        if parameter.ndim > 1 and "weight" in name:
            old, new = (value.flatten(1) for value in (before[name], parameter))
            assert nn.functional.cosine_similarity(old, new).min() > 0.999, name


def test_a_dead_output_stays_as_it_is():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[1] = 0
        layer.bias[1] = 5
        output = layer(torch.randn(9, 3))
        methods.random_rescaled.normalise_layer(layer, (), output)
    assert layer.weight[1].tolist() == [0, 0, 0] and layer.bias[1].item() == pytest.approx(0)
    assert all(parameter.isfinite().all() for parameter in layer.parameters())


# The one look.


class Looks(Floor):
    """Keeps the mean image, as it should."""

    def __init__(self, make_encoder, data):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def before_epoch(self, extract, generator):
        self.mean.copy_(extract(lambda images: images.mean((2, 3)), 20).mean(0))
        return ()

    def encode(self, images):
        return images.mean((2, 3)).float() - self.mean


class Forgets(Looks):
    def before_epoch(self, extract, generator):
        self.found = extract(lambda images: images.mean((2, 3))).mean(0)
        return ()

    def encode(self, images):
        return images.mean((2, 3)).float() - getattr(self, "found", 0)


class Draws20(Looks):
    def before_epoch(self, extract, generator):
        self.mean.copy_(torch.rand(3))
        return ()


class Late(Looks):
    def before_epoch(self, extract, generator):
        self.register_buffer("late", torch.zeros(3))
        return ()


class Fixed(Looks):
    deterministic = True


class Seeded(Fixed):
    """Says that no seed decides anything, and has an encoder."""

    def __init__(self, make_encoder, data):
        super().__init__(make_encoder, data)
        self.encoder = make_encoder()

    def encode(self, images):
        return self.encoder(images)


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Looks, ""),
        (Fixed, ""),
        (Seeded, "two seeds have other features"),
        (Forgets, "loaded into another construction"),
        (Draws20, "two fits differ in mean"),
        (Late, "late"),
    ],
)
def test_the_check_of_a_look_finds_what_is_wrong(cls, reason):
    (check,) = (check for check in checks(trained=False) if name_of(check) == "fit")
    outcome = run_check(check, Case(cls))
    assert outcome.passed == (not reason) and reason in outcome.reason


def test_a_look_is_at_images_without_labels_and_at_as_many_as_asked_for():
    seen = []

    class Watches(Looks):
        def before_epoch(self, extract, generator):
            seen.append([len(extract(lambda images: images.flatten(1), count)) for count in (None, 7, 100)])
            return ()

    method = Watches(None, None).train()
    _, _, meter = fitted(method, pictures(30))
    assert seen == [[30, 7, 30]] and not method.training and meter.flops == 0
    *_, meter = fitted(make("random"), pictures(30))
    assert meter.seconds == 0
