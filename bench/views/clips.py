"""A view of a clip: some of its frames, in the order of time, each changed alike by the operations of an image's view.

B clips, T frames of a clip, t of a view, C channels, H height, W width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.compute.randomness import Draws
from bench.spec import DatasetInfo
from bench.views.ops import Op
from bench.views.view import View


def take_frames(clips: Tensor, which: Tensor) -> Tensor:
    """Frames of clips [B, T, ...] by their numbers, int64 [B, t]: [B, t, ...]."""
    return clips[torch.arange(len(clips), device=clips.device)[:, None], which]


@dataclass(frozen=True)
class Frames:
    """`count` independent draws of `frames` frames: from one to the next a stride that is drawn from `strides`, begun wherever they fit.
    Then the ops of a view, each drawn once for all of them, so that nothing moves that did not."""

    ops: tuple[Op, ...] = ()
    count: int = 1
    frames: int = 1
    strides: tuple[int, ...] = (1,)
    size: float = 1.0

    def __post_init__(self):
        if self.frames < 1 or not self.strides or min(self.strides) < 1:
            raise ValueError(f"a view of {self.frames} frames with a stride of {self.strides}: expected 1 or more of each")

    @property
    def view(self) -> View:
        """Of each frame."""
        return View(self.ops, size=self.size)

    def shape(self, data: DatasetInfo) -> tuple[int, ...]:
        """Of one clip as a method sees it in this view. A ValueError where the frames do not fit into a clip of the data."""
        there, span = data.shape[0], (self.frames - 1) * max(self.strides) + 1
        if span > there:
            what = f"a clip of {there} frames is shorter than {self.frames} frames with a stride of {max(self.strides)}, which span {span}"
            raise ValueError(f"{what}; expected fewer frames, or a stride of at most {max(1, (there - 1) // max(1, self.frames - 1))}")
        return self.frames, *self.view.shape(data)[-3:]

    def ready(self, items: Tensor, draws: list[Draws], data: DatasetInfo, mean: Tensor, std: Tensor) -> tuple[Tensor, ...]:
        """uint8 [B, T, C, H, W] -> float32 [B, t, 3, h, w], normalised, for each of the draws."""
        return tuple(self.view.ready(self.taken(items, own), [own], data, mean, std)[0] for own in draws)

    def taken(self, items: Tensor, draws: Draws) -> Tensor:
        """[B, T, ...] -> [B, t, ...], one draw."""
        stride = torch.tensor(self.strides, device=items.device)[draws.randint(len(self.strides))]
        room = items.shape[1] - (self.frames - 1) * stride
        start = (draws.rand() * room).floor().long()
        return take_frames(items, start[:, None] + stride[:, None] * torch.arange(self.frames, device=items.device))
