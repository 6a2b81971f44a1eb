"""Encoders: shapes for every name and size; ResNet against torchvision's, ViT against timm's; BatchNorm in groups."""

import subprocess
import sys

import pytest
import timm.models.vision_transformer
import torch
import torchvision
from torch import nn

from bench import encoders
from bench.batch_norm import GroupedBatchNorm
from bench.errors import UserError
from bench.parts import Teacher
from bench.vit import VisionTransformer

VITS = [name for name, entry in encoders.ENCODERS.items() if entry.family == "vit"]
MAPS = {28: (28, 14, 7, 4), 32: (32, 16, 8, 4), 64: (64, 32, 16, 8), 96: (24, 12, 6, 3), 128: (32, 16, 8, 4), 224: (56, 28, 14, 7)}
"""Side of each stage's map, for every image size."""


@pytest.fixture(autouse=True)
def fixed_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def micro(image_size=32, **options):
    """A ViT with random positions and class token, which at construction are near zero."""
    vit = VisionTransformer(depth=2, dim=24, heads=3, image_size=image_size, patch_size=4, **options).eval()
    nn.init.normal_(vit.vit.pos_embed)
    nn.init.normal_(vit.vit.cls_token)
    return vit


@pytest.mark.parametrize("size", MAPS)
@pytest.mark.parametrize("name", encoders.ENCODERS)
def test_shapes(name, size):
    """On the meta device, as a plan builds them: shapes without numbers."""
    with torch.device("meta"):
        encoder, images = encoders.factory(name, size)(), torch.empty(2, 3, size, size)
        features, features_map, stages = encoder(images), encoder.feature_map(images), encoder.stages(images)
    assert features.shape == (2, encoder.dim) and features.dtype == torch.float32
    assert features_map.shape == stages[-1].shape and features_map.shape[:2] == (2, encoder.dim)
    if name in VITS:
        side = size // encoders.patch_size(size)
        assert [tuple(stage.shape) for stage in stages] == [(2, encoder.dim, side, side)] * 4
        assert encoder.tokens(images).shape == (2, 1 + side**2, encoder.dim)
    else:
        assert [tuple(stage.shape[2:]) for stage in stages] == [(side, side) for side in MAPS[size][: len(stages)]]
        assert [stage.shape[1] for stage in stages] == list(encoders.ENCODERS[name].shape["channels"])


@pytest.mark.parametrize(("name", "size"), [("resnet8", 28), ("resnet8", 96), ("vit_micro", 28)])
def test_features_maps_and_stages_agree(name, size):
    encoder, images = encoders.factory(name, size)().eval(), torch.rand(2, 3, size, size)
    with torch.no_grad():
        features, features_map, stages = encoder(images), encoder.feature_map(images), encoder.stages(images)
        assert torch.equal(features_map, stages[-1])
        if name in VITS:
            assert torch.equal(encoder.tokens(images)[:, 0], features)
            assert torch.equal(encoder.tokens(images)[:, 1:].mean(1), features_map.flatten(2).transpose(1, 2).mean(1))
        else:
            assert torch.allclose(features_map.mean((2, 3)), features)


def test_offers_are_kept():
    for name, entry in encoders.ENCODERS.items():
        with torch.device("meta"):
            built = encoders.factory(name, 28)()
        offered = ["features"] + [offer for offer in ("feature_map", "tokens") if hasattr(built, offer)]
        assert list(entry.offers) == offered and entry.summary


def test_the_factory_makes_new_encoders_with_new_weights():
    make_encoder = encoders.factory("resnet8", 28)
    first, second = make_encoder(), make_encoder()
    assert not torch.equal(first.stem[0].weight, second.stem[0].weight)


@pytest.mark.parametrize("name", encoders.ENCODERS)
def test_channels_and_width(name):
    make_encoder = encoders.factory(name, 28)
    with torch.device("meta"):
        half, whole = make_encoder(in_channels=2, width=0.5), make_encoder()
        assert half(torch.empty(2, 2, 28, 28)).shape == (2, half.dim)
    assert abs(half.dim / whole.dim - 0.5) < 0.2
    # Every layer but the first has about a quarter of the weights.
    assert 0.2 < sum(p.numel() for p in half.parameters()) / sum(p.numel() for p in whole.parameters()) < 0.35


