"""VGG (Simonyan & Zisserman 2014, arXiv:1409.1556) with BatchNorm: 3x3 convolutions one after the other, without any shortcut.

As torchvision's vgg11_bn, without the three fully connected layers: instead of the last pooling, the average over all
positions. Convolutions have no bias, which the BatchNorm after them would take out again. An odd map is pooled to the larger half.
B images, D = channels of the last stage, [h, w] = size of the last feature map, C channels of the images.
"""

from torch import nn

from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.networks.resnet import StemAndStages, start_as_he_proposed
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "vgg_nano": {
        "summary": "VGG-11 with a quarter of its channels, 16 to 128 in five stages: no shortcuts, at the cost of a ResNet-8",
        "facts": {"parameters": 577_808, "flops": 19_759_104, "dim": 128},
        "shape": {"layers": (1, 1, 2, 2, 2), "channels": (16, 32, 64, 128, 128)},
    },
    "vgg11": {
        "summary": "VGG-11 (Simonyan & Zisserman 2014): eight 3x3 convolutions with BatchNorm, 64 to 512 channels, no shortcuts",
        "facts": {"parameters": 9_223_232, "flops": 305_528_832, "dim": 512},
        "shape": {"layers": (1, 1, 2, 2, 2), "channels": (64, 128, 256, 512, 512)},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""


class VGG(StemAndStages):
    """Stages of convolutions, each after the first at half the size; then the average over positions. A stage's map is that before the
    next one's pooling.

    layers: convolutions of every stage; channels: of every stage."""

    offers = ("features", "feature_map")

    def __init__(self, layers, channels, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1):
        super().__init__()
        channels = [max(1, round(width * count)) for count in channels]
        self.stem, self.layers = nn.Identity(), nn.ModuleList()
        inputs = in_channels
        for number, (count, outputs) in enumerate(zip(layers, channels, strict=True)):
            stage: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True)] if number else []
            for _ in range(count):
                stage += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), GroupedBatchNorm(outputs, bn_groups), nn.ReLU()]
                inputs = outputs
            self.layers.append(nn.Sequential(*stage))
        self.dim = inputs
        start_as_he_proposed(self)


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> VGG:
    """One of VARIANTS, for images of any size."""
    return VGG(**entry.shape, in_channels=in_channels, width=width, bn_groups=bn_groups)
