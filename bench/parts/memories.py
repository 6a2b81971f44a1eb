"""What remembers: a queue of the last rows, and a memory of one row for each image.

B images of the global batch, P projection, Q queue length, N images of the pretraining split.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.parts.budgets import Needed, images_seen, queue_full


class Queue(nn.Module):
    """The last Q rows that were enqueued, oldest overwritten first. It starts empty: a place that no row was put in yet is no negative and
    no neighbour, where MoCo's code has random unit vectors, which are easy to tell from any image."""

    rows: Tensor
    """[Q, P]; a row of zeros is an empty place."""
    position: Tensor
    """int64 []: the row that the next one overwrites."""

    def __init__(self, length: int, dim: int):
        super().__init__()
        self.register_buffer("rows", torch.zeros(length, dim))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    def full(self, batch_size: int, by: float = 1.0) -> Needed:
        """When every place holds a row, of batches of so many. by: in this part of the budget, after which it is used."""
        return queue_full(len(self.rows), batch_size, by)

    @property
    def empty(self) -> Tensor:
        """Which places are empty: bool [Q]."""
        return ~self.rows.any(1)

    @torch.no_grad()
    def enqueue(self, rows: Tensor) -> None:
        """rows: [B, P], any B up to Q; a ValueError for more."""
        if len(rows) > len(self.rows):
            raise ValueError(f"a queue of {len(self.rows)} rows cannot take {len(rows)} at once; make it longer, or the batch smaller")
        where = (self.position + torch.arange(len(rows), device=rows.device)) % len(self.rows)
        self.rows[where] = rows.to(self.rows.dtype)
        self.position.copy_((self.position + len(rows)) % len(self.rows))


class Memory(nn.Module):
    """One row per training image, of unit length once it was first moved towards an embedding of the image."""

    rows: Tensor
    """[N, P]"""

    def __init__(self, num_images: int, dim: int):
        super().__init__()
        # Uniform in +-1/sqrt(dim / 3), so of unit length on average, as in the authors' code of instance discrimination
        # (zhirongw/lemniscate.pytorch@06c2d49, lib/LinearAverage.py).
        bound = (dim / 3) ** -0.5
        self.register_buffer("rows", (2 * torch.rand(num_images, dim) - 1) * bound)

    def filled(self, batch_size: int) -> Needed:
        """When every image's row was moved once, by batches of so many."""
        return images_seen(len(self.rows), batch_size, "the memory holds every image")

    @torch.no_grad()
    def move(self, index: Tensor, rows: Tensor, momentum: float) -> None:
        """row = normalised(momentum * row + (1 - momentum) * new). index: int64 [B], rows: [B, P]."""
        mixed = momentum * self.rows[index] + (1 - momentum) * rows.to(self.rows.dtype)
        self.rows[index] = F.normalize(mixed, dim=1)
