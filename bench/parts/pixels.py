"""Pixels as features, which floors are: an image as a vector, averaged down where a probe would measure the probe.

B images, H and W their height and width.
"""

from torch import Tensor
from torch.nn import functional as F

LARGEST = 64
"""Pixels up to which an image keeps its size."""


def as_vectors(images: Tensor, reduced: int) -> Tensor:
    """Images [B, C, H, W] -> [B, D], those above LARGEST averaged down to `reduced` x `reduced` first."""
    if max(images.shape[2:]) > LARGEST:
        images = F.adaptive_avg_pool2d(images, reduced)
    return images.flatten(1)
