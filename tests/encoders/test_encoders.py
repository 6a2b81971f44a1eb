"""Encoders: shapes for every name and size; facts against what is built; ResNets against torchvision's, WideResNet against the
authors' code written out, ConvNeXt and ViT against timm's; BatchNorm in groups."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import timm
import timm.models.convnext
import timm.models.vision_transformer
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import methods
from bench import registry
from bench.commands import listing
from bench.compute.flops import count_flops
from bench.encoders import factory, table
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.encoders.networks.convnext import ConvNeXt, stem_patch
from bench.encoders.networks.resnet import Strided1x1
from bench.encoders.networks.vit import VisionTransformer, patch_size
from bench.encoders.networks.wide_resnet import WideResNet
from bench.errors import UserError
from bench.parts.teachers import Teacher
from bench.plan.complete import complete
from bench.spec import Budget, RunSpec

OF_IMAGES = {name: entry for name, entry in table.entries().items() if entry.takes == "images"}
"""Those of other items have tests of their own: test_text_encoders.py."""
VITS = [name for name, entry in table.entries().items() if entry.family == "vit"]
MAPS = {28: (28, 14, 7, 4), 32: (32, 16, 8, 4), 64: (64, 32, 16, 8), 96: (24, 12, 6, 3), 128: (32, 16, 8, 4), 224: (56, 28, 14, 7)}
"""Side of each stage's map, for every image size."""
CONVNEXT_MAPS = {**MAPS, 28: (28, 14, 7, 3), 64: (32, 16, 8, 4)}
VGG_MAPS = {size: [math.ceil(size / 2**stage) for stage in range(5)] for size in MAPS}
CHANNELS = {
    "resnet8": (16, 32, 64),
    "resnet8x2": (32, 64, 128),
    "resnet8x4": (64, 128, 256),
    "resnet20": (16, 32, 64),
    "resnet20a": (16, 32, 64),
    "resnet56a": (16, 32, 64),
    "resnet18": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
    "wideresnet28x2": (32, 64, 128),
    "wideresnet28x10": (160, 320, 640),
    "convnext_tiny": (96, 192, 384, 768),
    "vgg_nano": (16, 32, 64, 128, 128),
    "vgg11": (64, 128, 256, 512, 512),
}
"""Of each stage's map."""
EVERY_SIZE = ("resnet8", "resnet18", "resnet20a", "wideresnet28x2", "convnext_tiny", "vgg_nano", "vit_micro")
"""One of each kind; the others differ from one of them in numbers alone."""
EPSILON = torch.finfo(torch.float32).eps
"""Two ways to sum n products, whose order and rounding a processor's kernels choose, are at most n times so far apart, relative to
the sum of the products' sizes: each is at most half of that from the exact sum."""

pytestmark = pytest.mark.usefixtures("fixed_weights")


def narrow(name, size=32, **options):
    """A quarter of the width or less, as the conformance checks build encoders, so that the large ones are fast."""
    encoder = factory.factory(name, size)(width=0.1 if table.require(name).facts.flops > 2e9 else 0.25, **options)
    for parameter in encoder.parameters():
        # Away from zero: a ConvNeXt's blocks count for a millionth at first, and a ViT's class token and positions are small.
        if parameter.ndim == 1 or len(parameter) == 1:
            nn.init.normal_(parameter, 0.5, 0.2)
    return encoder


def micro(image_size=32, **options):
    """A ViT with random positions and class token, which at construction are near zero."""
    vit = VisionTransformer(depth=2, dim=24, heads=3, image_size=image_size, patch_size=4, **options).eval()
    nn.init.normal_(vit.vit.pos_embed)
    nn.init.normal_(vit.vit.cls_token)
    return vit


