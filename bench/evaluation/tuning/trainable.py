"""A copy of a method's encoder that an evaluator may train: what `encode` does, with weights that have a gradient.

The copy is the evaluator's own: the frozen encoder, which the other evaluators measure, never changes by it. Whatever `encode` does before
its encoder (lightness alone, two halves) stays.
B images, D features, C channels of a stage, [h, w] = size of its map.
"""

import copy
import math

import torch
from torch import Tensor, nn

from bench.compute.precision import computing_in, dtype_of, upcast
from bench.data.images import IMAGES
from bench.data.modality import Modality
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.encoders.stage_features import stage_outputs
from bench.method import Method
from bench.spec import DatasetInfo

TRIED_WITH = 2
"""Items of the pass that finds which parameters `encode` uses."""


class Trainable(nn.Module):
    """What `encode` of a method computes, trainable. Its parameters with `requires_grad` are those that `encode` uses, a teacher's where
    the paper evaluates the teacher; a projector, a decoder or a student that is not used stay without."""

    def __init__(self, method: Method, dim: int, size: int, mean: Tensor, std: Tensor, precision: str, modality: Modality):
        """method: a copy of this object's own. dim: D. size: of the items that it was trained on, of images height and width in pixels.
        mean, std: float32 [3], what images are normalised by; precision: of the run. modality: what it takes."""
        super().__init__()
        self.method, self.dim, self.size, self.mean, self.std, self.precision = method, dim, size, mean, std, precision
        self.modality, self.still = modality, []

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.mean.device

    @property
    def patch_size(self) -> int:
        """Pixels a side that images of `maps` must be a whole number of."""
        return math.lcm(*(module.patch_size for module in self.modules() if isinstance(module, Encoder)))

    def freeze_all_but(self, last: int) -> None:
        """Only what `encode` uses of the last so many stages of each of its encoders, and of what comes after them, is trained from now on;
        with 0 nothing is, and with as many stages as there are, or more, all is. An encoder without stages is one stage. Modules
        of what is frozen stay in eval mode."""
        frozen = set(self.parameters()) if not last else set()
        for encoder in (module for module in self.modules() if isinstance(module, Encoder) and last):
            stages = encoder.stage_modules() if type(encoder).stage_modules is not Encoder.stage_modules else [encoder]
            lower = {parameter for stage in stages[: max(0, len(stages) - last)] for parameter in stage.parameters()}
            # An encoder registers its parts in the order in which it uses them, so that what comes before a stage is frozen with it.
            parameters = list(encoder.parameters())
            frozen.update(parameters[: max((number + 1 for number, each in enumerate(parameters) if each in lower), default=0)])
        for parameter in frozen:
            parameter.requires_grad_(False)
        self.still = [
            module for module in self.method.modules() if (own := list(module.parameters())) and all(each in frozen for each in own)
        ]

    def train(self, mode: bool = True) -> "Trainable":
        super().train(mode)
        for module in self.still:
            module.train(False)
        return self

    def prepare(self, items: Tensor) -> Tensor:
        """Stored items as it takes them, on its device: images uint8 [B, 1 or 3, H, W] in 0..255, or float32 in [0, 1] -> float32
        [B, 3, H, W], normalised."""
        return self.modality.prepare(items.to(self.device), self.mean, self.std)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float32 [B, 3, H, W], of any size that the encoder takes -> float32 [B, D]."""
        with computing_in(self.precision, self.device):
            return upcast(self.method.encode(images))

    def maps(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> the feature map of every stage, float32 [B, C, h, w], the first stage first; of a ViT the patches' tokens after
        each quarter of its blocks, on their grid. Of an `encode` with several encoders (two halves) their channels side by side. Empty
        where there is no encoder with stages. A ValueError where `encode` cuts images into patches: no map is of an image."""
        with computing_in(self.precision, self.device):
            _, found = stage_outputs(self.method, self.method.encode, images)
            if found.calls > 1:
                raise of_patches(found.calls)
            return [
                torch.cat([on_grid(encoder, output, images) for encoder, output in zip(found.encoders, same, strict=True)], dim=1)
                for same in found.by_stage()
            ]


def of_patches(count: int) -> ValueError:
    """That there is no map to be had."""
    return ValueError(f"encode cuts an image into {count} patches: its stages have no map of a whole image")


def on_grid(encoder: Encoder, output: Tensor, images: Tensor) -> Tensor:
    """A stage's output, a map [B, C, h, w] or all tokens [B, 1 + h * w, C], of these images [B, 3, H, W] -> float32 [B, C, h, w]."""
    if len(output) != len(images):
        raise of_patches(len(output) // len(images))
    if output.ndim == 3:
        grid = [side // encoder.patch_size for side in images.shape[2:]]
        output = output[:, 1:].transpose(1, 2).unflatten(2, grid)
    return upcast(output)


def trainable(
    method: Method, info: DatasetInfo, mean: Tensor, std: Tensor, precision: str, modality: Modality = IMAGES
) -> Trainable | None:
    """A trainable copy of what `method.encode` computes; None where that has no parameters, as raw pixels have none.

    info: of the items that the method was trained on. mean, std: float32 [3], of those, on its device. modality: theirs."""
    own = copy.deepcopy(method)
    for module in own.modules():
        # Groups keep a pretext task from being solved by a batch's statistics. With labels there is nothing to hide, and any batch will do.
        if isinstance(module, GroupedBatchNorm):
            module.groups = 1
    features = own.eval().requires_grad_(True).encode(torch.zeros(TRIED_WITH, *info.shape, dtype=dtype_of(info), device=mean.device))
    if features.requires_grad:
        features.sum().backward()
    used = {name for name, parameter in own.named_parameters() if parameter.grad is not None}
    for name, parameter in own.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name in used)
    return Trainable(own, features.shape[1], info.image_size, mean, std, precision, modality) if used else None
