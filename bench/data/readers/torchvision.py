"""How a data set is read through torchvision's loader without decoding an image, and refused where it is not the original.

    SET = TorchvisionSet("DTD", WITH_VAL, ...)    in bench/data/sets/dtd.py: how the loader spells the parts, and what the original holds

We could not look at these, so none is known by a hash of its pixels: sets of arrays are known by the MD5 that torchvision
publishes for their files, sets of image files by their counts and by a listing (docs/data.md). Nothing heavy is imported before a set
is read. N images, C channels, H height, W width.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from bench.data.decoding import size_in_pixels
from bench.data.entry import Entry
from bench.data.readers.torchvision_loaders import ARRAYS, FOLDER_LOADERS, compressed, paths
from bench.data.splits import TEST_FRACTION, VAL_FRACTION, all_but, held_out, held_out_groups
from bench.errors import UserError

BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
BY_SPLIT = {"train": {"split": "train"}, "test": {"split": "test"}}
WITH_VAL = BY_SPLIT | {"val": {"split": "val"}}
ONE_PIECE = {"all": {}}
# The labels of the official test were never published: the field reports the official val, and so does this.
TEST_IS_VAL = {"train": {"split": "train"}, "test": {"split": "val"}}
FOLDERS = {"train": {"folder": "train"}, "test": {"folder": "val"}}

IMAGENET_TERMS = "ImageNet's: non-commercial research"
IMAGENET_BY_HAND = "image-net.org hands it out to registered researchers; put train/WNID/IMAGE and val/WNID/IMAGE into '{}'"

SHOWN = {"train": "train", "val": "val", "test": "test", "unlabelled": "unlabelled", "all": "the whole"}


def mnist_files(name: str, *md5: str) -> dict[str, str]:
    """The four compressed files of a set of MNIST's format, with their MD5."""
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return {f"{name}/raw/{file}-ubyte.gz": digest for file, digest in zip(files, md5, strict=True)}


@dataclass(frozen=True)
class TorchvisionSet:
    """One data set."""

    loader: str
    """A class of torchvision.datasets, or one of `FOLDER_LOADERS`."""
    spelling: dict[str, dict]
    """Part -> the arguments that the loader takes for it; 'all' where the set comes in one piece."""
    official: dict[str, int]
    """Part -> images of the original."""
    classes: int
    image_size: int
    source: str
    files: tuple[str, ...] = ()
    """What must lie under the data root; where none is named, the files with an MD5."""
    licence: str = "none stated"
    channels: Literal[1, 3] = 3
    mirror_safe: bool = True
    metric: str = "top1"
    whole_shares: bool = False
    """Whether val's share (in one piece: test's, then val's) of every class is a whole number, so that the sizes of the splits
    are known before labels are read."""
    of_each: int = 0
    """In one piece: so many images of each class are not test; 0 for the protocol's `TEST_FRACTION` of test."""
    md5: dict[str, str] = field(default_factory=dict)
    """File -> what torchvision compares whenever it reads; of a set of image files these hold the labels alone."""
    class_list: str = ""
    """16 hexadecimal digits of the SHA-256 of the sorted names of the classes, where others share their number."""
    by_hand: str = ""
    papers: tuple[str, ...] = ()
    group: Callable[[str], str] | None = None
    """What the image of a train file's path shows, where several show the same, as a film's frames do: val is whole groups."""
    least_side: int = 0
    """Pixels of the short side of the original's first image, or fewer: a set of reduced copies has a name of its own."""

    @property
    def arrays(self) -> bool:
        return self.loader in ARRAYS

    def entry(self, name: str, summary: str) -> Entry:
        """What the rest of the harness sees of it."""
        compared = (
            "the number of images and classes" + ", the labels by MD5" * bool(self.md5) + ", the classes' names" * bool(self.class_list)
        )
        return Entry(
            name,
            summary,
            self.channels,
            self.image_size,
            self.mirror_safe,
            _sizes(self),
            hashlib.sha256("".join(self.md5.values()).encode()).hexdigest()[:12] if self.arrays else "",
            partial(read, self, name),
            self.files or tuple(self.md5),
            own_val="val" in self.official or self.group is not None,
            pretrain_splits=("train", "train+val", *(["unlabelled"] if "unlabelled" in self.official else [])),
            metric=self.metric,
            classes=self.classes,
            licence=self.licence,
            source=self.source,
            compared="every file, by MD5" if self.arrays else compared,
            by_hand=self.by_hand,
            papers=self.papers,
        )


