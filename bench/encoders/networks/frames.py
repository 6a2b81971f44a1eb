"""An image encoder that looks at each frame of a clip by itself: a clip's features are the mean of its frames'.

What it learns is an encoder of images, `network`, which every image encoder can be: a further one is an entry of VARIANTS, with the facts
that the table has of it. B clips, T frames, D features.
"""

import torch
from torch import Tensor

from bench.compute.precision import upcast
from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.encoders.factory import factory

VARIANTS = {
    "frames_resnet8": {
        "summary": "ResNet-8 for each frame, and the mean of what it finds; facts are of one frame",
        "facts": {"parameters": 77_392, "flops": 25_001_984, "dim": 64},
        "shape": {"network": "resnet8"},
    },
    "frames_resnet8x2": {
        "summary": "ResNet-8, twice as wide, for each frame",
        "facts": {"parameters": 307_360, "flops": 98_238_464, "dim": 128},
        "shape": {"network": "resnet8x2"},
    },
    "frames_resnet20": {
        "summary": "ResNet-20 for each frame",
        "facts": {"parameters": 271_824, "flops": 81_625_088, "dim": 64},
        "shape": {"network": "resnet20"},
    },
    "frames_resnet18": {
        "summary": "ResNet-18 for each frame",
        "facts": {"parameters": 11_168_832, "flops": 1_110_835_200, "dim": 512},
        "shape": {"network": "resnet18"},
    },
}
"""By name: a line about it; what it comes to for a frame (table.py, Facts); which encoder of images it is made of."""


class FrameEncoder(Encoder):
    """`network` for every frame."""

    offers = ("features", "frames")
    takes = "clips"

    def __init__(self, network: Encoder):
        super().__init__()
        self.network, self.dim, self.patch_size = network, network.dim, network.patch_size

    def tried_with(self, image_size: int, in_channels: int) -> Tensor:
        """Two clips of two frames."""
        return torch.empty(2, 2, in_channels, image_size, image_size)

    def frames(self, clips: Tensor) -> Tensor:
        """[B, T, 3, H, W] -> the features of every frame, [B, T, D]"""
        return upcast(self.network(clips.flatten(0, 1))).unflatten(0, clips.shape[:2])

    def forward(self, clips: Tensor) -> Tensor:
        """[B, T, 3, H, W] -> [B, D]"""
        return self.frames(clips).mean(1)


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> FrameEncoder:
    """One of VARIANTS, for frames of this size."""
    return FrameEncoder(factory(entry.shape["network"], image_size)(in_channels, width, bn_groups))