@pytest.mark.parametrize(("name", "size"), [(name, size) for name in OF_IMAGES for size in MAPS if name in EVERY_SIZE or size in (32, 96)])
def test_shapes(name, size):
    """On the meta device, as a plan builds them: shapes without numbers."""
    with torch.device("meta"):
        encoder, images = factory.factory(name, size)(), torch.empty(2, 3, size, size)
        features, features_map, stages = encoder(images), encoder.feature_map(images), encoder.stages(images)
    assert features.shape == (2, encoder.dim) and features.dtype == torch.float32
    assert features_map.shape == stages[-1].shape and features_map.shape[:2] == (2, encoder.dim)
    if name in VITS:
        side = size // patch_size(size)
        assert [tuple(stage.shape) for stage in stages] == [(2, encoder.dim, side, side)] * 4
        assert encoder.tokens(images).shape == (2, 1 + side**2, encoder.dim)
    else:
        sides = {"convnext": CONVNEXT_MAPS, "vgg": VGG_MAPS, "resnet_cifar": VGG_MAPS}.get(table.require(name).family, MAPS)[size]
        expected = [(2, channels, side, side) for channels, side in zip(CHANNELS[name], sides, strict=False)]
        assert [tuple(stage.shape) for stage in stages] == expected


@pytest.mark.parametrize(
    ("name", "size"), [*((name, 28) for name in OF_IMAGES), ("resnet8", 96), ("wideresnet28x2", 96), ("convnext_tiny", 96)]
)
def test_features_maps_and_stages_agree(name, size):
    encoder, images = narrow(name, size).eval(), torch.rand(2, 3, size, size)
    with torch.no_grad():
        features, features_map, stages = encoder(images), encoder.feature_map(images), encoder.stages(images)
        assert torch.equal(features_map, stages[-1])
        if name in VITS:
            assert torch.equal(encoder.tokens(images)[:, 0], features)
            assert torch.equal(encoder.tokens(images)[:, 1:], features_map.flatten(2).transpose(1, 2))
        elif table.require(name).family == "convnext":
            # Averaged, then normalised, as in the paper; the map is normalised at every position.
            average = encoder.maps(images)[-1].mean((2, 3), keepdim=True)
            assert torch.equal(encoder.convnext.head.norm(average).flatten(1), features)
            assert torch.equal(encoder.convnext.head.norm(encoder.maps(images)[-1]), features_map)
        else:
            assert torch.allclose(features_map.mean((2, 3)), features)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_of_one_channel_is_encoded_by_itself_and_always_alike(name):
    """In evaluation mode: no image depends on its neighbours in the batch, and nothing is drawn."""
    encoder, images = narrow(name, 28, in_channels=1).eval(), torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        together = encoder(images)
        assert torch.equal(encoder(images), together)
        assert torch.allclose(torch.cat([encoder(image[None]) for image in images]), together, rtol=1e-4, atol=1e-5)
    assert together.isfinite().all() and not torch.allclose(together[0], together[1], atol=1e-4)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_gradient_reaches_every_parameter(name):
    """From the features and from the map, so that no method leaves a parameter behind; in training nothing is drawn either."""
    encoder, images = narrow(name), torch.rand(4, 3, 32, 32)
    for read in (encoder, encoder.feature_map):
        encoder.zero_grad()
        output = read(images)
        output.backward(torch.randn_like(output))
        without = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert not without
        assert torch.equal(read(images), output)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_features_have_32_bits_or_more(name):
    encoder, images = narrow(name).eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        features = encoder(images)
        with torch.autocast("cpu", torch.bfloat16):
            assert encoder(images).dtype == torch.float32
        wide = encoder.double()(images.double())
    assert wide.dtype == torch.float64 and torch.allclose(wide.float(), features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_facts_are_measured(name):
    size = table.FACTS_SIZE
    with torch.device("meta"):
        encoder, image = factory.factory(name, size)(), torch.empty(1, 3, size, size)
        measured = sum(p.numel() for p in encoder.parameters()), count_flops(lambda: encoder.eval()(image)), encoder.dim
    facts = table.require(name).facts
    assert (facts.parameters, facts.flops, facts.dim) == measured


def test_the_version_of_an_encoder_is_part_of_its_runs_ids_where_it_is_above_one(monkeypatch):
    asked = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), image_size=32)
    for name, entry in OF_IMAGES.items():
        spec = complete(asked.replace(encoder=name))
        written = {"encoder_version": entry.version} if entry.version > 1 else {}
        assert {key: value for key, value in spec.to_json().items() if key == "encoder_version"} == written
        monkeypatch.setitem(table.entries(), name, replace(entry, version=9))
        raised = complete(asked.replace(encoder=name))
        assert raised.encoder_version == 9 and raised.id != spec.id
    assert listing.in_numbers("vit_nano").endswith("version 9")
    assert [table.versioned("resnet8", version) for version in (1, 2)] == ["resnet8", "resnet8 (version 2)"]


