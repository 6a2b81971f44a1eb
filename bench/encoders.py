"""Encoders by name, and the factory that methods get. Importing this does not import torch: names are checked first.

    make_encoder = factory("resnet8", image_size=28)
    encoder = make_encoder(in_channels=3, width=1.0, bn_groups=1)

An encoder offers `.dim`, `(x) -> [B, D]`, `.feature_map(x) -> [B, D, h, w]` and `.stages(x)`; a ViT also `.tokens`.
Weights are always new ones: none are ever downloaded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import methods
from bench.errors import UserError, unknown

FACTS_SIZE = 32
"""Pixels a side of the images for which an entry's numbers hold."""

PATCHES, LEAST_PATCHES = (16, 14, 8, 7, 4, 2), 7
"""A ViT's patch sizes, and how many patches a side it must have."""

STEM_PATCHES, LAST_MAP = (4, 2, 1), 3
"""A ConvNeXt's first patches, and how many positions a side its last map, at an eighth of the patches, should have."""


@dataclass(frozen=True)
class Facts:
    """What an encoder comes to at width 1, for an image of 32 pixels (FACTS_SIZE) in 3 channels."""

    parameters: int
    flops: int
    """Of one image forward, 2 for a multiply-add, counted as a run's budget is."""
    dim: int
    """Features."""


@dataclass(frozen=True)
class EncoderEntry:
    """What a plan, or a reader, must know of an encoder before it is built."""

    summary: str
    family: str
    """resnet | wide_resnet | convnext | vit"""
    offers: tuple[str, ...]
    """features | feature_map | tokens"""
    facts: Facts
    shape: dict
    """What the family's constructor takes."""


CONVOLUTIONAL, VIT = ("features", "feature_map"), ("features", "feature_map", "tokens")

ENCODERS = {
    "resnet8": EncoderEntry(
        "ResNet-8: He et al. 2016's CIFAR design with 3 stages of one basic block, 16, 32 and 64 channels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=77_392, flops=25_001_984, dim=64),
        {"blocks": (1, 1, 1), "channels": (16, 32, 64)},
    ),
    "resnet8x2": EncoderEntry(
        "ResNet-8, twice as wide: 32, 64 and 128 channels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=307_360, flops=98_238_464, dim=128),
        {"blocks": (1, 1, 1), "channels": (32, 64, 128)},
    ),
    "resnet8x4": EncoderEntry(
        "ResNet-8, four times as wide: 64, 128 and 256 channels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=1_225_024, flops=389_414_912, dim=256),
        {"blocks": (1, 1, 1), "channels": (64, 128, 256)},
    ),
    "resnet20": EncoderEntry(
        "ResNet-20: the smallest of He et al. 2016 for CIFAR, 3 stages of three basic blocks, 16, 32 and 64 channels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=271_824, flops=81_625_088, dim=64),
        {"blocks": (3, 3, 3), "channels": (16, 32, 64)},
    ),
    "resnet18": EncoderEntry(
        "ResNet-18: basic blocks (2, 2, 2, 2), channels 64 to 512; a 3x3 stem without pooling up to 64 pixels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=11_168_832, flops=1_110_835_200, dim=512),
        {"blocks": (2, 2, 2, 2), "channels": (64, 128, 256, 512)},
    ),
    "resnet50": EncoderEntry(
        "ResNet-50: bottlenecks (3, 4, 6, 3), channels 256 to 2048; a 3x3 stem without pooling up to 64 pixels",
        "resnet",
        CONVOLUTIONAL,
        Facts(parameters=23_500_352, flops=2_595_618_816, dim=2048),
        {"blocks": (3, 4, 6, 3), "channels": (64, 128, 256, 512), "bottleneck": True},
    ),
    "wideresnet28x2": EncoderEntry(
        "WideResNet-28-2 (Zagoruyko & Komodakis 2016): pre-activation blocks, 32, 64 and 128 channels",
        "wide_resnet",
        CONVOLUTIONAL,
        Facts(parameters=1_466_320, flops=428_703_744, dim=128),
        {"depth": 28, "widening": 2},
    ),
    "wideresnet28x10": EncoderEntry(
        "WideResNet-28-10 (Zagoruyko & Komodakis 2016): pre-activation blocks, 160, 320 and 640 channels",
        "wide_resnet",
        CONVOLUTIONAL,
        Facts(parameters=36_472_784, flops=10_486_644_736, dim=640),
        {"depth": 28, "widening": 10},
    ),
    "convnext_tiny": EncoderEntry(
        "ConvNeXt-T (Liu et al. 2022) by timm: first patch of 1 pixel below 48, 2 below 96, else the paper's 4",
        "convnext",
        CONVOLUTIONAL,
        Facts(parameters=27_815_808, flops=2_900_385_792, dim=768),
        {"depths": (3, 3, 9, 3), "channels": (96, 192, 384, 768)},
    ),
    "vit_nano": EncoderEntry(
        "ViT with 4 layers, 64 features and 2 heads, about as dear as resnet8; 8 patches or so a side",
        "vit",
        VIT,
        Facts(parameters=207_424, flops=30_278_656, dim=64),
        {"depth": 4, "dim": 64, "heads": 2},
    ),
    "vit_micro": EncoderEntry(
        "ViT with 6 layers, 96 features and 3 heads, for CPUs; 8 patches or so a side",
        "vit",
        VIT,
        Facts(parameters=682_272, flops=96_585_984, dim=96),
        {"depth": 6, "dim": 96, "heads": 3},
    ),
    "vit_tiny": EncoderEntry(
        "ViT-Tiny: 12 layers, 192 features, 3 heads (DeiT); patch by image size",
        "vit",
        VIT,
        Facts(parameters=5_360_832, flops=730_211_328, dim=192),
        {"depth": 12, "dim": 192, "heads": 3},
    ),
    "vit_small": EncoderEntry(
        "ViT-Small: 12 layers, 384 features, 6 heads (DeiT); patch by image size",
        "vit",
        VIT,
        Facts(parameters=21_338_496, flops=2_840_610_816, dim=384),
        {"depth": 12, "dim": 384, "heads": 6},
    ),
    "vit_base": EncoderEntry(
        "ViT-Base: 12 layers, 768 features, 12 heads (Dosovitskiy et al. 2021); patch by image size",
        "vit",
        VIT,
        Facts(parameters=85_144_320, flops=11_201_974_272, dim=768),
        {"depth": 12, "dim": 768, "heads": 12},
    ),
}


