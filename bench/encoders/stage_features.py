"""What an encoder's features are after each of its stages, read while a method encodes: a pretext method's best are often not its last.

As in the tables of conv1 to conv5 (Zhang et al. 2016, arXiv:1603.08511), a stage's feature map is averaged onto the largest grid with which
it has at most so many numbers. Whatever a method's `encode` does before its encoder (lightness alone, two halves) is done here too; where
that is to cut an image into patches, which must then lie one after another, the mean of a stage over them is taken.
B images, D features of a stage, G grid points a side.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.encoders.encoder import Encoder

LARGEST = 1024
"""Numbers of a stage, D * G * G, at most; the papers' tables have about 9,000, of an AlexNet."""


def pooled(output: Tensor) -> Tensor:
    """A feature map [B, D, h, w], or a ViT's tokens [B, 1 + h * w, D], -> float32 [B, D * G * G]."""
    if output.ndim == 3:
        side = round((output.shape[1] - 1) ** 0.5)
        output = output[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    features, height, width = output.shape[1:]
    grid = max(1, int((LARGEST / features) ** 0.5))
    return F.adaptive_avg_pool2d(upcast(output), (min(grid, height), min(grid, width))).flatten(1)


def mean_of_patches(features: Tensor, images: int) -> Tensor:
    """[B * K, d] of K patches an image, image by image -> [B, d]; one for each image stays as it is."""
    return features if len(features) == images else features.unflatten(0, (images, -1)).mean(1)


class StageReader:
    """Call it in place of `encode`: all stages' features side by side; `widths` then says how many numbers each has.

    encode: a method's, or other weights'. Without an encoder that has stages (raw pixels) it gives nothing: [B, 0]."""

    def __init__(self, method: nn.Module, encode: Callable[[Tensor], Tensor]):
        self.encode, self.widths = encode, []
        self.encoders = [module.stage_modules() for module in method.modules() if isinstance(module, Encoder)]

    def __call__(self, images: Tensor) -> Tensor:
        outputs: dict[nn.Module, Tensor] = {}

        def keep(module, _, output):
            assert module not in outputs, "encode calls its encoder more than once: its stages cannot be told apart"
            outputs[module] = output

        hooks = [module.register_forward_hook(keep) for stages in self.encoders for module in stages]
        try:
            self.encode(images)
        finally:
            for hook in hooks:
                hook.remove()
        # Of several encoders (student and teacher, two halves) those that `encode` used.
        used = [stages for stages in self.encoders if stages and all(module in outputs for module in stages)]
        features = [
            torch.cat([mean_of_patches(pooled(outputs[module]), len(images)) for module in same], dim=1) for same in zip(*used, strict=True)
        ]
        self.widths = [stage.shape[1] for stage in features]
        return torch.cat(features, dim=1) if features else images.new_empty(len(images), 0)