def test_numbers_in_short():
    numbers = {77_392: "77.4k", 272_000: "272k", 1_225_024: "1.23M", 11_168_832: "11.2M", 100_000_000: "100M", 2_600_000_000: "2.60G"}
    assert {number: listing.in_short(number) for number in numbers} == numbers


def test_who_can_use_an_encoder(monkeypatch):
    wanted = {"first": "features", "second": "tokens", "third": "feature_map", "fourth": "tokens"}
    monkeypatch.setattr(methods, "all_needs", lambda: wanted)
    monkeypatch.setattr(methods, "takers", lambda modality: list(wanted))
    assert methods.users("vit_tiny") == "all methods" and methods.users("convnext_tiny") == "all methods but second, fourth"
    line = "11.2M parameters, 1.11 GFLOP an item of size 32, 512 features, of images: all methods but second, fourth"
    assert listing.in_numbers("resnet18") == line


def test_what_a_method_needs_is_read_without_importing_it(tmp_path):
    needed = {name: methods.load(name).needs for name in methods.names()}
    assert {name: methods.needs(name) for name in methods.names()} == needed == methods.all_needs()
    for line, expected in (("needs = 'tokens'", "tokens"), ("needs: str = 'feature_map'", "feature_map"), ("version = 2", "features")):
        (tmp_path / "mine.py").write_text(f"class Mine(Method):\n    {line}\n")
        assert methods.needs(str(tmp_path / "mine.py")) == expected


def test_offers_are_kept():
    for name, entry in OF_IMAGES.items():
        with torch.device("meta"):
            built = factory.factory(name, 28)()
        assert isinstance(built, Encoder) and entry.offers == built.offers and entry.summary
        assert ("tokens" in built.offers) == hasattr(built, "tokens") and built.patch_size == (patch_size(28) if name in VITS else 1)
        with torch.device("meta"):
            stages = built.stages(torch.empty(2, 3, 28, 28))
        assert "feature_map" in built.offers and len(built.stage_modules()) == len(stages) and stages[-1].shape[1] == built.dim


def test_an_encoder_that_defines_nothing_says_so():
    class Empty(Encoder):
        pass

    images = torch.zeros(1, 3, 8, 8)
    for name, ask in {"forward": Empty(), "stages": Empty().feature_map, "stage_modules": lambda _: Empty().stage_modules()}.items():
        with pytest.raises(NotImplementedError, match=f"Empty does not define {name}$"):
            ask(images)


OWN = """
from torch import nn

from bench.encoders.encoder import Encoder

VARIANTS = {
    "tiniest": {"summary": "one convolution", "facts": {"parameters": 8, "flops": 9, "dim": 2}, "shape": {"dim": 2}},
}


class Tiniest(Encoder):
    offers = ("features",)

    def __init__(self, dim, in_channels):
        super().__init__()
        self.convolution, self.dim = nn.Conv2d(in_channels, dim, 1), dim

    def forward(self, images):
        return self.convolution(images).mean((2, 3))


def build(entry, image_size, *, in_channels, width, bn_groups):
    return Tiniest(**entry.shape, in_channels=in_channels)
"""


@pytest.fixture
def own_networks(tmp_path, monkeypatch):
    """A folder in the place of networks/, with one family of one encoder."""
    folder = tmp_path / "own_networks"
    folder.mkdir()
    (folder / "tiniest.py").write_text(OWN)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for module in (table, factory):
        monkeypatch.setattr(module, "NETWORKS", registry.Registry("family of encoders", "own_networks", ""))
    table.entries.cache_clear()
    yield folder
    table.entries.cache_clear()


