"""A view: which operations, how often, how large; and a batch of images as the views that a method declares.

B images, C channels, H height, W width; h, w of a view.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.compute.randomness import Draws
from bench.spec import DatasetInfo
from bench.views.ops import Op, ResizedCrop

MEMORY_FORMAT = torch.channels_last
"""How images lie in memory, and so the weights of those networks that see them: what convolutions are fastest on."""

TOGETHER = 2**21
"""Numbers of so many images a CPU's cache holds, about: with fewer at once torch's own time counts, with more the memory's."""


@dataclass(frozen=True)
class View:
    """`count` independent draws of the same ops. `size` is a fraction of the data's image size; other than 1 it takes a
    ResizedCrop to get there."""

    ops: tuple[Op, ...]
    count: int = 1
    size: float = 1.0

    def __post_init__(self):
        if self.size != 1 and not any(isinstance(op, ResizedCrop) for op in self.ops):
            raise ValueError("a view of another size than the image needs a ResizedCrop")

    def pixels(self, data: DatasetInfo) -> int:
        """Height and width of the view."""
        return max(1, round(self.size * data.image_size))

    def render(self, images: Tensor, draws: Draws, data: DatasetInfo) -> Tensor:
        """uint8 [B, C, H, W] -> float32 [B, C, h, w] in [0, 1], one draw of the ops."""
        return self.render_together(images, [draws], data)[0]

    def render_together(self, images: Tensor, draws: list[Draws], data: DatasetInfo) -> tuple[Tensor, ...]:
        """The same for several draws of the ops, as one large batch."""
        images = unit_range(images)
        images = images.repeat(len(draws), 1, 1, 1) if len(draws) > 1 else images
        for op in self.ops:
            images = op.apply(images, joined([op.draw(own, data) for own in draws]), self.pixels(data))
        return images.chunk(len(draws))


def unit_range(raw: Tensor) -> Tensor:
    """uint8 0..255, of any shape -> float32 in [0, 1], a new tensor."""
    return raw.to(torch.float32, copy=True).div_(255)


def joined(parameters: list) -> Any:
    """The parameters of several draws, each a tensor [B, ...] or a tuple of such, as those of one batch."""
    if len(parameters) == 1:
        return parameters[0]
    if isinstance(parameters[0], Tensor):
        return torch.cat(parameters)
    return tuple(torch.cat(same) for same in zip(*parameters, strict=True))


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """[B, 1 or 3, H, W] in [0, 1] -> [B, 3, H, W], in MEMORY_FORMAT: grey repeated, minus mean, over std (each [3])."""
    images = (images.expand(-1, 3, -1, -1) - mean[:, None, None]).div_(std[:, None, None])
    return images.contiguous(memory_format=MEMORY_FORMAT)


def prepare(raw: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Stored images as a network sees them where no view changes them: uint8 [B, 1 or 3, H, W] -> float32 [B, 3, H, W], as `normalise`."""
    return normalise(unit_range(raw), mean, std)


def render_views(views: tuple[View, ...], images: Tensor, data: DatasetInfo, mean: Tensor, std: Tensor, draws_for) -> tuple[Tensor, ...]:
    """Every view of a batch, in the declared order, `count` tensors each: float32 [B, 3, h, w], normalised.

    images: uint8 [B, C, H, W]. draws_for(number): a Draws for the number-th tensor. Several tensors of a view are computed together: on a
    GPU, whose time goes with the number of operations, all of them; on a CPU as many as its cache holds (`TOGETHER`)."""
    rendered = []
    for view in views:
        draws = [draws_for(len(rendered) + own) for own in range(view.count)]
        together = view.count if images.is_cuda else max(1, TOGETHER // images.numel())
        for first in range(0, view.count, together):
            rendered += view.render_together(images, draws[first : first + together], data)
    return tuple(normalise(images, mean, std) for images in rendered)