def test_names_are_known_without_torch():
    code = "import sys; from bench import encoders; assert encoders.names(); encoders.require('resnet8'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'resnet18'"):
        encoders.factory("resnet118", 32)


@pytest.mark.parametrize(("size", "patch"), [(14, 2), (28, 4), (32, 4), (64, 8), (96, 8), (98, 14), (128, 16), (224, 16)])
def test_patch_size(size, patch):
    assert encoders.patch_size(size) == patch


@pytest.mark.parametrize("size", [8, 12, 15, 29, 33])
def test_no_patch_size(size):
    with pytest.raises(UserError, match=f"an image of {size} pixels"):
        encoders.factory("vit_micro", size)()


# --- ResNet


def test_resnet18_is_torchvisions():
    with torch.device("meta"):
        theirs, ours = torchvision.models.resnet18(), encoders.factory("resnet18", 96)()
        theirs.fc = nn.Identity()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters()) == 11_176_512
    # Weights stand in the same order in both. Any do; these keep the activations of every layer near one.
    weights = {}
    for name, value in theirs.state_dict().items():
        if value.ndim == 4:
            weights[name] = torch.randn(value.shape) / value[0].numel() ** 0.5
        else:
            weights[name] = torch.rand(value.shape) + 0.5 if value.is_floating_point() else torch.zeros(value.shape, dtype=value.dtype)
    names = list(ours.state_dict())
    assert [tuple(value.shape) for value in ours.state_dict().values()] == [tuple(value.shape) for value in weights.values()]
    theirs.load_state_dict({name: value.clone() for name, value in weights.items()}, assign=True)
    ours.load_state_dict(dict(zip(names, weights.values(), strict=True)), assign=True)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        for training in (True, False):
            expected = theirs.train(training)(images)
            assert expected.std() > 0.05 and torch.allclose(ours.train(training)(images), expected, rtol=1e-5, atol=1e-5)


def test_resnet_for_small_images_differs_in_its_stem_alone():
    with torch.device("meta"):
        small, large = encoders.factory("resnet18", 64)(), encoders.factory("resnet18", 65)()
    assert small.stem[0].kernel_size == (3, 3) and small.stem[0].stride == (1, 1) and isinstance(small.stem[3], nn.Identity)
    assert large.stem[0].kernel_size == (7, 7) and large.stem[0].stride == (2, 2) and isinstance(large.stem[3], nn.MaxPool2d)
    assert [tuple(p.shape) for p in small.layers.parameters()] == [tuple(p.shape) for p in large.layers.parameters()]


def test_resnet_starts_as_he_proposed():
    encoder = encoders.factory("resnet8", 32)()
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert abs(module.weight.std() / (2 / fan_out) ** 0.5 - 1) < 0.1, name
            assert module.bias is None


# --- BatchNorm in groups


def grouped(groups: int):
    """GroupedBatchNorm and as many plain ones, one for each group, with the same weights."""
    ours = GroupedBatchNorm(5, groups)
    nn.init.uniform_(ours.weight, 0.5, 1.5)
    nn.init.uniform_(ours.bias)
    plain = [nn.BatchNorm2d(5) for _ in range(groups)]
    for module in plain:
        module.load_state_dict(ours.state_dict())
    return ours, plain


def test_groups_are_separate_batch_norms_in_training():
    ours, plain = grouped(8)
    for _ in range(3):
        images = torch.randn(32, 5, 4, 4) * torch.arange(1, 33).view(-1, 1, 1, 1)
        expected = torch.cat([module(part) for module, part in zip(plain, images.chunk(8), strict=True)])
        assert torch.allclose(ours(images), expected, atol=1e-6)
    # What each of MoCo's GPUs would hold, on average, and moved once a step.
    assert torch.allclose(ours.running_mean, torch.stack([module.running_mean for module in plain]).mean(0), atol=1e-5)
    assert torch.allclose(ours.running_var, torch.stack([module.running_var for module in plain]).mean(0), rtol=1e-5)
    assert ours.num_batches_tracked == 3


