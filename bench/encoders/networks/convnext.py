"""ConvNeXt by timm (Liu et al. 2022, arXiv:2201.03545), without stochastic depth, with a smaller first patch for small images.

B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from typing import cast

import timm.models.convnext
from torch import Tensor, nn

from bench.compute.precision import upcast
from bench.encoders.encoder import Encoder
from bench.encoders.table import EncoderEntry
from bench.errors import UserError

VARIANTS = {
    "convnext_tiny": {
        "summary": "ConvNeXt-T (Liu et al. 2022) by timm: first patch of 1 pixel below 48, 2 below 96, else the paper's 4",
        "facts": {"parameters": 27_815_808, "flops": 2_900_385_792, "dim": 768},
        "shape": {"depths": (3, 3, 9, 3), "channels": (96, 192, 384, 768)},
        # 1: a budget in FLOPs was overcharged for its depthwise convolutions; LARS adapted the scales of its layers, and decay shrank them.
        "version": 2,
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes; its version."""

THEIR_PATCH = 4
"""Pixels a side of the paper's patches."""

STEM_PATCHES, LAST_MAP = (4, 2, 1), 3
"""A ConvNeXt's first patches, and how many positions a side its last map, at an eighth of the patches, should have."""


def stem_patch(image_size: int, name: str = "a ConvNeXt") -> int:
    """The largest of 4, 2 and 1 pixels that leaves a last map of at least 3x3, or else 1: 1 at 28 and 32, 2 at 64, 4 from 96."""
    if image_size < 2 * 8:
        raise UserError(f"{name} at {image_size} pixels: its last map would be a single position; expected 16 pixels or more")
    return next((patch for patch in STEM_PATCHES if image_size // patch // 8 >= LAST_MAP), STEM_PATCHES[-1])


class ConvNeXt(Encoder):
    """timm's ConvNeXt; features are the average over positions, normalised after it as in the paper.

    patch_size: of the first layer, which the paper has at 4. Everything after it is the same for every size."""

    offers = ("features", "feature_map")
    published_keys = ((r"^", "convnext."),)

    def __init__(self, depths, channels, patch_size: int, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        channels = tuple(max(1, round(width * count)) for count in channels)
        self.convnext = timm.models.convnext.ConvNeXt(in_chans=in_channels, num_classes=0, depths=tuple(depths), dims=channels)
        if patch_size != THEIR_PATCH:
            # Not timm's own patch_size=2, which halves the image again before the first stage.
            first = nn.Conv2d(in_channels, channels[0], patch_size, patch_size)
            nn.init.trunc_normal_(first.weight, std=0.02)
            assert first.bias is not None, "a convolution has a bias, unless told otherwise"
            nn.init.zeros_(first.bias)
            self.convnext.stem[0] = first
        self.dim = channels[-1]

    def maps(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w], as the next one gets it."""
        outputs = [self.convnext.stem(images)]
        for stage in self.convnext.stages:
            outputs.append(stage(outputs[-1]))
        return outputs[1:]

    def last_norm(self, maps: Tensor) -> Tensor:
        """timm's norm after the last stage, over channels: [B, D, h, w] -> the same."""
        norm = cast(nn.Module, self.convnext.head.norm)
        return norm(maps)

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return list(self.convnext.stages)

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]; the last one after the last norm."""
        *before, last = self.maps(images)
        # At every position, as in a ViT: so whoever reads maps trains the norm too, and reads numbers of its scale.
        return [*before, self.last_norm(last)]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        return self.last_norm(upcast(self.maps(images)[-1]).mean((2, 3), keepdim=True)).flatten(1)


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> ConvNeXt:
    """One of VARIANTS, for images of this size; without BatchNorm, so bn_groups change nothing."""
    return ConvNeXt(**entry.shape, patch_size=stem_patch(image_size, entry.name), in_channels=in_channels, width=width)
