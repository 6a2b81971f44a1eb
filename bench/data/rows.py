"""Some images of a set in an order of their own, used as a tensor is, without a copy of them.

    RowsInMemory(images, torch.tensor([2, 0]))    of images that lie in memory; PackedImages (packed.py) of those on disk

N images, C channels, H height, W width.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from torch import Tensor


class Rows(ABC):
    """uint8 [N, C, H, W], or in memory what a modality stores [N, ...]. What is read is a tensor of its own, on `device`."""

    dtype = torch.uint8

    def __init__(self, rows: Tensor, device: torch.device):
        """rows: int64 [N], which images these are, and in which order."""
        self.rows, self.device = rows, device

    @property
    @abstractmethod
    def shape(self) -> torch.Size: ...

    @abstractmethod
    def read(self, rows: Tensor) -> Tensor:
        """These images, int64 [B] -> uint8 [B, C, H, W]."""

    @abstractmethod
    def reordered(self, order: Tensor | slice) -> "Rows":
        """These images in another order, int64 [M], or some of them; nothing is read."""

    @abstractmethod
    def to(self, device: torch.device | str) -> "Rows | Tensor":
        """The same on a device."""

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    @overload
    def __getitem__(self, index: Tensor | np.ndarray | int) -> Tensor: ...

    def __getitem__(self, index):
        """Of a slice `Rows` again, with nothing read; of int64 [B] a tensor uint8 [B, C, H, W]; of an int [C, H, W]."""
        if isinstance(index, slice):
            return self.reordered(index)
        rows = self.rows[torch.as_tensor(index).cpu()]
        found = self.read(rows.reshape(-1))
        return found.reshape(*rows.shape, *found.shape[1:])

    def split(self, size: int) -> "Pieces":
        """Tensors of `size` images, the last one of what is left."""
        return Pieces(self, range(0, len(self), size), size)


@dataclass(frozen=True)
class Pieces(Sequence[Tensor]):
    """Parts of `Rows`, in order; each is read when it is taken."""

    images: Rows
    starts: range
    size: int

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, which: slice) -> "Pieces": ...
    @overload
    def __getitem__(self, which: int) -> Tensor: ...

    def __getitem__(self, which):
        if isinstance(which, slice):
            return Pieces(self.images, self.starts[which], self.size)
        start = self.starts[which]
        return self.images[torch.arange(start, min(start + self.size, len(self.images)))]


class RowsInMemory(Rows):
    """Rows of a tensor, which others may hold too."""

    def __init__(self, images: Tensor, rows: Tensor):
        """images: uint8 [M, C, H, W] on the CPU; rows: int64 [N] in [0, M)."""
        super().__init__(rows, images.device)
        self.images, self.dtype = images, images.dtype

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.images.shape[1:]))

    def read(self, rows: Tensor) -> Tensor:
        return self.images[rows]

    def whole(self) -> Tensor:
        """A copy of these images alone, in their order: uint8 [N, C, H, W]."""
        return self.read(self.rows)

    def reordered(self, order: Tensor | slice) -> "RowsInMemory":
        return RowsInMemory(self.images, self.rows[order])

    def to(self, device: torch.device | str) -> "RowsInMemory | Tensor":
        """On a GPU a tensor: there they lie once, in this order."""
        return self if torch.device(device).type == "cpu" else self.whole().to(device)


class Changed(Rows):
    """Images that a function changes whenever they are read; on the CPU."""

    def __init__(self, images: Tensor | Rows, change: Callable[[np.ndarray, np.ndarray], np.ndarray], rows: Tensor | None = None):
        """images: uint8 [M, C, H, W]; rows: int64 [N] in [0, M), by default all. change: (uint8 [B, C, H, W], int64 [B]) -> as many of the
        same dtype and shape, but for what an item has along its first dimension, as a clip its frames; the second says which of `images`
        they are."""
        super().__init__(torch.arange(len(images)) if rows is None else rows, torch.device("cpu"))
        self.images, self.change = images, change

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.images.shape[1:]))

    def read(self, rows: Tensor) -> Tensor:
        before = self.images[rows].cpu().numpy()
        after = self.change(before, rows.numpy())
        if len(after) != len(before) or after.shape[2:] != before.shape[2:] or after.dtype != before.dtype:
            raise ValueError(f"images uint8 {list(before.shape)} were changed to {after.dtype} {list(after.shape)}")
        return torch.from_numpy(np.ascontiguousarray(after))

    def reordered(self, order: Tensor | slice) -> "Changed":
        return Changed(self.images, self.change, self.rows[order])

    def to(self, device: torch.device | str) -> "Changed":
        """The same: what is read goes to a device afterwards."""
        return self