def test_groups_have_gradients_of_separate_batch_norms():
    ours, plain = grouped(4)
    images = torch.randn(8, 5, 4, 4)
    target = torch.randn(8, 5, 4, 4)
    gradients = []
    for forward in (ours, lambda x: torch.cat([module(part) for module, part in zip(plain, x.chunk(4), strict=True)])):
        given = images.clone().requires_grad_()
        (forward(given) * target).sum().backward()
        gradients.append(given.grad)
    assert torch.allclose(*gradients, atol=1e-6)
    assert torch.allclose(ours.weight.grad, sum(module.weight.grad for module in plain), atol=1e-5)


def test_in_evaluation_there_are_no_groups():
    ours, (plain,) = grouped(1)
    in_groups = GroupedBatchNorm(5, 8)
    in_groups.load_state_dict(ours.state_dict())
    nn.init.uniform_(in_groups.running_mean)
    plain.running_mean.copy_(in_groups.running_mean)
    images = torch.randn(7, 5, 4, 4)
    assert torch.allclose(in_groups.eval()(images), plain.eval()(images), atol=1e-6)


def test_one_group_is_plain_batch_norm():
    ours, (plain,) = grouped(1)
    images = torch.randn(6, 5, 4, 4)
    assert torch.equal(ours(images), plain(images)) and torch.equal(ours.running_var, plain.running_var)


def test_a_batch_that_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="a batch of 12 cannot be split into 8"):
        GroupedBatchNorm(5, 8)(torch.randn(12, 5, 4, 4))


def test_running_statistics_forget_at_the_same_pace_with_and_without_groups():
    """Moved for each group in turn, one step would leave 0.9 ** 8 of what was known before, and not 0.9."""
    one, eight = GroupedBatchNorm(5, 1), GroupedBatchNorm(5, 8)
    images = torch.randn(512, 5, 4, 4) + 3
    one(images), eight(images)
    assert torch.allclose(one.running_mean, eight.running_mean, atol=1e-5)
    assert torch.allclose(one.running_var, eight.running_var, atol=2e-3)


def test_encoder_with_groups_has_the_weights_of_one_without():
    make_encoder = encoders.factory("resnet8", 28)
    with_groups, without = make_encoder(bn_groups=4), make_encoder()
    without.load_state_dict(with_groups.state_dict())
    images = torch.rand(8, 3, 28, 28)
    with torch.no_grad():
        assert torch.allclose(with_groups.eval()(images), without.eval()(images), atol=1e-6)
        both = with_groups.train()(images), torch.cat([without.train()(part) for part in images.chunk(4)])
    assert torch.allclose(*both, atol=1e-5)
    assert all(module.groups == 4 for module in with_groups.modules() if isinstance(module, GroupedBatchNorm))
    assert Teacher(with_groups).network.stem[1].groups == 4


# --- ViT


def test_vit_is_timms():
    ours = micro()
    theirs = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=4, num_classes=0, embed_dim=24, depth=2, num_heads=3
    ).eval()
    theirs.load_state_dict(ours.vit.state_dict())
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = theirs.forward_features(images)
        assert torch.allclose(ours.tokens(images), expected, atol=1e-5)
        assert torch.allclose(ours(images), expected[:, 0], atol=1e-5)
        intermediates = theirs.forward_intermediates(images, indices=[0, 1], norm=True, intermediates_only=True)
        assert all(torch.allclose(*pair, atol=1e-5) for pair in zip(ours.stages(images), intermediates, strict=True))


def test_keeping_every_patch_in_order_changes_nothing():
    vit, images = micro(), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        everything = torch.arange(64).expand(3, -1)
        assert torch.equal(vit.tokens(images, keep=everything), vit.tokens(images))
        order = torch.stack([torch.randperm(64) for _ in range(3)])
        permuted = vit.tokens(images, keep=order)
        # Positions travel with their patches, so the blocks do not care for the order.
        assert torch.allclose(permuted[:, 1:], vit.tokens(images)[:, 1:].gather(1, order[..., None].expand(-1, -1, 24)), atol=1e-5)


