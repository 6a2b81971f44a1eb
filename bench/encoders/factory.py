"""The factory of encoders that methods get. Importing this does not import torch: a plan asks whether a patch fits first.

    make_encoder = factory("resnet8", image_size=28)
    encoder = make_encoder(in_channels=3, width=1.0, bn_groups=1)

An encoder offers `.dim`, `(x) -> [B, D]`, `.feature_map(x) -> [B, D, h, w]` and `.stages(x)`; a ViT also `.tokens`.
Weights are always new ones: none are ever downloaded."""

from collections.abc import Callable

from bench.encoders.table import require
from bench.errors import UserError

PATCHES, LEAST_PATCHES = (16, 14, 8, 7, 4, 2), 7
"""A ViT's patch sizes, and how many patches a side it must have."""

STEM_PATCHES, LAST_MAP = (4, 2, 1), 3
"""A ConvNeXt's first patches, and how many positions a side its last map, at an eighth of the patches, should have."""


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
            from bench.encoders.vit import VisionTransformer

            return VisionTransformer(**options, image_size=image_size, patch_size=patch_size(image_size, name))
        if entry.family == "convnext":
            from bench.encoders.convnext import ConvNeXt

            return ConvNeXt(**options, patch_size=stem_patch(image_size, name))
        if entry.family == "wide_resnet":
            from bench.encoders.wide_resnet import WideResNet

            return WideResNet(**options, image_size=image_size, bn_groups=bn_groups)
        from bench.encoders.resnet import ResNet

        return ResNet(**options, image_size=image_size, bn_groups=bn_groups)

    return make_encoder
