"""Clips: a few frames in the order of time, each an image, and all of one size.

Stored they are uint8 [N, T, C, H, W]; a network sees float32 [B, T, 3, H, W], normalised by what all frames of the pretraining have in
common. An image is a clip of one frame, so that sets of images can be transferred to. N clips, T frames, C channels, H height, W width.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from bench.data.images import IMAGES, decode_files, level_stats, resize
from bench.data.modality import Modality
from bench.data.videos import decode_videos, looked_at
from bench.machine.cores import cores
from bench.spec import STRICT, DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data.entry import Entry
    from bench.data.rows import Rows


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class ClipInfo(DatasetInfo):
    """What a method may know of the clips that it is trained on; `image_size` is that of a frame."""

    frames: int = 1
    """T"""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one clip as a network sees it where no view changes it."""
        return self.frames, *super().shape


@dataclass(frozen=True)
class Clips(Modality):
    """Clips of so many frames."""

    frames: int
    """T"""
    stride: int = 1
    """Of a video: its frames from one that is taken to the next."""

    name, size, unit, short = "clips", "a frame size", IMAGES.unit, IMAGES.short
    sizes, cropped, served = (8, 512), True, ("images",)

    def info(self, count: int, size: int, entry: "Entry") -> ClipInfo:
        return ClipInfo(count, size, entry.channels, entry.mirror_safe, frames=self.frames)

    def bytes(self, size: int, entry: "Entry") -> int:
        return self.frames * entry.channels * size**2

    def stored(self, items: np.ndarray, rows: np.ndarray | None, size: int, entry: "Entry", threads: int) -> "Tensor | Rows":
        """uint8 [N, T, C, H, W], paths of frames [N, T] or of videos [N] -> uint8 [N, T, C, size, size]. Images stay what they are."""
        import torch

        if entry.modality != self:  # images, until `prepare`; and videos with a stride of their own
            return entry.modality.stored(items, rows, size, entry, threads)
        items = items if rows is None else items[rows]
        if items.dtype != np.uint8 and items.ndim == 1:
            return decode_videos(items, size, self.frames, self.stride, threads)
        frames = items.reshape(-1, *items.shape[2:])
        images = resize(torch.from_numpy(frames), size) if items.dtype == np.uint8 else decode_files(frames, size, entry, threads)
        return images.unflatten(0, items.shape[:2])

    def examined(self, items: np.ndarray, entry: "Entry") -> "Iterator[tuple[Any, str, tuple[str, ...]]]":
        """Files of frames as those of images are; of a video that its frames can be had."""
        if items.dtype == np.uint8 or items.ndim > 1:
            yield from IMAGES.examined(items.ravel() if items.dtype != np.uint8 else items, entry)
            return
        with ThreadPoolExecutor(cores()) as pool:
            yield from pool.map(partial(looked_at, frames=self.frames, stride=self.stride), items)

    def statistics(self, items: "Tensor | Rows") -> "tuple[Tensor, Tensor]":
        return level_stats(piece.flatten(0, 1) for piece in items.split(128))

    def prepare(self, items: "Tensor", mean: "Tensor", std: "Tensor") -> "Tensor":
        """uint8 [B, T, C, H, W], or images [B, C, H, W] -> float32 [B, T, 3, H, W], of images [B, 1, 3, H, W]."""
        from bench.data.levels import prepare

        clips = items if items.ndim == 5 else items[:, None]
        return prepare(clips.flatten(0, 1), mean, std).unflatten(0, clips.shape[:2])

    def examples(self, count: int) -> "tuple[Tensor, Tensor, ClipInfo]":
        """Windows that move over photographs, of which class 0 goes to the right and class 1 to the left."""
        import torch

        from bench.data.photographs import SIDE, photographs

        images, labels = photographs(count)
        ways = [torch.stack([images.roll(way * by, -1) for by in range(self.frames)], 1) for way in (1, -1)]
        clips = torch.where((labels == 0)[:, None, None, None, None], *ways)
        return clips, labels, ClipInfo(len(clips), SIDE, frames=self.frames)

    def laid_out(self, method: "nn.Module") -> "nn.Module":
        """Convolutions of frames as those of images are; none of several frames, which have no such layout."""
        from torch import nn

        from bench.data.levels import MEMORY_FORMAT

        for module in method.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=MEMORY_FORMAT)
        return method