def test_patches_that_are_not_kept_are_not_seen():
    vit, images = micro(), torch.rand(3, 3, 32, 32)
    keep = torch.stack([torch.randperm(64)[:16] for _ in range(3)])
    hidden = torch.ones(3, 64, dtype=torch.bool).scatter_(1, keep, False)
    noise = hidden.view(3, 1, 8, 8).float().repeat_interleave(4, 2).repeat_interleave(4, 3) * torch.rand_like(images)
    with torch.no_grad():
        tokens = vit.tokens(images, keep=keep)
        assert tokens.shape == (3, 17, 24)
        assert torch.equal(vit.tokens(images + noise, keep=keep), tokens)
        assert not torch.allclose(vit.tokens(images + noise), vit.tokens(images), atol=1e-3)
        # At the input of the blocks the kept tokens are those of the whole image.
        whole = vit.embed(images)
        assert torch.equal(vit.embed(images, keep=keep)[:, 1:], whole[:, 1:].gather(1, keep[..., None].expand(-1, -1, 24)))


def test_replaced_patches_keep_their_position_and_nothing_else():
    vit, images, mask_token = micro(), torch.rand(3, 3, 32, 32), torch.randn(24)
    replace = torch.rand(3, 64) < 0.5
    with torch.no_grad():
        assert torch.equal(vit.tokens(images, replace=torch.zeros_like(replace), mask_token=mask_token), vit.tokens(images))
        plain, replaced = vit.embed(images), vit.embed(images, replace=replace, mask_token=mask_token)
        expected = torch.where(replace[..., None], mask_token + vit.vit.pos_embed[:, 1:], plain[:, 1:])
        assert torch.equal(replaced[:, 1:], expected) and torch.equal(replaced[:, :1], plain[:, :1])
        through_blocks = vit.vit.norm(vit.vit.blocks(replaced))
        assert torch.equal(vit.tokens(images, replace=replace, mask_token=mask_token), through_blocks)


def test_keep_and_replace_together():
    vit, images, mask_token = micro(), torch.rand(2, 3, 32, 32), torch.randn(24)
    keep, replace = torch.tensor([[5, 3], [0, 63]]), torch.zeros(2, 64, dtype=torch.bool)
    replace[0, 3] = replace[1, 0] = True
    with torch.no_grad():
        entering = vit.embed(images, keep=keep, replace=replace, mask_token=mask_token)
    assert torch.equal(entering[0, 2], mask_token + vit.vit.pos_embed[0, 1 + 3])
    assert torch.equal(entering[1, 1], mask_token + vit.vit.pos_embed[0, 1 + 0])
    assert not torch.allclose(entering[0, 1], mask_token + vit.vit.pos_embed[0, 1 + 5])


def test_gradient_reaches_the_mask_token():
    vit, mask_token = micro(), torch.randn(24, requires_grad=True)
    vit.tokens(torch.rand(2, 3, 32, 32), replace=torch.rand(2, 64) < 0.5, mask_token=mask_token).sum().backward()
    assert mask_token.grad.abs().sum() > 0 and vit.vit.pos_embed.grad is not None


@pytest.mark.parametrize("size", [16, 20, 48])
def test_views_of_other_sizes_have_positions_in_between(size):
    vit, images = micro(), torch.rand(2, 3, size, size)
    side = size // 4
    with torch.no_grad():
        assert vit.tokens(images).shape == (2, 1 + side**2, 24)
        assert vit.feature_map(images).shape == (2, 24, side, side)
        assert torch.equal(vit.stages(images)[-1], vit.feature_map(images))
        # A linear field stays linear away from the border: the grid is stretched, not cut.
        column = (torch.arange(8) + 0.5) / 8
        vit.vit.pos_embed.copy_(torch.cat([torch.zeros(1), column.repeat(8)])[None, :, None].expand(1, -1, 24))
        positions = vit.positions(side, side)
    assert positions.shape == (1, 1 + side**2, 24) and torch.equal(positions[:, 0], torch.zeros(1, 24))
    grid = positions[0, 1:, 0].view(side, side)
    assert torch.allclose(grid, ((torch.arange(side) + 0.5) / side).expand(side, -1), atol=0.03)


def test_a_view_that_patches_do_not_tile_is_refused():
    with pytest.raises(AssertionError, match="divisible by patch size"):
        micro()(torch.rand(2, 3, 18, 18))