def test_a_file_of_networks_is_a_family_of_encoders(own_networks):
    entry = table.EncoderEntry("tiniest", "tiniest", ("features",), "one convolution", table.Facts(8, 9, 2), {"dim": 2})
    assert table.names() == ["tiniest"] and table.require("tiniest") == entry
    assert factory.factory("tiniest", 28)()(torch.zeros(3, 3, 28, 28)).shape == (3, 2)


def test_no_two_encoders_have_one_name(own_networks):
    (own_networks / "twin.py").write_text(OWN)
    with pytest.raises(UserError, match="two encoders are called tiniest: one of tiniest and one of twin"):
        table.names()


def test_the_factory_makes_new_encoders_with_new_weights():
    make_encoder = factory.factory("resnet8", 28)
    first, second = make_encoder(), make_encoder()
    assert not torch.equal(first.stem[0].weight, second.stem[0].weight)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_channels_and_width(name):
    make_encoder = factory.factory(name, 28)
    with torch.device("meta"):
        half, whole = make_encoder(in_channels=2, width=0.5), make_encoder()
        assert half(torch.empty(2, 2, 28, 28)).shape == (2, half.dim)
    assert abs(half.dim / whole.dim - 0.5) < 0.2
    # Every layer but the first has about a quarter of the weights.
    assert 0.2 < sum(p.numel() for p in half.parameters()) / sum(p.numel() for p in whole.parameters()) < 0.35


def test_names_are_known_without_torch():
    code = "import sys; from bench.encoders import table; assert table.names(); table.require('resnet8'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'resnet18'"):
        factory.factory("resnet118", 32)


@pytest.mark.parametrize(("size", "patch"), [(14, 2), (28, 4), (32, 4), (64, 8), (96, 8), (98, 14), (128, 16), (224, 16)])
def test_patch_size(size, patch):
    assert patch_size(size) == patch


@pytest.mark.parametrize(
    ("size", "nearest"),
    [(8, "size is 14"), (13, "size is 14"), (15, "sizes are 14 and 16"), (31, "sizes are 30 and 32"), (115, "sizes are 114 and 116")],
)
def test_no_patch_size(size, nearest):
    with pytest.raises(UserError, match=rf"^vit_tiny at {size} pixels: no patch of 16, .* or 2 pixels divides .* nearest {nearest}$"):
        factory.factory("vit_tiny", size)()


@pytest.mark.parametrize(("size", "patch"), [(16, 1), (28, 1), (32, 1), (47, 1), (48, 2), (64, 2), (95, 2), (96, 4), (224, 4)])
def test_stem_patch(size, patch):
    assert stem_patch(size) == patch


def test_no_stem_patch():
    with pytest.raises(UserError, match="convnext_tiny at 15 pixels: its last map would be a single position; expected 16 pixels"):
        factory.factory("convnext_tiny", 15)()


# --- ResNet


@pytest.mark.parametrize(("name", "parameters"), [("resnet18", 11_176_512), ("resnet50", 23_508_032)])
def test_resnets_are_torchvisions(name, parameters):
    with torch.device("meta"):
        theirs, ours = getattr(torchvision.models, name)(), factory.factory(name, 96)()
        theirs.fc = nn.Identity()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters()) == parameters
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
            assert expected.std() > 0.05 and torch.allclose(ours.train(training)(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "stages"), [("resnet8", (1, 1, 1)), ("resnet18", (2, 2, 2, 2))])
