"""What an encoder's features are after each of its stages, read while a method encodes: a pretext method's best are often not its last.

As in the tables of conv1 to conv5 (Zhang et al. 2016, arXiv:1603.08511), a stage's feature map is averaged onto the largest grid with which
it has at most so many numbers. Whatever a method's `encode` does before its encoder (lightness alone, two halves) is done here too; where
that is to cut an image into patches, the mean of a stage over them is taken: they lie one after another, image by image, in one call of the
encoder, or each has a call for all images.
B images, D features of a stage, G grid points a side.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class StageOutputs:
    """What the stages of the encoders gave that `encode` used, of several (student and teacher, two halves) those alone."""

    encoders: tuple[Encoder, ...]
    outputs: tuple[tuple[Tensor, ...], ...]
    """Of every such encoder each stage's, a map or all tokens (Encoder.stage_modules), the first stage first; the mean over its calls."""
    calls: int = 1
    """How often an encoder was called; of several calls each is of a patch of every image."""

    def by_stage(self) -> list[tuple[Tensor, ...]]:
        """Of every stage each encoder's."""
        return list(zip(*self.outputs, strict=True))


def stage_outputs(method: nn.Module, encode: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, StageOutputs]:
    """encode(images), and what the stages of the method's encoders gave meanwhile."""
    sums: dict[nn.Module, Tensor] = {}
    calls: Counter[nn.Module] = Counter()

    def keep(module, _, output):
        # A sum, so that memory does not go with the number of patches.
        sums[module] = sums[module] + upcast(output) if module in sums else output
        calls[module] += 1

    encoders = [(module, module.stage_modules()) for module in method.modules() if isinstance(module, Encoder)]
    hooks = [module.register_forward_hook(keep) for _, stages in encoders for module in stages]
    try:
        encoded = encode(images)
    finally:
        for hook in hooks:
            hook.remove()
    used = [(encoder, stages) for encoder, stages in encoders if stages and all(module in sums for module in stages)]
    mean = {module: sums[module] / count if count > 1 else sums[module] for module, count in calls.items()}
    found = tuple(tuple(mean[module] for module in stages) for _, stages in used)
    return encoded, StageOutputs(tuple(encoder for encoder, _ in used), found, max(calls.values(), default=1))


class StageReader:
    """Call it in place of `encode`: all stages' features side by side; `widths` then says how many numbers each has.

    encode: a method's, or other weights'. Without an encoder that has stages (raw pixels) it gives nothing: [B, 0]."""

    def __init__(self, method: nn.Module, encode: Callable[[Tensor], Tensor]):
        self.method, self.encode, self.widths = method, encode, []

    def __call__(self, images: Tensor) -> Tensor:
        _, found = stage_outputs(self.method, self.encode, images)
        features = [torch.cat([mean_of_patches(pooled(output), len(images)) for output in same], dim=1) for same in found.by_stage()]
        self.widths = [stage.shape[1] for stage in features]
        return torch.cat(features, dim=1) if features else images.new_empty(len(images), 0)
