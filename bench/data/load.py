"""One split of a data set as a uint8 tensor, labels and class names: `load_split("cifar10", "train")`.

A set without val gets one from train, decided by the protocol version alone. Where a set of image files was packed (packed.py), its
images stay on disk. N images, C channels (1 grey, 3 RGB), H height, W width, K classes.
"""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.data.catalogue import check_split, require
from bench.data.entry import Entry
from bench.data.images import decode_files, resize
from bench.data.reading import listing, read_items, read_part
from bench.defaults import data_root
from bench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.packed import PackedImages


@dataclass(frozen=True)
class Split:
    """One split of one data set, in the data set's own order. Tensors are shared between callers: do not write into them."""

    images: "Tensor | PackedImages"
    """uint8 [N, C, H, W], 0..255; where the set is packed at this size on disk, and read as it is indexed."""
    labels: "Tensor"
    """int64 [N], 0..K-1; in an unlabelled split -1."""
    classes: tuple[str, ...]
    """[K] names."""

    def reordered(self, order: "Tensor") -> "Split":
        """The same in another order, int64 [N]. Of packed images nothing is read for it."""
        from bench.data.packed import PackedImages

        images = self.images.reordered(order) if isinstance(self.images, PackedImages) else self.images[order]
        return replace(self, images=images, labels=self.labels[order])


def load_split(name: str, split: str, image_size: int | None = None, root: str | os.PathLike | None = None) -> Split:
    """One split: 'train' (without val), 'val', 'train+val' (all that is not test), 'test', and 'unlabelled' where there is one.

    image_size: height and width in pixels. Images of another size are resized so that their short side fits (bilinear,
    antialiased, the same for all methods) and cut from the centre. Default: the stored size; for a folder its entry's.
    Raises UserError for a split that does not exist and for files that are missing, damaged or not the original's.
    """
    entry = require(name, root)
    size = check_split(entry, split, entry.sizes, image_size)
    if entry.sizes[split] == 0:
        raise UserError(f"{name} has no {split} images: a class needs two images in train before one can be held out for val")
    return _load(entry, split, size, data_root(root).resolve())


@lru_cache(maxsize=16)  # train, val and test of the pretraining set and of four targets: less, and each run decodes all of them again
def _load(entry: Entry, split: str, size: int, root: Path) -> Split:
    import torch

    from bench.data import packed

    pack = packed.find(entry, size, root, lambda: entry.revision or listing(entry, root))
    if pack:

        def rows_of_part(entry, part, root):
            return pack.rows(part), *read_part(entry, part, root)[1:]

        rows, labels, classes = read_items(entry, split, root, rows_of_part)
        return Split(pack.images(rows), torch.from_numpy(labels), classes)
    items, labels, classes = read_items(entry, split, root)
    images = resize(torch.from_numpy(items), size) if items.dtype == np.uint8 else decode_files(items, size, entry.name)
    return Split(images, torch.from_numpy(labels), classes)
