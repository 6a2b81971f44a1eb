"""A residual network of 3x3x3 convolutions over clips (R3D of Tran et al. 2018, arXiv:1711.11248, section 3.3), made small.

As the ResNet-8 of resnet.py, with a third direction: stages after the first halve height, width and time. BatchNorm is over all frames
and positions. A clip of one frame is taken too, which is then its own past and future: nothing.
B clips, T frames, D = channels of the last stage.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry

VARIANTS = {
    "resnet3d_nano": {
        "summary": "3-D ResNet-8 over clips: 3 stages of one basic block, 8, 16 and 32 channels; facts are of a clip of one frame",
        "facts": {"parameters": 56_920, "flops": 19_152_896, "dim": 32},
        "shape": {"channels": (8, 16, 32)},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""


def over_frames(norm: nn.Module, clips: Tensor) -> Tensor:
    """A BatchNorm of images on [B, C, T, H, W]: each frame is a part of one high image, whose statistics are the same."""
    return norm(clips.flatten(2, 3)).view_as(clips)


class Block(nn.Module):
    """Two 3x3x3 convolutions and a shortcut, projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, bn_groups: int):
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = GroupedBatchNorm(outputs, bn_groups)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = GroupedBatchNorm(outputs, bn_groups)
        self.stride, self.projected = stride, stride != 1 or inputs != outputs
        if self.projected:
            self.projection, self.bn3 = nn.Conv3d(inputs, outputs, 1, bias=False), GroupedBatchNorm(outputs, bn_groups)

    def forward(self, clips: Tensor) -> Tensor:
        """[B, inputs, T, H, W] -> [B, outputs, T / stride, H / stride, W / stride]"""
        y = over_frames(self.bn1, self.conv1(clips)).relu()
        if self.projected:  # what it takes is picked by pooling, as resnet.py's Strided1x1 does and for its reason
            clips = over_frames(self.bn3, self.projection(F.avg_pool3d(clips, 1, self.stride) if self.stride > 1 else clips))
        return (over_frames(self.bn2, self.conv2(y)) + clips).relu()


class ResNet3D(Encoder):
    """A 3x3x3 convolution and stages of a block each, the first without a change of size; features are the mean over time and positions."""

    offers = ("features",)
    takes = "clips"

    def __init__(self, channels: tuple[int, ...], in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        super().__init__()
        channels = tuple(max(1, round(width * count)) for count in channels)
        self.stem, self.norm = nn.Conv3d(in_channels, channels[0], 3, 1, 1, bias=False), GroupedBatchNorm(channels[0], bn_groups)
        pairs = zip((channels[0], *channels), channels, strict=False)
        self.layers = nn.ModuleList(Block(*pair, 2 if number else 1, bn_groups) for number, pair in enumerate(pairs))
        self.dim = channels[-1]
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def tried_with(self, image_size: int, in_channels: int) -> Tensor:
        """Two clips of two frames."""
        return torch.empty(2, 2, in_channels, image_size, image_size)

    def forward(self, clips: Tensor) -> Tensor:
        """[B, T, 3, H, W] -> [B, D]"""
        x = over_frames(self.norm, self.stem(clips.transpose(1, 2).contiguous())).relu()
        for layer in self.layers:
            x = layer(x)
        return upcast(x).mean((2, 3, 4))


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> ResNet3D:
    """One of VARIANTS, for frames of any size."""
    return ResNet3D(**entry.shape, in_channels=in_channels, width=width, bn_groups=bn_groups)
