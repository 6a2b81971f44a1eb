"""The factory of encoders that methods get. Importing this does not import torch; building an encoder does.

    make_encoder = factory("resnet8", image_size=28)
    encoder = make_encoder(in_channels=3, width=1.0, bn_groups=1)

What an encoder offers is in encoder.py, and which file builds it in its entry (table.py).
Weights are always new ones: none are ever downloaded.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.encoders.table import NETWORKS, require

if TYPE_CHECKING:
    from bench.encoders.encoder import Encoder


def factory(name: str, image_size: int) -> "Callable[..., Encoder]":
    """-> make_encoder(in_channels=3, width=1.0, bn_groups=1), each call a new encoder with new weights.

    width multiplies the channels (a ViT's: in whole features a head); bn_groups takes BatchNorm's statistics over that many
    fixed groups of the global batch (a ViT and a ConvNeXt have no BatchNorm, and ignore it). A UserError where there is no such encoder,
    and from make_encoder where it cannot have images of this size."""
    entry = require(name)

    def make_encoder(in_channels: int = 3, width: float = 1.0, bn_groups: int = 1) -> "Encoder":
        family = NETWORKS.load(entry.family)
        return family.build(entry, image_size, in_channels=in_channels, width=width, bn_groups=bn_groups)

    return make_encoder
