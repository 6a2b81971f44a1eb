"""Encoders by name, and the factory that methods get. Importing this does not import torch: names are checked first.

    make_encoder = factory("resnet8", image_size=28)
    encoder = make_encoder(in_channels=3, width=1.0, bn_groups=1)

An encoder offers `.dim`, `(x) -> [B, D]`, `.feature_map(x) -> [B, D, h, w]` and `.stages(x)`; a ViT also `.tokens`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.errors import UserError, unknown


@dataclass(frozen=True)
class EncoderEntry:
    """What a plan must know of an encoder before it is built."""

    summary: str
    family: str
    """resnet | vit"""
    offers: tuple[str, ...]
    """features | feature_map | tokens"""
    shape: dict = field(default_factory=dict)
    """What the family's constructor takes."""


RESNET, VIT = ("features", "feature_map"), ("features", "feature_map", "tokens")

ENCODERS = {
    "resnet8": EncoderEntry(
        "ResNet-8: He et al. 2016's CIFAR design with 3 stages of one basic block, 16, 32 and 64 channels",
        "resnet",
        RESNET,
        {"blocks": (1, 1, 1), "channels": (16, 32, 64)},
    ),
    "resnet8x2": EncoderEntry(
        "ResNet-8, twice as wide: 32, 64 and 128 channels",
        "resnet",
        RESNET,
        {"blocks": (1, 1, 1), "channels": (32, 64, 128)},
    ),
    "resnet18": EncoderEntry(
        "ResNet-18: basic blocks (2, 2, 2, 2), channels 64 to 512; a 3x3 stem without pooling up to 64 pixels",
        "resnet",
        RESNET,
        {"blocks": (2, 2, 2, 2), "channels": (64, 128, 256, 512)},
    ),
    "vit_micro": EncoderEntry(
        "ViT with 6 layers, 96 features and 3 heads, for CPUs; 8 patches or so a side",
        "vit",
        VIT,
        {"depth": 6, "dim": 96, "heads": 3},
    ),
    "vit_tiny": EncoderEntry(
        "ViT-Tiny: 12 layers, 192 features, 3 heads (DeiT); patch by image size",
        "vit",
        VIT,
        {"depth": 12, "dim": 192, "heads": 3},
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


def patch_size(image_size: int) -> int:
    """The largest of 16, 14, 8, 7, 4 and 2 pixels that leaves at least 7 patches a side: 4 at 28 and 32, 8 at 64 and 96, 16 at 224."""
    for patch in (16, 14, 8, 7, 4, 2):
        if image_size % patch == 0 and image_size // patch >= 7:
            return patch
    raise UserError(f"no patch size suits an image of {image_size} pixels: it must be 7 or more times 16, 14, 8, 7, 4 or 2")


def factory(name: str, image_size: int) -> Callable:
    """-> make_encoder(in_channels=3, width=1.0, bn_groups=1), each call a new encoder with new weights.

    width multiplies the channels; bn_groups takes BatchNorm's statistics over that many fixed groups of the global batch
    (a ViT has no BatchNorm, and ignores it)."""
    entry = require(name)

    def make_encoder(in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        if entry.family == "vit":
            from bench.vit import VisionTransformer

            return VisionTransformer(
                **entry.shape, image_size=image_size, patch_size=patch_size(image_size), in_channels=in_channels, width=width
            )
        from bench.resnet import ResNet

        return ResNet(**entry.shape, image_size=image_size, in_channels=in_channels, width=width, bn_groups=bn_groups)

    return make_encoder
