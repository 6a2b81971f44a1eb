"""One split of a data set as a uint8 tensor, labels and class names: `load_split("cifar10", "train")`.

A set without val gets one from train, decided by the protocol version alone. Where a set of image files was packed (packed.py), its
images stay on disk. N images, C channels (1 grey, 3 RGB), H height, W width, K classes.
"""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from bench.data.catalogue import require
from bench.data.dataset import DataSet, no_val
from bench.data.modality import Modality
from bench.data.reading import read_items
from bench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Rows


@dataclass(frozen=True)
class Split:
    """One split of one data set, in the data set's own order. Tensors are shared between callers: do not write into them."""

    images: "Tensor | Rows"
    """uint8 [N, C, H, W], 0..255; rows of images that others hold too, or of a set that is packed at this size on disk: read as they are
    indexed. Of a set of other items what its `modality` stores."""
    labels: "Tensor"
    """int64 [N], 0..K-1; in an unlabelled split -1."""
    classes: tuple[str, ...]
    """[K] names."""

    def reordered(self, order: "Tensor") -> "Split":
        """The same in another order, int64 [N]; no image is read or copied for it."""
        from bench.data.rows import Rows, RowsInMemory

        images = self.images.reordered(order) if isinstance(self.images, Rows) else RowsInMemory(self.images, order)
        return replace(self, images=images, labels=self.labels[order])


def load_split(name: str, split: str, image_size: int | None = None, root: str | os.PathLike | None = None, threads: int = 1) -> Split:
    """`load` of a data set by its name, with images that lie in memory as one tensor."""
    from bench.data.rows import RowsInMemory

    found = load(require(name, root), split, image_size, threads)
    return replace(found, images=found.images.whole()) if isinstance(found.images, RowsInMemory) else found


def load(data: DataSet, split: str, image_size: int | None = None, threads: int = 1, modality: Modality | None = None) -> Split:
    """One split: 'train' (without val), 'val', 'train+val' (all that is not test), 'test', and 'unlabelled' where there is one.

    image_size: height and width in pixels. Images of another size are resized so that their short side fits (bilinear,
    antialiased, the same for all methods) and cut from the centre. Default: the stored size; for a folder its entry's.
    threads: that decode image files. modality: that of the set which an encoder was trained on, where it is to take these items; by default
    the set's own. Raises UserError for a split that does not exist and for files that are missing, damaged or not
    the original's.
    """
    size = data.check_split(split, data.entry.sizes, image_size)
    if data.entry.sizes[split] == 0:
        raise UserError(no_val(data.name))
    return read_split(data, split, size, threads, modality or data.modality)


@lru_cache(maxsize=16)  # train, val and test of the pretraining set and of four targets: less, and each run decodes all of them again
def read_split(data: DataSet, split: str, size: int, threads: int, modality: Modality) -> Split:
    import torch

    from bench.data import packed

    pack = packed.find(data, size)
    if pack:
        items, rows, labels, classes = read_items(data.entry, split, lambda part: (pack.rows(part), *data.part(part)[1:]))
        return Split(pack.images(items if rows is None else items[rows]), torch.from_numpy(labels), classes)
    items, rows, labels, classes = read_items(data.entry, split, data.part)
    stored = modality.stored(items, rows, size, data.entry, threads)
    return Split(stored, torch.from_numpy(labels), classes)
