"""The factory of encoders that methods get. Importing this does not import torch; building an encoder does.

    make_encoder = factory("resnet8", image_size=28)
    encoder = make_encoder(in_channels=3, width=1.0, bn_groups=1)

What an encoder offers is in encoder.py, and which file builds it in its entry (table.py).
Weights are new ones, or those of a file that is given: none are ever downloaded here.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.defaults import scratch_root
from bench.encoders.foreign import LIBRARIES
from bench.encoders.table import NETWORKS, require

if TYPE_CHECKING:
    from bench.encoders.encoder import Encoder


def factory(name: str, image_size: int, scratch: Path | None = None, kinds: int = 0) -> "Callable[..., Encoder]":
    """-> make_encoder(in_channels=3, width=1.0, bn_groups=1), each call a new encoder with new weights.

    width multiplies the channels (a ViT's: in whole features a head); bn_groups takes BatchNorm's statistics over that many
    fixed groups of the global batch (a ViT and a ConvNeXt have no BatchNorm, and ignore it). weights, format: those of a file that somebody
    else trained, by its SHA-256, which lies in the scratch folder (weights.py). own: what a family takes beside.
    kinds: how many whole numbers an item may be of, as the words of a vocabulary (bench.spec.DatasetInfo), of which a network for such
    items has a row each; 0 of real numbers.
    A UserError where there is no such encoder, and from make_encoder where it cannot have images of this size, or not those weights."""
    entry, told = require(name), {"kinds": kinds} if kinds else {}

    def make_encoder(
        in_channels: int = 3, width: float = 1.0, bn_groups: int = 1, weights: str = "", format: str = "", **own: Any
    ) -> "Encoder":
        encoder = builder(entry.family).build(entry, image_size, in_channels=in_channels, width=width, bn_groups=bn_groups, **told, **own)
        if weights:
            from bench.encoders.weights import fill

            what, folder = f"{name} at {image_size} pixels", scratch or scratch_root()
            fill(encoder, weights, format, folder, what, lambda other, size: factory(other, size)())
        return encoder

    return make_encoder


def builder(family: str) -> ModuleType:
    """The module that builds encoders of a family (bench/encoders/entry.py)."""
    if family == "own":
        from bench.encoders import own

        return own
    return (LIBRARIES if family in LIBRARIES.names() else NETWORKS).load(family)
