"""Residual networks for CIFAR as He et al. 2015 (arXiv:1512.03385, section 4.2) trained them: shortcuts without weights (option A).

Where the channels double, a shortcut takes every second pixel and pads the new channels with zeros, half of them on each side as
akamaster/pytorch_resnet_cifar10@d5489e8 does, whose published weights these are for (docs/pretrained.md). The same depths with projections
are in bench/encoders/networks/resnet.py. B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.networks.resnet import PUBLISHED_KEYS, StemAndStages, start_as_he_proposed
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "resnet20a": {
        "summary": "ResNet-20 of He et al. 2015 for CIFAR, option A: shortcuts without weights; 16, 32 and 64 channels",
        "facts": {"parameters": 269_072, "flops": 81_100_800, "dim": 64},
        "shape": {"depth": 3},
    },
    "resnet56a": {
        "summary": "ResNet-56 of He et al. 2015 for CIFAR, option A: shortcuts without weights; 16, 32 and 64 channels",
        "facts": {"parameters": 852_368, "flops": 250_970_112, "dim": 64},
        "shape": {"depth": 9},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""

CHANNELS = (16, 32, 64)
"""Of the three stages (section 4.2)."""


class PaddedShortcut(nn.Module):
    """Option A: every `step`-th pixel, and zeros for the channels that are new. Without weights."""

    def __init__(self, inputs: int, outputs: int, step: int):
        super().__init__()
        before = (outputs - inputs) // 2
        self.padding, self.step = (0, 0, 0, 0, before, outputs - inputs - before), step

    def forward(self, images: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / step, W / step]"""
        return F.pad(F.avg_pool2d(images, 1, self.step) if self.step > 1 else images, self.padding)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without weights."""

    def __init__(self, inputs: int, outputs: int, stride: int, bn_groups: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = GroupedBatchNorm(outputs, bn_groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = GroupedBatchNorm(outputs, bn_groups)
        self.shortcut = PaddedShortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]"""
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + self.shortcut(x)).relu()


class ResNetCIFAR(StemAndStages):
    """A 3x3 convolution and three stages, for images of any size; features are the average over positions.

    depth: blocks of every stage, n of the paper's 6 n + 2 layers."""

    offers = ("features", "feature_map")
    published_keys = PUBLISHED_KEYS

    def __init__(self, depth: int, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        super().__init__()
        channels = [max(1, round(width * count)) for count in CHANNELS]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 3, 1, 1, bias=False), GroupedBatchNorm(channels[0], bn_groups), nn.ReLU()
        )
        self.layers, inputs = nn.ModuleList(), channels[0]
        for number, outputs in enumerate(channels):
            stage = []
            for stride in [1 if number == 0 else 2] + [1] * (depth - 1):
                stage.append(Block(inputs, outputs, stride, bn_groups))
                inputs = outputs
            self.layers.append(nn.Sequential(*stage))
        self.dim = inputs
        start_as_he_proposed(self)


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> ResNetCIFAR:
    """One of VARIANTS, for images of any size."""
    return ResNetCIFAR(**entry.shape, in_channels=in_channels, width=width, bn_groups=bn_groups)