def names() -> list[str]:
    """Every encoder, sorted."""
    return sorted(ENCODERS)


def require(name: str) -> EncoderEntry:
    """The entry, or a UserError with the nearest name."""
    if name not in ENCODERS:
        raise unknown("encoder", name, names(), "All encoders: run_bench.py list encoders")
    return ENCODERS[name]


def in_short(number: float, gap: str = "") -> str:
    """Three digits and a unit: 11168832 -> 11.2M, 77392 -> 77.4k."""
    size, unit = next((size, unit) for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= size)
    return f"{number / size:#.3g}".rstrip(".") + gap + unit


def can_use(method: str, name: str) -> bool:
    """Whether the encoder offers what one of our methods needs; nothing is imported to know."""
    return methods.needs(method) in require(name).offers


def users(name: str) -> str:
    """Which methods of ours can use the encoder: "all methods", or "all methods but" those that cannot."""
    offered = require(name).offers
    others = [method for method, needed in methods.all_needs().items() if needed not in offered]
    return "all methods" + (f" but {', '.join(others)}" if others else "")


def in_numbers(name: str) -> str:
    """Size, cost, features and users in one line, without building anything."""
    facts = require(name).facts
    cost = f"{in_short(facts.parameters)} parameters, {in_short(facts.flops, ' ')}FLOP an image at {FACTS_SIZE} px"
    return f"{cost}, {facts.dim} features, {users(name)}"


def fitting_patch(image_size: int) -> int | None:
    """The largest patch that tiles the image with enough patches a side."""
    return next((patch for patch in PATCHES if image_size % patch == 0 and image_size // patch >= LEAST_PATCHES), None)


def patch_size(image_size: int, name: str = "a ViT") -> int:
    """The largest of 16, 14, 8, 7, 4 and 2 pixels that leaves at least 7 patches a side: 4 at 28 and 32, 8 at 64 and 96, 16 at 224."""
    if patch := fitting_patch(image_size):
        return patch
    least = LEAST_PATCHES * PATCHES[-1]
    below = next((size for size in range(image_size, least - 1, -1) if fitting_patch(size)), None)
    above = next(size for size in range(max(image_size, least), 2 * max(image_size, least)) if fitting_patch(size))
    nearest = f"sizes are {below} and {above}" if below else f"size is {above}"
    raise UserError(
        f"{name} at {image_size} pixels: no patch of {', '.join(map(str, PATCHES[:-1]))} or {PATCHES[-1]} pixels divides them "
        f"with {LEAST_PATCHES} or more patches a side; the nearest {nearest}"
    )


def stem_patch(image_size: int, name: str = "a ConvNeXt") -> int:
    """The largest of 4, 2 and 1 pixels that leaves a last map of at least 3x3, or else 1: 1 at 28 and 32, 2 at 64, 4 from 96."""
    if image_size < 2 * 8:
        raise UserError(f"{name} at {image_size} pixels: its last map would be a single position; expected 16 pixels or more")
    return next((patch for patch in STEM_PATCHES if image_size // patch // 8 >= LAST_MAP), STEM_PATCHES[-1])


def factory(name: str, image_size: int) -> Callable:
    """-> make_encoder(in_channels=3, width=1.0, bn_groups=1), each call a new encoder with new weights.

    width multiplies the channels (a ViT's: in whole features a head); bn_groups takes BatchNorm's statistics over that many
    fixed groups of the global batch (a ViT and a ConvNeXt have no BatchNorm, and ignore it)."""
    entry = require(name)

    def make_encoder(in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        options = {**entry.shape, "in_channels": in_channels, "width": width}
        if entry.family == "vit":
            from bench.vit import VisionTransformer

            return VisionTransformer(**options, image_size=image_size, patch_size=patch_size(image_size, name))
        if entry.family == "convnext":
            from bench.convnext import ConvNeXt

            return ConvNeXt(**options, patch_size=stem_patch(image_size, name))
        if entry.family == "wide_resnet":
            from bench.wide_resnet import WideResNet

            return WideResNet(**options, image_size=image_size, bn_groups=bn_groups)
        from bench.resnet import ResNet

        return ResNet(**options, image_size=image_size, bn_groups=bn_groups)

    return make_encoder
