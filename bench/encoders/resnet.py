"""Residual networks for small and large images (He et al. 2016, arXiv:1512.03385), of basic or of bottleneck blocks.

B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.encoders.batch_norm import GroupedBatchNorm

SMALL_IMAGE = 64
"""Pixels a side up to which the first layers keep the image's size, as in He et al.'s CIFAR design."""

BOTTLENECK = 4
"""Channels of a bottleneck's output for each of its 3x3 convolution's (He et al., table 1)."""


class Strided1x1(nn.Conv2d):
    """A 1x1 convolution that takes every `step`-th pixel: what a stride does, and what a ResNet's projection is.

    The pixels are picked first, by pooling one at a time, whose gradient is channels last as the other branch's is: that of
    `images[:, :, ::step, ::step]` is not, and to add the two made steps of a small ResNet take 1.3 times as long on a CPU. A stride
    proper would be the convolution's: oneDNN 3.13 (torch 2.15) writes outside its memory in the backward pass of a strided 1x1
    convolution with fewer than 8 channels on processors with AVX2 alone: it crashed or hung one process in three."""

    def __init__(self, inputs: int, outputs: int, step: int):
        super().__init__(inputs, outputs, 1, bias=False)
        self.step = step

    def forward(self, images: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / step, W / step]"""
        return super().forward(F.avg_pool2d(images, 1, self.step) if self.step > 1 else images)


def first_convolution(in_channels: int, outputs: int, image_size: int) -> nn.Conv2d:
    """3x3 for small images; 7x7 with stride 2 for large ones, which `first_pooling` halves once more."""
    small = image_size <= SMALL_IMAGE
    return nn.Conv2d(in_channels, outputs, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)


def first_pooling(image_size: int) -> nn.Module:
    """None for small images."""
    return nn.Identity() if image_size <= SMALL_IMAGE else nn.MaxPool2d(3, 2, 1)


def start_as_he_proposed(network: nn.Module) -> None:
    """Weights of every convolution from He et al. 2015 (arXiv:1502.01852), by the number of outputs as torchvision does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


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


class Bottleneck(nn.Module):
    """1x1 to a quarter of the channels, 3x3 there, 1x1 to all of them; and the shortcut. The stride is the 3x3's, as in
    torchvision and in most SSL code ("v1.5"; He et al. have it in the first 1x1, which skips three pixels of four)."""

    def __init__(self, inputs: int, outputs: int, stride: int, bn_groups: int):
        super().__init__()
        inner = outputs // BOTTLENECK
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = GroupedBatchNorm(inner, bn_groups)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = GroupedBatchNorm(inner, bn_groups)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = GroupedBatchNorm(outputs, bn_groups)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(Strided1x1(inputs, outputs, stride), GroupedBatchNorm(outputs, bn_groups))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]"""
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """Stem, stages of blocks (each after the first at half the size), global average pooling.

    The stem is a 3x3 convolution up to 64 pixels (He et al.'s CIFAR design) and 7x7, stride 2, with pooling above.
    channels: of the stem, which is the first, and of every stage's 3x3 convolutions; a bottleneck's output has four times as many."""

    def __init__(
        self, blocks, channels, image_size: int, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1, bottleneck: bool = False
    ):
        super().__init__()
        channels = [max(1, round(width * count)) for count in channels]
        block, expansion = (Bottleneck, BOTTLENECK) if bottleneck else (BasicBlock, 1)
        self.stem = nn.Sequential(
            first_convolution(in_channels, channels[0], image_size),
            GroupedBatchNorm(channels[0], bn_groups),
            nn.ReLU(),
            first_pooling(image_size),
        )
        self.layers = nn.ModuleList()
        inputs = channels[0]
        for number, (count, inner) in enumerate(zip(blocks, channels, strict=True)):
            strides = [1 if number == 0 else 2] + [1] * (count - 1)
            stage = []
            for stride in strides:
                stage.append(block(inputs, expansion * inner, stride, bn_groups))
                inputs = expansion * inner
            self.layers.append(nn.Sequential(*stage))
        self.dim = inputs
        start_as_he_proposed(self)

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return list(self.layers)

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
