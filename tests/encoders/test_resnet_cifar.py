"""CIFAR's ResNets with option A shortcuts: against the same written out with slices, and against the accuracy that is published of them."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.data.catalogue import DataSets
from bench.data.load import load
from bench.encoders import factory
from bench.encoders.networks.resnet_cifar import PaddedShortcut

PUBLISHED = {"resnet20a": ("resnet20-12fca82f.th", 91.73, 10_000), "resnet56a": ("resnet56-4bfd9763.th", 93.39, 2_000)}
"""Weights' file, its accuracy on CIFAR-10's test images, percent: the README of akamaster/pytorch_resnet_cifar10@d5489e8, and how many of
them it is looked for on: all with the shallow one; with the deep one, which has the same blocks, the first 2,000."""
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
"""That they were trained with (its trainer.py)."""


@pytest.mark.parametrize("size", [7, 8])
def test_a_shortcut_takes_every_second_pixel_and_pads_both_sides(size):
    images = torch.rand(2, 16, size, size)
    expected = F.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))
    assert torch.equal(PaddedShortcut(16, 32, 2)(images), expected)
    assert torch.equal(PaddedShortcut(16, 16, 1)(images), images)


@pytest.mark.parametrize(("name", "layers"), [("resnet20a", 19), ("resnet56a", 55)])
def test_a_resnet_is_as_deep_as_its_name_says(name, layers):
    """6 n + 2 layers with the classifier, none of them a projection."""
    with torch.device("meta"):
        convolutions = [module for module in factory.factory(name, 32)().modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == layers and all(module.kernel_size == (3, 3) for module in convolutions)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_have_their_printed_accuracy(real_root, name):
    file, printed, count = PUBLISHED[name]
    path = real_root / "weights" / file
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    encoder, published = factory.factory(name, 32)().eval(), torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    state = {key.removeprefix("module."): value for key, value in published.items()}
    weight, bias = state.pop("linear.weight"), state.pop("linear.bias")
    for theirs, ours in encoder.published_keys:
        state = {re.sub(theirs, ours, key): value for key, value in state.items()}
    found = encoder.load_state_dict(state, strict=False)
    assert not found.unexpected_keys and all(key.endswith("num_batches_tracked") for key in found.missing_keys)
    test = load(DataSets(real_root).require("cifar10"), "test", 32, 1)
    with torch.no_grad():
        parts = [encoder((images.float() / 255 - MEAN) / STD) @ weight.T + bias for images in test.images[:count].split(500)]
    accuracy = 100 * (torch.cat(parts).argmax(1) == test.labels[:count]).double().mean().item()
    # Two standard errors of so many images, where they are not those of the published number.
    assert abs(accuracy - printed) < (0.2 if count == len(test.labels) else 1.1)