def _open(row: TorchvisionSet, name: str, root: Path, part: str, download: bool):
    """The loader's data set. Where a file is not the original a UserError names it."""
    import torchvision

    spelling = row.spelling[part]
    try:
        if row.loader in FOLDER_LOADERS:
            return FOLDER_LOADERS[row.loader](root, spelling["folder"], Path(row.files[0]).parts[0])
        loader = getattr(torchvision.datasets, row.loader)
        return (compressed(loader) if row.loader.endswith("MNIST") else loader)(str(root), download=download, **spelling)
    except Exception:
        for file, expected in row.md5.items():
            if (root / file).is_file() and (found := _md5(root / file)) != expected:
                raise UserError(f"'{root / file}' is refused, not the file of {name}: MD5 {found}, expected {expected}") from None
        raise


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def read(row: TorchvisionSet, name: str, root: Path, part: str, download: bool = False):
    """`Entry.read`: images or paths, labels and class names of a part, refused where their number is not the original's."""
    piece = "all" if "all" in row.spelling else "train" if part == "val" and row.group else part
    data = _open(row, name, root, piece, download)
    items, labels = (ARRAYS[row.loader] if row.arrays else paths)(data)
    labels = np.asarray(labels, dtype=np.int64)
    classes = getattr(data, "classes", None) or getattr(data, "categories", None) or [str(label) for label in range(row.classes)]
    classes = tuple(label if isinstance(label, str) else label[0] for label in classes)
    _compare(row, name, root, piece, len(labels), classes)
    if row.least_side and (side := min(size_in_pixels(str(items[0])))) < row.least_side:
        what = f"'{items[0]}' has {side} pixels on its short side, expected {row.least_side} or more"
        raise UserError(f"{name} under '{root}' is refused, made of reduced copies, which are another set (docs/data.md): {what}")
    items = np.ascontiguousarray(items) if row.arrays else np.array([str(path) for path in items], dtype=object)
    if piece == "all":
        test = all_but(labels, row.of_each) if row.of_each else held_out(labels, TEST_FRACTION)
        picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
        items, labels = items[picked], labels[picked]
    elif piece == "train" and row.group:
        val = held_out_groups(labels, np.array([row.group(path) for path in items]), VAL_FRACTION)
        picked = val if part == "val" else np.setdiff1d(np.arange(len(labels)), val)
        items, labels = items[picked], labels[picked]
    return items, labels, classes


def _compare(row: TorchvisionSet, name: str, root: Path, piece: str, count: int, classes: tuple[str, ...]):
    if (count, len(classes)) != (row.official[piece], row.classes):
        raise UserError(
            f"{name} under '{root}' is refused, a part of it or another set: {SHOWN[piece]} has {count:,} images in "
            f"{len(classes):,} classes, expected {row.official[piece]:,} in {row.classes:,}"
        )
    if row.class_list and hashlib.sha256(" ".join(sorted(classes)).encode()).hexdigest()[:16] != row.class_list:
        raise UserError(f"{name} under '{root}' is refused: its {row.classes} classes are not the ones of {row.source}")


def _sizes(row: TorchvisionSet) -> dict[str, int | None]:
    """`Entry.sizes`, as far as they follow from the original's counts."""
    official = dict(row.official)
    if row.of_each:
        official["train"] = row.of_each * row.classes
        official["test"] = official["all"] - official["train"]
    elif "all" in official and row.whole_shares:
        official["test"] = round(TEST_FRACTION * official["all"])
        official["train"] = official["all"] - official["test"]
    train, val, test = (official.get(part) for part in ("train", "val", "test"))
    both = None if train is None else train + (val or 0)
    if val is None and row.whole_shares:
        assert train is not None, "whole shares are shares of a number that is known"
        val = round(VAL_FRACTION * train)
        train -= val
    elif val is None:
        train = None
    sizes: dict[str, int | None] = {"train": train, "val": val, "train+val": both, "test": test}
    return sizes | ({"unlabelled": official["unlabelled"]} if "unlabelled" in official else {})
