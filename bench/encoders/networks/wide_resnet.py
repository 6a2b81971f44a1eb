"""Wide residual networks (Zagoruyko & Komodakis 2016, arXiv:1605.07146): few layers of many channels, activated beforehand.

As the authors' code (github.com/szagoruyko/wide-residual-networks, models/wide-resnet.lua), without dropout. Images of more than
64 pixels, which the paper gives to another network, get the first layers of a ResNet.
B images, D = channels of the last stage, [h, w] = size of the last feature map.
"""

from torch import Tensor, nn

from bench.compute.precision import upcast
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.encoders.networks.resnet import Strided1x1, first_convolution, first_pooling, start_as_he_proposed
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "wideresnet28x2": {
        "summary": "WideResNet-28-2 (Zagoruyko & Komodakis 2016): pre-activation blocks, 32, 64 and 128 channels",
        "facts": {"parameters": 1_466_320, "flops": 428_703_744, "dim": 128},
        "shape": {"depth": 28, "widening": 2},
    },
    "wideresnet28x10": {
        "summary": "WideResNet-28-10 (Zagoruyko & Komodakis 2016): pre-activation blocks, 160, 320 and 640 channels",
        "facts": {"parameters": 36_472_784, "flops": 10_486_644_736, "dim": 640},
        "shape": {"depth": 28, "widening": 10},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""

FIRST_CHANNELS = 16
"""Of the first convolution, and of the first stage of a network that is not widened (the paper's table 1)."""


class PreActivationBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice; and a shortcut. Where the shape changes, it is a projection of the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int, bn_groups: int):
        super().__init__()
        self.bn1 = GroupedBatchNorm(inputs, bn_groups)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = GroupedBatchNorm(outputs, bn_groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.projection = Strided1x1(inputs, outputs, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]"""
        activated = self.bn1(x).relu()
        y = self.conv2(self.bn2(self.conv1(activated)).relu())
        return y + (x if self.projection is None else self.projection(activated))


class WideResNet(Encoder):
    """A convolution, three stages of blocks (each after the first at half the size), BatchNorm, ReLU, global average pooling.

    depth: layers with weights, 6 * n + 4 for n blocks a stage. widening: the paper's k; `width` multiplies every layer on top."""

    offers = ("features", "feature_map")

    def __init__(self, depth: int, widening: int, image_size: int, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        super().__init__()
        inputs = max(1, round(width * FIRST_CHANNELS))
        # The first block brings the BatchNorm and the ReLU that a ResNet has before its pooling.
        self.stem = nn.Sequential(first_convolution(in_channels, inputs, image_size), first_pooling(image_size))
        self.layers = nn.ModuleList()
        for number in range(3):
            outputs = max(1, round(width * FIRST_CHANNELS * widening * 2**number))
            stage = []
            for stride in [1 if number == 0 else 2] + [1] * ((depth - 4) // 6 - 1):
                stage.append(PreActivationBlock(inputs, outputs, stride, bn_groups))
                inputs = outputs
            self.layers.append(nn.Sequential(*stage))
        self.norm = GroupedBatchNorm(inputs, bn_groups)
        self.dim = inputs
        start_as_he_proposed(self)

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return list(self.layers)

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]; the last one after the last BatchNorm and ReLU."""
        outputs = [self.stem(images)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        return [*outputs[1:-1], self.norm(outputs[-1]).relu()]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        return upcast(self.feature_map(images)).mean((2, 3))


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> WideResNet:
    """One of VARIANTS, for images of this size."""
    return WideResNet(**entry.shape, image_size=image_size, in_channels=in_channels, width=width, bn_groups=bn_groups)
