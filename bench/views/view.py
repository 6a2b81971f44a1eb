"""A view: which operations, how often, how large; and a batch of images as the views that a method declares.

B images, C channels, H height, W width; h, w of a view.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from bench.compute.randomness import Draws
from bench.data.levels import normalise, unit_range
from bench.spec import DatasetInfo
from bench.views.ops import Op, ResizedCrop

TOGETHER = 2**21
"""Numbers of so many images a CPU's cache holds, about: with fewer at once torch's own time counts, with more the memory's."""


@runtime_checkable
class AnyView(Protocol):
    """What the harness asks of a view, whatever it is of: a frozen value, as what the class below makes of images is."""

    @property
    def count(self) -> int:
        """Independent draws of it, each a tensor of the batch."""
        ...

    def shape(self, data: DatasetInfo) -> tuple[int, ...]:
        """Of one item as a method sees it in this view: tensors are [B, *shape], of `data.kinds`."""
        ...

    def ready(self, items: Tensor, draws: list[Draws], data: DatasetInfo, mean: Tensor, std: Tensor) -> tuple[Tensor, ...]:
        """Stored items [B, ...] -> what a method sees of them, one tensor for each of the draws. mean, std: the modality's."""
        ...


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

    def shape(self, data: DatasetInfo) -> tuple[int, ...]:
        """Of one image as a method sees it in this view; of several in a row, as a clip's frames are, of as many."""
        return *data.shape[:-3], 3, self.pixels(data), self.pixels(data)

    def ready(self, images: Tensor, draws: list[Draws], data: DatasetInfo, mean: Tensor, std: Tensor) -> tuple[Tensor, ...]:
        """`render_together`, normalised: float32 [B, 3, h, w] for each of several draws of the ops."""
        several = self.render_together(images, draws, data)
        return tuple(normalise(rendered.flatten(0, -4), mean, std).unflatten(0, rendered.shape[:-3]) for rendered in several)

    def render(self, images: Tensor, draws: Draws, data: DatasetInfo) -> Tensor:
        """uint8 [B, C, H, W] -> float32 [B, C, h, w] in [0, 1], one draw of the ops."""
        return self.render_together(images, [draws], data)[0]

    def render_together(self, images: Tensor, draws: list[Draws], data: DatasetInfo) -> tuple[Tensor, ...]:
        """The same for several draws of the ops, as one large batch. Images of one item, [B, T, C, H, W], are changed alike."""
        images, each = unit_range(images), images.shape[1:-3]
        images = images.repeat(len(draws), *[1] * (images.ndim - 1)) if len(draws) > 1 else images
        images = images.flatten(0, -4)
        for op in self.ops:
            parameters = joined([op.draw(own, data) for own in draws])
            images = op.apply(images, for_each(parameters, each.numel()), self.pixels(data))
        return images.unflatten(0, (-1, *each)).chunk(len(draws))


def joined(parameters: list) -> Any:
    """The parameters of several draws, each a tensor [B, ...] or a tuple of such, as those of one batch."""
    if len(parameters) == 1:
        return parameters[0]
    if isinstance(parameters[0], Tensor):
        return torch.cat(parameters)
    return tuple(torch.cat(same) for same in zip(*parameters, strict=True))


def for_each(parameters: Any, count: int) -> Any:
    """The parameters of one draw an item, as those of its `count` images."""
    if count == 1:
        return parameters
    if isinstance(parameters, Tensor):
        return parameters.repeat_interleave(count, 0)
    return tuple(own.repeat_interleave(count, 0) for own in parameters)


def render_views(
    views: Sequence[AnyView], items: Tensor, data: DatasetInfo, mean: Tensor, std: Tensor, draws_for: Callable[[int], Draws]
) -> tuple[Tensor, ...]:
    """Every view of a batch, in the declared order, `count` tensors each: of images float32 [B, 3, h, w], normalised.

    items: stored ones, of images uint8 [B, C, H, W]. draws_for(number): a Draws for the number-th tensor. Several tensors of a view are
    computed together: on a GPU, whose time goes with the number of operations, all of them; on a CPU as many as its cache holds
    (`TOGETHER`)."""
    rendered = []
    for view in views:
        draws = [draws_for(len(rendered) + own) for own in range(view.count)]
        together = view.count if items.is_cuda else max(1, TOGETHER // items.numel())
        for first in range(0, view.count, together):
            rendered += view.ready(items, draws[first : first + together], data, mean, std)
    return tuple(rendered)
