"""Features after every stage of the encoder that `encode` uses, and of no other."""

import pytest
import torch

import methods
from bench.encoders import factory
from bench.encoders.stage_features import LARGEST, StageReader
from bench.method import build
from bench.spec import DatasetInfo


def make(method, encoder="resnet8", size=16, **hyper_parameters):
    torch.manual_seed(0)
    data = DatasetInfo(num_images=64, image_size=size)
    return build(methods.load(method), factory.factory(encoder, size), data, 10, hyper_parameters).eval()


IMAGES = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("encoder", ["resnet8", "wideresnet28x2", "convnext_tiny", "vgg_nano", "vit_nano", "vit_micro"])
@torch.no_grad()
def test_a_stage_is_its_feature_map_on_the_largest_grid_allowed(encoder):
    method = make("simclr", encoder)
    reader = StageReader(method, method.encode)
    features = reader(IMAGES)
    maps = method.encoder.stages(IMAGES)
    assert len(reader.widths) == len(maps) and features.shape == (3, sum(reader.widths)) and features.dtype == torch.float32
    for width, own, stage in zip(reader.widths, features.split(reader.widths, dim=1), maps, strict=True):
        grid = round((width / stage.shape[1]) ** 0.5)
        assert width == stage.shape[1] * grid**2
        assert width <= max(LARGEST, stage.shape[1]) and (grid == stage.shape[2] or stage.shape[1] * (grid + 1) ** 2 > LARGEST)
        if encoder == "resnet8" and stage.shape[2] % grid == 0:  # the others norm their map afterwards
            torch.testing.assert_close(own.unflatten(1, (stage.shape[1], -1)).mean(2), stage.mean((2, 3)))


@torch.no_grad()
def test_it_is_the_encoder_that_encode_uses():
    method = make("dino")
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.mul_(1.5)
    teacher, student = StageReader(method, method.encode), StageReader(method, method.encode_also()["student"])
    assert not torch.equal(teacher(IMAGES), student(IMAGES))
    torch.testing.assert_close(student(IMAGES)[:, -64 * 16 :].unflatten(1, (64, 16)).mean(2), method.encode_also()["student"](IMAGES))


@pytest.mark.parametrize("method", sorted(set(methods.takers("images")) - {"pixels", "pca"}))
@torch.no_grad()
def test_whatever_encode_does_before_its_encoder_is_done(method):
    made = make(method, "resnet8" if methods.can_use(method, "resnet8") else "vit_nano", size=32)
    reader = StageReader(made, made.encode)
    assert reader(IMAGES.repeat(1, 1, 2, 2)).shape == (3, sum(reader.widths)) and len(reader.widths) in (3, 4)


@torch.no_grad()
def test_of_an_images_patches_the_mean_is_taken():
    method = make("cpc")
    last = StageReader(method, method.encode)(IMAGES)[:, -64:]
    torch.testing.assert_close(last, method.encode(IMAGES))


@pytest.mark.parametrize("representation", ["encoder", "head"])
@torch.no_grad()
def test_of_patches_that_are_encoded_one_call_each_the_mean_is_taken(representation):
    """EMP-SSL's; a stage's mean over its grid of patches, whatever follows the encoder."""
    method = make("emp_ssl", representation=representation)
    found, seen = StageReader(method, method.encode)(IMAGES), []
    hook = method.encoder.register_forward_pre_hook(lambda _, patches: seen.append(patches[0]))
    method.encode(IMAGES)
    hook.remove()
    alone = StageReader(method.encoder, method.encoder)
    torch.testing.assert_close(found, torch.stack([alone(patch) for patch in seen]).mean(0))
    assert len(seen) > 1 and len(found) == len(IMAGES)


@torch.no_grad()
def test_raw_pixels_have_none():
    method = make("pixels")
    assert StageReader(method, method.encode)(IMAGES).shape == (3, 0)
