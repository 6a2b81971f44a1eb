"""Residual networks for small and large images (He et al. 2016, arXiv:1512.03385), of basic or of bottleneck blocks.

B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "resnet8": {
        "summary": "ResNet-8: He et al. 2016's CIFAR design with 3 stages of one basic block, 16, 32 and 64 channels",
        "facts": {"parameters": 77_392, "flops": 25_001_984, "dim": 64},
        "shape": {"blocks": (1, 1, 1), "channels": (16, 32, 64)},
    },
    "resnet8x2": {
        "summary": "ResNet-8, twice as wide: 32, 64 and 128 channels",
        "facts": {"parameters": 307_360, "flops": 98_238_464, "dim": 128},
        "shape": {"blocks": (1, 1, 1), "channels": (32, 64, 128)},
    },
    "resnet8x4": {
        "summary": "ResNet-8, four times as wide: 64, 128 and 256 channels",
        "facts": {"parameters": 1_225_024, "flops": 389_414_912, "dim": 256},
        "shape": {"blocks": (1, 1, 1), "channels": (64, 128, 256)},
    },
    "resnet20": {
        "summary": "ResNet-20: the smallest of He et al. 2016 for CIFAR, 3 stages of three basic blocks, 16, 32 and 64 channels",
        "facts": {"parameters": 271_824, "flops": 81_625_088, "dim": 64},
        "shape": {"blocks": (3, 3, 3), "channels": (16, 32, 64)},
    },
    "resnet18": {
        "summary": "ResNet-18: basic blocks (2, 2, 2, 2), channels 64 to 512; a 3x3 stem without pooling up to 64 pixels",
        "facts": {"parameters": 11_168_832, "flops": 1_110_835_200, "dim": 512},
        "shape": {"blocks": (2, 2, 2, 2), "channels": (64, 128, 256, 512)},
    },
    "resnet50": {
        "summary": "ResNet-50: bottlenecks (3, 4, 6, 3), channels 256 to 2048; a 3x3 stem without pooling up to 64 pixels",
        "facts": {"parameters": 23_500_352, "flops": 2_595_618_816, "dim": 2048},
        "shape": {"blocks": (3, 4, 6, 3), "channels": (64, 128, 256, 512), "bottleneck": True},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""

SMALL_IMAGE = 64
"""Pixels a side up to which the first layers keep the image's size, as in He et al.'s CIFAR design."""

BOTTLENECK = 4
"""Channels of a bottleneck's output for each of its 3x3 convolution's (He et al., table 1)."""


PUBLISHED_KEYS = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    *((rf"^layer{number}\.", f"layers.{number - 1}.") for number in (1, 2, 3, 4)),
    (r"\.downsample\.", ".shortcut."),
)
"""From torchvision's names of a ResNet's parameters (torchvision.models.resnet), which timm and most SSL code keep, to ours."""


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


class StemAndStages(Encoder):
    """A `stem` and `layers`, one for each stage, which a network makes; features are the average over the last one's positions."""

    offers = ("features", "feature_map")
    stem: nn.Module
    layers: nn.ModuleList

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return list(self.layers)

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]."""
        outputs = [self.stem(images)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        return outputs[1:]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        # In float32: under autocast the mean over positions takes most of bfloat16's rounding out again.
        return upcast(self.feature_map(images)).mean((2, 3))


class ResNet(StemAndStages):
    """Stem, stages of blocks (each after the first at half the size), global average pooling.

    The stem is a 3x3 convolution up to 64 pixels (He et al.'s CIFAR design) and 7x7, stride 2, with pooling above.
    channels: of the stem, which is the first, and of every stage's 3x3 convolutions; a bottleneck's output has four times as many."""

    offers = ("features", "feature_map")
    published_keys = PUBLISHED_KEYS

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


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> ResNet:
    """One of VARIANTS, for images of this size."""
    return ResNet(**entry.shape, image_size=image_size, in_channels=in_channels, width=width, bn_groups=bn_groups)
