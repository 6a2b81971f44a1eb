"""One run on several devices: which rows of the global batch are this device's, and how rows and means come together again.

    gather(rows)              this device's rows -> the rows of the global batch, differentiable
    shard(rows)               the rows of the global batch -> this device's
    mean_of_batch(mean, n)    this device's mean over its n rows -> the mean over the global batch, differentiable

Networks are applied to this device's rows; a loss is that of the global batch, the same number on every device. On one device
each of these is the identity, bit for bit.
"""

from torch import Tensor


def gather(rows: Tensor) -> Tensor:
    """[b, ...] of this device -> [B, ...] of the global batch, in its order, differentiable."""
    return rows


def shard(rows: Tensor) -> Tensor:
    """[B, ...] of the global batch -> [b, ...] of this device."""
    return rows


def mean_of_batch(mean: Tensor, rows: int) -> Tensor:
    """This device's mean over its `rows` images -> the mean over the images of the global batch, differentiable."""
    return mean
