"""What an evaluator trains on: a data set's stored images and their labels, split by split.

N images of a split, B of a batch, C channels, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.data.images import IMAGES
from bench.data.modality import Modality
from bench.data.rows import Rows, RowsInMemory
from bench.spec import DatasetInfo


@dataclass(frozen=True)
class Part:
    """One split, or several one after the other."""

    images: tuple[Tensor | Rows, ...]
    """Of each split uint8 [N, C, H, W], or items of another modality as they are stored, read as they are indexed; in index order."""
    labels: np.ndarray
    """int64 [N], of all of them; where an image shows a set of classes int64 [N, K]: 1 of a class that it shows, 0 of one that it does not,
    -1 of one that does not count for it."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Tensor:
        """These images, int64 [B] in [0, N) -> uint8 [B, C, H, W]."""
        if len(self.images) == 1:
            return self.images[0][index]
        found, start = None, 0
        for images in self.images:
            here = torch.nonzero((index >= start) & (index < start + len(images)))[:, 0]
            read = images[index[here] - start]
            found = read.new_empty(len(index), *read.shape[1:]) if found is None else found
            found[here] = read
            start += len(images)
        assert found is not None
        return found

    def some(self, positions: np.ndarray) -> "Part":
        """These images of one split alone, int64 [M] in [0, N), in this order; nothing is read before it is indexed."""
        (images,), rows = self.images, torch.from_numpy(positions)
        chosen = images.reordered(rows) if isinstance(images, Rows) else RowsInMemory(images, rows)
        return Part((chosen,), self.labels[positions])

    def __add__(self, other: "Part") -> "Part":
        """The images of both."""
        return Part((*self.images, *other.images), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True)
class Images:
    """A data set at the size at which the encoder is measured, its grey images not yet repeated to 3 channels."""

    dataset: str
    """Its name."""
    info: DatasetInfo
    """What views must know of it, whether its images may be mirrored among it."""
    num_classes: int
    metric: str
    """What is reported, and what settings are picked by: top1 | mean_per_class, or mAP where an image shows a set of classes."""
    train: Part
    val: Part
    test: Part | None = None
    """None for an evaluator that does not read it: it is not even loaded."""
    modality: Modality = IMAGES
    """What its items are."""

    def fitting_split(self) -> Part:
        """train and val as one: what the final training sees."""
        return self.train + self.val

    def test_split(self) -> Part:
        """A ValueError for an evaluator that does not read test."""
        if self.test is None:
            raise ValueError(f"{self.dataset}: test was not handed out; READS_TEST says that it is not read")
        return self.test


@dataclass(frozen=True)
class AnnotatedSplits:
    """Images with boxes or masks, which need not be those that have a class."""

    dataset: str
    classes: tuple[str, ...]
    """[K] names; of masks the first is the background."""
    mirror: bool
    """Whether a mirror image shows the same."""
    train: Sequence
    """[N] of (image, target): see bench.data.annotated.Annotated. As val and test it is decoded as it is indexed."""
    val: Sequence
    test: Sequence


class Together(Sequence):
    """Several sequences one after the other."""

    def __init__(self, *parts: Sequence):
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, index: int):
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)
