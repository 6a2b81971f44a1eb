"""Encoders by name, and what a plan or a reader must know of each before it is built. Importing this does not import torch.

require("resnet8")     its entry: family, what it offers, what it comes to"""

from dataclasses import dataclass

from bench.defaults import COMMAND
from bench.errors import unknown

FACTS_SIZE = 32
"""Pixels a side of the images for which an entry's numbers hold."""


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
        raise unknown("encoder", name, names(), f"All encoders: {COMMAND} list encoders")
    return ENCODERS[name]