def test_names_of_weights_stay(name, stages):
    """Checkpoints and saved encoders hold them."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = ["stem.0.weight", *(f"stem.1.{kind}" for kind in norm)]
    for stage, blocks in enumerate(stages):
        for block in range(blocks):
            layers = [("conv1", "bn1"), ("conv2", "bn2")] + [("shortcut.0", "shortcut.1")] * (stage > 0 and block == 0)
            for conv, bn in layers:
                expected += [f"layers.{stage}.{block}.{conv}.weight", *(f"layers.{stage}.{block}.{bn}.{kind}" for kind in norm)]
    assert list(factory.factory(name, 32)().state_dict()) == expected


def test_resnet_for_small_images_differs_in_its_stem_alone():
    with torch.device("meta"):
        small, large = factory.factory("resnet18", 64)(), factory.factory("resnet18", 65)()
    assert small.stem[0].kernel_size == (3, 3) and small.stem[0].stride == (1, 1) and isinstance(small.stem[3], nn.Identity)
    assert large.stem[0].kernel_size == (7, 7) and large.stem[0].stride == (2, 2) and isinstance(large.stem[3], nn.MaxPool2d)
    assert [tuple(p.shape) for p in small.layers.parameters()] == [tuple(p.shape) for p in large.layers.parameters()]


def test_resnet_starts_as_he_proposed():
    encoder = factory.factory("resnet8", 32)()
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert abs(module.weight.std() / (2 / fan_out) ** 0.5 - 1) < 0.1, name
            assert module.bias is None


@pytest.mark.parametrize("size", [8, 9])
def test_a_projection_with_a_stride_takes_every_second_pixel(size):
    """And its gradient lies in memory as that of the branch that it is added to."""
    projection, images = Strided1x1(6, 4, 2), torch.randn(3, 6, size, size).to(memory_format=torch.channels_last)
    picked, pooled, sizes = images.clone().requires_grad_(), images.clone().requires_grad_(), images.abs().requires_grad_()
    expected, output = F.conv2d(picked[:, :, ::2, ::2], projection.weight), projection(pooled)
    # Sums of the products' sizes, by the same way: what rounding is relative to.
    scale = F.conv2d(sizes[:, :, ::2, ::2], projection.weight.abs())
    for result in (expected, output, scale):
        result.square().sum().backward()
    # Sums of six products, and in the gradient of four of those; pixels that are not taken have a gradient of exactly 0.
    assert ((output - expected).abs() <= 6 * EPSILON * scale).all()
    assert ((pooled.grad - picked.grad).abs() <= (6 + 4) * EPSILON * sizes.grad).all()
    seen = []
    doubled = pooled * 2
    doubled.register_hook(lambda gradient: seen.append(gradient.is_contiguous(memory_format=torch.channels_last)))
    projection(doubled).sum().backward()
    assert seen == [True]


# --- VGG


def test_vgg_is_torchvisions():
    """Layer by layer; theirs has biases before BatchNorms, which are 0 here, and a last pooling."""
    ours, layers = factory.factory("vgg11", 64)().eval(), list(torchvision.models.vgg11_bn().eval().features)
    kinds = (nn.Conv2d, nn.BatchNorm2d)
    for own, other in zip(*([m for m in each if isinstance(m, kinds)] for each in (ours.modules(), layers)), strict=True):
        if isinstance(other, nn.Conv2d):
            nn.init.zeros_(other.bias)
            other.weight.data.copy_(own.weight)
        else:
            for values in (own.weight, own.bias, own.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            other.load_state_dict(own.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = nn.Sequential(*layers[:-1])(images)
        torch.testing.assert_close(ours.feature_map(images), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours(images), expected.mean((2, 3)), rtol=1e-4, atol=1e-4)


# --- WideResNet


@pytest.mark.parametrize(("name", "millions", "last"), [("wideresnet28x10", 36.5, 640), ("wideresnet28x2", 1.5, 128)])
def test_wide_resnets_are_as_large_as_the_papers(name, millions, last):
    """36.5M with a classifier of ten classes in table 4; 1.5M is what the semi-supervised papers that use 28-2 state."""
    assert round((table.require(name).facts.parameters + last * 10 + 10) / 1e6, 1) == millions


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [32, 96])
def test_wide_resnet_is_the_authors(size, training):
    """Against their functional code (pytorch/resnet.py), written out with our names for the weights."""
    ours = WideResNet(depth=16, widening=2, image_size=size, width=0.5).train(training)
    for module in ours.modules():
        if isinstance(module, GroupedBatchNorm):
            for values in (module.weight, module.bias, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    weights = {name: value.clone() for name, value in ours.state_dict().items()}

    def activated(x, name):
        mean, variance = weights[f"{name}.running_mean"].clone(), weights[f"{name}.running_var"].clone()
        return F.relu(F.batch_norm(x, mean, variance, weights[f"{name}.weight"], weights[f"{name}.bias"], training))

    def block(x, name, stride):
        first = activated(x, f"{name}.bn1")
        y = F.conv2d(first, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
        z = F.conv2d(activated(y, f"{name}.bn2"), weights[f"{name}.conv2.weight"], padding=1)
        if f"{name}.projection.weight" in weights:
            return z + F.conv2d(first, weights[f"{name}.projection.weight"], stride=stride)
        return z + x

    images = torch.rand(3, 3, size, size)
    with torch.no_grad():
        if size == 32:
            x = F.conv2d(images, weights["stem.0.weight"], padding=1)
        else:
            x = F.max_pool2d(F.conv2d(images, weights["stem.0.weight"], stride=2, padding=3), 3, 2, 1)
        for stage in range(3):
            for number in range(2):
                x = block(x, f"layers.{stage}.{number}", 2 if stage and not number else 1)
        assert torch.allclose(ours(images), activated(x, "norm").mean((2, 3)), rtol=1e-4, atol=1e-5)
    # 16 and 32, 64, 128 channels at half the width; only the first block of a stage projects.
    assert ours.stem[0].out_channels == 8 and ours.dim == 64
    assert sum("projection" in name for name in weights) == 3


# --- ConvNeXt


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("convnext_tiny", "convnext_tiny"), *((f"vit_{size}", f"vit_{size}_patch16_224") for size in ("tiny", "small", "base"))],
)
def test_networks_for_large_images_are_as_large_as_timms(name, theirs):
    with torch.device("meta"):
        ours, theirs = factory.factory(name, 224)(), timm.create_model(theirs, pretrained=False, num_classes=0)
    shapes = [
        [(name.split(".", 1)[1], p.shape) for name, p in ours.named_parameters()],
        [(n, p.shape) for n, p in theirs.named_parameters()],
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("patch", [1, 4])
def test_convnext_is_timms(patch):
    shape = {"depths": (1, 1, 2, 1), "in_chans": 3, "num_classes": 0}
    theirs = timm.models.convnext.ConvNeXt(**shape, dims=(8, 16, 24, 32), patch_size=patch, ls_init_value=0.5).eval()
    ours = ConvNeXt(depths=shape["depths"], channels=(16, 32, 48, 64), patch_size=patch, width=0.5).eval()
    ours.convnext.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-5)
        maps = theirs.forward_intermediates(images, intermediates_only=True)
        assert all(torch.allclose(*pair, atol=1e-5) for pair in zip(ours.maps(images), maps, strict=True))


def test_convnext_for_small_images_differs_in_its_first_patch_alone():
    networks = [factory.factory("convnext_tiny", size)(width=0.1) for size in (32, 64, 96)]
    for network, patch in zip(networks, (1, 2, 4), strict=True):
        first = network.convnext.stem[0]
        assert first.kernel_size == first.stride == (patch, patch) and not first.bias.any()
        assert 0.01 < first.weight.std() < 0.03
        shapes = {name: p.shape for name, p in network.named_parameters() if name != "convnext.stem.0.weight"}
        assert shapes == {name: p.shape for name, p in networks[0].named_parameters() if name != "convnext.stem.0.weight"}


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


@pytest.mark.parametrize("name", [name for name, entry in table.entries().items() if "resnet" in entry.family])
def test_every_batch_norm_is_in_groups(name):
    with torch.device("meta"):
        norms = [m for m in factory.factory(name, 32)(bn_groups=4).modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(module, GroupedBatchNorm) and module.groups == 4 for module in norms)


def test_encoder_with_groups_has_the_weights_of_one_without():
    make_encoder = factory.factory("resnet8", 28)
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
