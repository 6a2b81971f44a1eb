"""Rotation, denoising and supervised losses against loops from the papers' formulas in float64; floors against their definition.

The loops share no code with the methods. A comparison that cannot fail says nothing, so one deliberate mistake after the other
is written into a copy of each method's source, and the comparison must then fail.
"""

import copy
import math
import re

import pytest
import torch

import methods
import methods.denoising_ae
import methods.rotation
import methods.supervised
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch, LabelledBatch, build
from bench.spec import DatasetInfo
from bench.views import ColorJitter, Flip, Grayscale, PaddedCrop
from loss_cases import agree, cross_entropy, mutate, narrow

SIZE = 16


def make(name, *, encoder="resnet8", channels=3, size=SIZE, classes=5, **hyper_parameters):
    """The method on a narrow encoder, in training mode."""
    make_encoder = narrow(encoder, size)
    with seeded("weights", name, encoder):
        data = DatasetInfo(num_images=64, image_size=size, channels=channels)
        return build(methods.load(name), make_encoder, data, classes, hyper_parameters).train()


def draws(count, key=0):
    return Draws("test", key, total=count)


def make_batch(count, size=SIZE, key=0, classes=None):
    """Random images; with labels where a number of classes is given."""
    source = draws(count, f"images {key}")
    images, labels = source.randn(3, size, size), source.randint(classes or 1)
    if classes:
        return LabelledBatch((images,), torch.arange(count), draws(count, key), labels)
    return Batch((images,), torch.arange(count), draws(count, key))


def turned(image, quarters):
    """A square image [C, S, S] turned counter-clockwise, pixel by pixel: the right edge becomes the top."""
    channels, size = image.shape[0], image.shape[-1]
    for _ in range(quarters):
        result = torch.empty_like(image)
        for channel in range(channels):
            for row in range(size):
                for column in range(size):
                    result[channel, row, column] = image[channel, column, size - 1 - row]
        image = result
    return image


def rotation_case(count=3, key=0, angles=(0, 90, 180, 270)):
    """-> the method's loss and the reference's."""
    method, batch = make("rotation", angles=",".join(map(str, angles))), make_batch(count, key=key)
    twin = copy.deepcopy(method)
    images, labels = [], []
    for image in batch.views[0]:
        for label, angle in enumerate(angles):
            images.append(turned(image, angle // 90))
            labels.append(label)
    with torch.no_grad():
        logits = twin.classifier(twin.encoder(torch.stack(images)))
    return method.loss(batch, 0.3).item(), cross_entropy(logits, labels)


def denoising_case(count=2, noise="masking", level=0.3, channels=3, encoder="resnet8"):
    """-> the method's loss and the reference's."""
    method = make("denoising_ae", encoder=encoder, channels=channels, noise=noise, level=level)
    batch, twin, chance = make_batch(count), copy.deepcopy(method), draws(count)
    clean = batch.views[0].double()
    noisy = clean.clone()
    chances = chance.rand(1, SIZE, SIZE) if noise == "masking" else chance.randn(channels, SIZE, SIZE)
    for number in range(count):
        for channel in range(3):
            for row in range(SIZE):
                for column in range(SIZE):
                    drawn = chances[number, channel if chances.shape[1] == 3 else 0, row, column].item()
                    if noise == "gaussian":
                        noisy[number, channel, row, column] += level * drawn
                    elif drawn < level:
                        noisy[number, channel, row, column] = 0.0
    with torch.no_grad():
        rebuilt = twin.decoder(twin.encoder.feature_map(noisy.float()))
    pairs = list(zip(rebuilt.double().flatten().tolist(), clean.flatten().tolist(), strict=True))
    return method.loss(batch, 0.3).item(), sum((one - other) ** 2 for one, other in pairs) / len(pairs)


def supervised_case(count=4, classes=5):
    """-> the method's loss and the reference's."""
    method, batch = make("supervised", classes=classes), make_batch(count, classes=classes)
    twin = copy.deepcopy(method)
    with torch.no_grad():
        logits = twin.classifier(twin.encoder(batch.views[0]))
    return method.loss(batch, 0.3).item(), cross_entropy(logits, batch.labels.tolist())


@pytest.mark.parametrize(("count", "key"), [(1, 0), (3, 1), (5, 2)])
@pytest.mark.parametrize("angles", [(0, 90, 180, 270), (0, 180), (90, 270), (0, 90, 270)])
def test_rotation_is_the_papers_formula(count, key, angles):
    assert agree(rotation_case(count, key, angles))


@pytest.mark.parametrize("angles", ["", "0", "0,45", "0,360", "180,0", "0,0,180", "0 180", "0, 180", "0,90,", "0.0,90.0"])
def test_what_an_image_cannot_be_turned_by(angles):
    with pytest.raises(ValueError, match=re.escape(f"angles={angles!r}: expected two or more of 0,90,180,270, in this order")):
        make("rotation", angles=angles)


def test_two_rotations_have_two_classes_and_half_the_calls():
    method, calls = make("rotation", angles="90,270"), []
    method.encoder.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method.loss(make_batch(3), 0.0)
    assert calls == [6] and method.classifier.out_features == 2 and method.chance_loss(3) == math.log(2)


@pytest.mark.parametrize("encoder", ["resnet8", "vit_micro"])
@pytest.mark.parametrize(
    ("noise", "level", "channels"), [("masking", 0.3, 3), ("masking", 0.0, 1), ("gaussian", 0.5, 3), ("gaussian", 1.5, 1)]
)
def test_denoising_is_the_papers_formula(encoder, noise, level, channels):
    assert agree(denoising_case(noise=noise, level=level, channels=channels, encoder=encoder))


@pytest.mark.parametrize(("count", "classes"), [(2, 2), (4, 5), (6, 11)])
def test_supervised_is_cross_entropy(count, classes):
    assert agree(supervised_case(count, classes))


def test_supervised_training_with_simclrs_colours():
    """arXiv:2002.05709, appendix A: jitter of 0.8 s, 0.8 s, 0.8 s and 0.2 s in four of five images, then grey in one of five."""
    plain, coloured = (make("supervised", **options).views[0].ops for options in ({}, {"color_strength": 0.5}))
    assert plain == (PaddedCrop(4), Flip())
    assert coloured == (*plain, ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2))


ROTATION_MISTAKES = {
    "turned clockwise": ("rot90(images, quarter,", "rot90(images, -quarter,"),
    "labels shifted by one": ("(len(quarters), device=images.device)", "(len(quarters), device=images.device).roll(1)"),
    "labels not in the order of the images": ("repeat_interleave(len(images))", "repeat(len(images))"),
    "one rotation left out": ("for quarter in quarters])", "for quarter in (0, 1, 2, 2)])"),
}
DENOISING_MISTAKES = {
    "compared with the noisy image": ("feature_map(noisy)), clean)", "feature_map(noisy)), noisy)"),
    "no noise": ("feature_map(noisy)", "feature_map(clean)"),
    "the complement is hidden": (">= self.level", "< self.level"),
    "mean absolute error": ("squared_error(self.decoder(", "(lambda one, other: (one - other).abs().mean())(self.decoder("),
}
GAUSSIAN_MISTAKES = {
    "level is a variance": ("self.level * batch.randn", "self.level**0.5 * batch.randn"),
    "noise instead of the image": ("return clean + self.level", "return self.level"),
}
SUPERVISED_MISTAKES = {
    "labels shifted by one": ("batch.labels),", "(batch.labels + 1) % 5),"),
    "the features are the logits": ("self.classifier(self.encoder(batch.views[0]))", "self.encoder(batch.views[0])[:, :5]"),
}


@pytest.mark.parametrize("mistake", ROTATION_MISTAKES)
def test_a_mistake_in_rotation_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.rotation, *ROTATION_MISTAKES[mistake])
    assert not agree(rotation_case())


