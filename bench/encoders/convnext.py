"""ConvNeXt by timm (Liu et al. 2022, arXiv:2201.03545), without stochastic depth, with a smaller first patch for small images.

B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

import timm.models.convnext
from torch import Tensor, nn

from bench.compute.precision import upcast

THEIR_PATCH = 4
"""Pixels a side of the paper's patches."""


class ConvNeXt(nn.Module):
    """timm's ConvNeXt; features are the average over positions, normalised after it as in the paper.

    patch_size: of the first layer, which the paper has at 4. Everything after it is the same for every size."""

    def __init__(self, depths, channels, patch_size: int, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        channels = tuple(max(1, round(width * count)) for count in channels)
        self.convnext = timm.models.convnext.ConvNeXt(in_chans=in_channels, num_classes=0, depths=tuple(depths), dims=channels)
        if patch_size != THEIR_PATCH:
            # Not timm's own patch_size=2, which halves the image again before the first stage.
            self.convnext.stem[0] = nn.Conv2d(in_channels, channels[0], patch_size, patch_size)
            nn.init.trunc_normal_(self.convnext.stem[0].weight, std=0.02)
            nn.init.zeros_(self.convnext.stem[0].bias)
        self.dim = channels[-1]

    def maps(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w], as the next one gets it."""
        outputs = [self.convnext.stem(images)]
        for stage in self.convnext.stages:
            outputs.append(stage(outputs[-1]))
        return outputs[1:]

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return list(self.convnext.stages)

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]; the last one after the last norm."""
        *before, last = self.maps(images)
        # At every position, as in a ViT: so whoever reads maps trains the norm too, and reads numbers of its scale.
        return [*before, self.convnext.head.norm(last)]

    def feature_map(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w], after the last norm."""
        return self.stages(images)[-1]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        return self.convnext.head.norm(upcast(self.maps(images)[-1]).mean((2, 3), keepdim=True)).flatten(1)
