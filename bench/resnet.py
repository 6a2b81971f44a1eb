"""Residual networks for small and large images (He et al. 2016, arXiv:1512.03385; basic blocks only).

B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from torch import Tensor, nn

from bench.batch_norm import GroupedBatchNorm
from bench.precision import upcast


class Strided1x1(nn.Conv2d):
    """A 1x1 convolution that takes every `step`-th pixel: what a stride does, and what a ResNet's projection is.

    The pixels are picked first: oneDNN 3.13 (torch 2.15) writes outside its memory in the backward pass of a strided 1x1
    convolution with fewer than 8 channels on processors with AVX2 alone: it crashed or hung one process in three."""

    def __init__(self, inputs: int, outputs: int, step: int):
        super().__init__(inputs, outputs, 1, bias=False)
        self.step = step

    def forward(self, images: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / step, W / step]"""
        return super().forward(images[:, :, :: self.step, :: self.step])


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, bn_groups: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = GroupedBatchNorm(outputs, bn_groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = GroupedBatchNorm(outputs, bn_groups)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(Strided1x1(inputs, outputs, stride), GroupedBatchNorm(outputs, bn_groups))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]"""
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """Stem, stages of basic blocks (each after the first at half the size), global average pooling.

    The stem is a 3x3 convolution up to 64 pixels (He et al.'s CIFAR design) and 7x7, stride 2, with pooling above."""

    def __init__(self, blocks, channels, image_size: int, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        super().__init__()
        channels = [max(1, round(width * count)) for count in channels]
        small = image_size <= 64
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False),
            GroupedBatchNorm(channels[0], bn_groups),
            nn.ReLU(),
            nn.Identity() if small else nn.MaxPool2d(3, 2, 1),
        )
        self.layers = nn.ModuleList()
        inputs = channels[0]
        for number, (count, outputs) in enumerate(zip(blocks, channels, strict=True)):
            strides = [1 if number == 0 else 2] + [1] * (count - 1)
            stage = []
            for stride in strides:
                stage.append(BasicBlock(inputs, outputs, stride, bn_groups))
                inputs = outputs
            self.layers.append(nn.Sequential(*stage))
        self.dim = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]."""
        outputs = [self.stem(images)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        return outputs[1:]

    def feature_map(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w]"""
        return self.stages(images)[-1]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        # In float32: under autocast the mean over positions takes most of bfloat16's rounding out again.
        return upcast(self.feature_map(images)).mean((2, 3))
