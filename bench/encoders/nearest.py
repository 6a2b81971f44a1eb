"""Which encoder a file of weights fits, told by names and shapes alone."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bench.encoders import table
from bench.encoders.encoder import Encoder
from bench.encoders.formats import COUNTS, as_ours
from bench.errors import UserError

SIZES = (224, 32)
"""Pixels a side that encoders of ours are tried at: their first layers depend on it."""

OF_LIBRARIES = (
    *(f"torchvision:{name}" for name in ("resnet34", "resnet101", "wide_resnet50_2", "resnext50_32x4d")),
    *(f"timm:{name}" for name in ("vit_small_patch8_224", "vit_base_patch8_224", "vit_large_patch16_224")),
    *(f"timm:{name}" for name in ("vit_small_patch14_dinov2", "vit_base_patch14_dinov2")),
)
"""Others that published weights are of."""


def nearest(published: Mapping[str, Tensor], ours: bool, build: Callable[[str, int], Encoder], takes: str) -> str:
    """'resnet18 at 32 pixels fits', or which comes nearest and by how much. published: by a library's names, or by ours.
    build: makes an encoder by its name and image size. takes: what it must be an encoder of, the name of a modality."""
    best, most = "", -1
    for name in (name for name in (*table.names(), *OF_LIBRARIES) if table.require(name).takes == takes):
        for size in SIZES if ":" not in name else SIZES[:1]:
            try:
                with torch.device("meta"):
                    encoder = build(name, size)
            except UserError:
                continue
            own = {key: value.shape for key, value in encoder.state_dict().items() if not key.endswith(COUNTS)}
            given = {as_ours(key, () if ours else encoder.published_keys): value.shape for key, value in published.items()}
            given = {key: shape for key, shape in given.items() if not key.endswith(COUNTS)}
            if own == given:
                return f"It fits {name} at {size} pixels"
            alike = sum(given.get(key) == shape for key, shape in own.items()) / len(own)
            if alike > most:
                best, most = f"{name} at {size} pixels, in {alike:.0%} of its parameters", alike
    return f"Nearest is {best}" if most > 0 else "No encoder that is known has any of these names"