@pytest.mark.parametrize("mistake", DENOISING_MISTAKES)
def test_a_mistake_in_denoising_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.denoising_ae, *DENOISING_MISTAKES[mistake])
    assert not agree(denoising_case())


@pytest.mark.parametrize("mistake", GAUSSIAN_MISTAKES)
def test_a_mistake_in_gaussian_noise_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.denoising_ae, *GAUSSIAN_MISTAKES[mistake])
    assert not agree(denoising_case(noise="gaussian", level=0.5))


@pytest.mark.parametrize("mistake", SUPERVISED_MISTAKES)
def test_a_mistake_in_supervised_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.supervised, *SUPERVISED_MISTAKES[mistake])
    assert not agree(supervised_case())


def test_all_four_rotations_share_one_encoder_call():
    method, calls = make("rotation"), []
    method.encoder.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method.loss(make_batch(3), 0.0)
    assert calls == [12]


@pytest.mark.parametrize(("encoder", "size"), [("resnet8", 28), ("resnet18", 28), ("resnet18", 96), ("vit_micro", 28), ("vit_micro", 98)])
def test_the_decoder_ends_at_the_size_of_the_view(encoder, size):
    with torch.device("meta"):
        method = make("denoising_ae", encoder=encoder, size=size)
        images = torch.empty(2, 3, size, size)
        assert method.decoder(method.encoder.feature_map(images)).shape == images.shape


def test_asking_for_the_decoders_shape_leaves_the_encoder_as_it_was():
    encoder = factory("resnet8", SIZE)()
    before = copy.deepcopy(encoder.state_dict())
    methods.denoising_ae.map_side(encoder, SIZE)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items()) and encoder.training


def test_masking_leaves_pixels():
    with pytest.raises(ValueError, match="level=1 hides every pixel"):
        make("denoising_ae", level=1.0)
    make("denoising_ae", noise="gaussian", level=1.0)


def test_denoising_evaluates_what_it_trains():
    images = make_batch(2).views[0]
    resnet, vit = make("denoising_ae").eval(), make("denoising_ae", encoder="vit_micro").eval()
    assert torch.equal(resnet.encode(images), resnet.encoder(images))
    torch.testing.assert_close(vit.encode(images), vit.encoder.tokens(images)[:, 1:].mean(1))


def test_pixels_are_the_image():
    images = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    assert make("pixels").encode(images).tolist() == [list(map(float, range(48))), list(map(float, range(48, 96)))]


def test_pixels_of_large_images_are_averages_of_squares():
    images = make_batch(2, size=96).views[0]
    features = make("pixels").encode(images).reshape(2, 3, 32, 32)
    assert features[1, 2, 5, 7].item() == pytest.approx(images[1, 2, 15:18, 21:24].mean().item(), abs=1e-6)
    assert make("pixels").encode(make_batch(1, size=64).views[0]).shape == (1, 3 * 64 * 64)


def test_random_is_the_encoder_at_initialisation():
    method, images = make("random").eval(), make_batch(3).views[0]
    with seeded("weights", "random", "resnet8"):
        encoder = factory("resnet8", SIZE)(width=0.25).eval()
    assert torch.equal(method.encode(images), encoder(images))
