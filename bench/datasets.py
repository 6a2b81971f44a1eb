"""Real data sets as uint8 tensors and their splits: `load("cifar10", "train")` gives images, labels and class names.

Known sets are read by their libraries' own loaders and compared with the original as far as that is known, so two people who
name the same set have the same images. `folder:PATH` is a folder of the user's own. A set without val gets one from train,
decided by the protocol version alone. Nothing is downloaded unless `get` is called; nothing heavy is imported to check a name.
The readers are in known_datasets.py, torchvision_sets.py and folders.py, what they share in splits.py. Where a set of image files
was packed (packed.py), its images stay on disk.

N images, C channels (1 grey, 3 RGB), H height, W width, K classes.
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import UserError, unknown
from bench.folders import IMAGE_ENDINGS, decode, folder_entry, folder_path, readable
from bench.known_datasets import CONTENT
from bench.known_datasets import ENTRIES as SEEN
from bench.spec import DatasetInfo
from bench.splits import TEST_FRACTION, VAL_FRACTION, Entry, held_out
from bench.torchvision_sets import ENTRIES as BY_NAME

if TYPE_CHECKING:
    from torch import Tensor

    from bench.packed import PackedImages

    Root = str | os.PathLike | None

__all__ = [
    "CONTENT",
    "ENTRIES",
    "IMAGE_ENDINGS",
    "TEST_FRACTION",
    "VAL_FRACTION",
    "Entry",
    "Split",
    "channel_stats",
    "data_root",
    "get",
    "held_out",
    "info",
    "load",
    "metric",
    "names",
    "require",
    "revision",
]

ENTRIES = SEEN | BY_NAME
"""The known sets by name, whether their files are there or not."""

DAMAGE = (OSError, RuntimeError, AssertionError, ValueError, LookupError, TypeError, EOFError)
"""What torchvision and its libraries raise for files that are missing, damaged or cannot be downloaded."""


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
        from bench.packed import PackedImages

        images = self.images.reordered(order) if isinstance(self.images, PackedImages) else self.images[order]
        return replace(self, images=images, labels=self.labels[order])


def names() -> list[str]:
    """The known data sets; 'folder:PATH' is accepted wherever one of them is."""
    return sorted(ENTRIES)


def data_root(option: "Root" = None) -> Path:
    """Where data sets lie: the option, else $SSLBENCH_DATA, else ./data."""
    return Path(option or os.environ.get("SSLBENCH_DATA") or "data").expanduser()


def require(name: str, root: "Root" = None, needs_test: bool = False) -> Entry:
    """The entry of a data set whose files are there; else a UserError that says how to get them.

    needs_test: also refuse a folder without a test split, before anything is trained for it.
    """
    if name.startswith("folder:"):
        entry = folder_entry(name)
        if needs_test:
            _check(entry, "test", entry.sizes)
        return entry
    if name not in ENTRIES:
        raise unknown("data set", name, names(), "All data sets: run_bench.py list datasets")
    root = data_root(root)
    for file in ENTRIES[name]._files:
        if not (root / file).exists():
            how = ENTRIES[name].by_hand or f"run `run_bench.py data get {name}` or put {os.path.dirname(file) or file} there"
            raise UserError(f"{name} is not under '{root}' (no {file}): {how} (--data-root, or $SSLBENCH_DATA)")
    return ENTRIES[name]


def metric(name: str) -> str:
    """What is reported of a data set: top1 | mean_per_class. The files need not be there."""
    return ENTRIES[name].metric if name in ENTRIES else "top1"


def revision(name: str, root: "Root" = None) -> str:
    """The content's identity, 12 hexadecimal digits: `Entry.revision`, or else a hash of the listing of the image files.

    For a listing the files' number is compared with the original's, and no image is decoded.
    """
    entry = require(name, root)
    return entry.revision or _listing(entry, data_root(root).resolve())


def info(name: str, pretrain_split: str, image_size: int | None = None, root: "Root" = None) -> DatasetInfo:
    """What a method may know of the images it is pretrained on; no image is decoded for it."""
    entry = require(name, root)
    size = _check(entry, pretrain_split, entry.pretrain_splits, image_size)
    count = entry.sizes[pretrain_split] or len(_items(entry, pretrain_split, data_root(root).resolve())[1])
    return DatasetInfo(count, size, entry.channels, entry.mirror_safe)


def get(name: str, root: "Root" = None) -> str:
    """Download a data set through torchvision unless it is there and whole; returns a sentence that says what is now so."""
    root = data_root(root)
    if name not in ENTRIES or not ENTRIES[name]._files:
        return f"{require(name, root).name} needs no download"
    if ENTRIES[name].by_hand:
        return f"{require(name, root).name} is under '{root}'"
    try:
        for part in ("train", "test"):
            ENTRIES[name]._read(root, part, download=True)
    except DAMAGE as error:
        raise UserError(f"{name} could not be downloaded to '{root}': {' '.join(str(error).split())}") from error
    return f"{name} is under '{root}'"


def load(name: str, split: str, image_size: int | None = None, root: "Root" = None) -> Split:
    """One split: 'train' (without val), 'val', 'train+val' (all that is not test), 'test', and 'unlabelled' where there is one.

    image_size: height and width in pixels. Images of another size are resized so that their short side fits (bilinear,
    antialiased, the same for all methods) and cut from the centre. Default: the stored size; for a folder its entry's.
    Raises UserError for a split that does not exist and for files that are missing, damaged or not the original's.
    """
    entry = require(name, root)
    size = _check(entry, split, entry.sizes, image_size)
    if entry.sizes[split] == 0:
        raise UserError(f"{name} has no {split} images: a class needs two images in train before one can be held out for val")
    return _load(entry, split, size, data_root(root).resolve())


def channel_stats(images: "Tensor | PackedImages") -> "tuple[Tensor, Tensor]":
    """Mean and population standard deviation of each channel: two float32 [3] in 0..1, grey repeated to three.

    images: uint8 [N, C, H, W]. From the counts of the 256 levels, so exact, small, and the same for any number of threads.
    """
    import torch

    def of_each_level(piece):
        return torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in piece.unbind(1)])

    counts = sum(of_each_level(piece) for piece in images.split(1024)).double()
    shares = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64, device=images.device) / 255
    mean = (shares * levels).sum(1)
    deviation = (shares * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    return mean.float().expand(3).clone(), deviation.float().expand(3).clone()


def _check(entry: Entry, split: str, there, image_size: int | None = None) -> int:
    """The image size to use, after a look at what was asked for."""
    if split not in there:
        expected = f"; expected '{folder_path(entry.name) / split}/CLASS/IMAGE'"
        hint = expected if split == "test" and entry.name.startswith("folder:") else ""
        raise UserError(f"{entry.name} has no split '{split}', only {', '.join(there)}{hint}")
    if image_size is not None and image_size < 1:
        raise UserError(f"an image size is a number of pixels from 1 up, not {image_size}")
    return image_size or entry.image_size


def _pick(labels: np.ndarray, split: str) -> np.ndarray:
    """Indices of 'train', 'val' or 'train+val' in an original train part that still holds val, in its order."""
    everything, val = np.arange(len(labels)), held_out(labels, VAL_FRACTION)
    return {"train": np.setdiff1d(everything, val), "val": val, "train+val": everything}[split]


@lru_cache(maxsize=16)  # train, val and test of the pretraining set and of four targets: less, and each run decodes all of them again
def _load(entry: Entry, split: str, size: int, root: Path) -> Split:
    import torch

    from bench import packed

    pack = packed.find(entry, size, root, lambda: entry.revision or _listing(entry, root))
    if pack:

        def rows_of_part(entry, part, root):
            return pack.rows(part), *_read_part(entry, part, root)[1:]

        rows, labels, classes = _items(entry, split, root, rows_of_part)
        return Split(pack.images(rows), torch.from_numpy(labels), classes)
    items, labels, classes = _items(entry, split, root)
    images = _resize(torch.from_numpy(items), size) if items.dtype == np.uint8 else _decode(items, size, entry.name)
    return Split(images, torch.from_numpy(labels), classes)


def _items(entry: Entry, split: str, root: Path, read_part: Callable | None = None):
    """Images or paths, or what else `read_part` gives for each image, labels and class names of one split; nothing is decoded."""
    read_part = read_part or _read_part
    if split in entry.parts and (split != "train" or entry._own_val):
        return read_part(entry, split, root)
    if entry._own_val:  # train+val
        (items, labels, classes), (more_items, more_labels, _) = (read_part(entry, part, root) for part in ("train", "val"))
        return np.concatenate([items, more_items]), np.concatenate([labels, more_labels]), classes
    items, labels, classes = read_part(entry, "train", root)
    picked = _pick(labels, split)
    return items[picked], labels[picked], classes


@lru_cache(maxsize=2)
def _read_part(entry: Entry, part: str, root: Path):
    """Kept, so that train, val and train+val read the same files once."""
    try:
        return entry._read(root, part)
    except DAMAGE as error:
        raise UserError(f"{entry.name} under '{root}' is damaged ({error}): remove it and get it again") from error


@lru_cache(maxsize=32)
def _listing(entry: Entry, root: Path) -> str:
    """Hash of part, class, path and size of every image file."""
    lines = []
    for part in entry.parts:
        files, labels, classes = _read_part(entry, part, root)
        for file, label in zip(files, labels, strict=True):
            lines.append(f"{part} {classes[label]} {Path(file).relative_to(root).as_posix()} {readable(os.path.getsize, file)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def _resize(images: "Tensor", size: int) -> "Tensor":
    """uint8 [N, C, H, W] -> uint8 [N, C, size, size]; the tensor itself where it has that size."""
    import torch
    from torchvision.transforms.v2 import functional

    if images.shape[-2:] == (size, size):
        return images
    # In pieces: where the processor has no uint8 path torchvision resizes in float32, with four times the memory.
    pieces = [functional.resize(piece, [size], functional.InterpolationMode.BILINEAR, antialias=True) for piece in images.split(1024)]
    return functional.center_crop(torch.cat(pieces), [size, size]).contiguous()


def _decode(files: np.ndarray, size: int, name: str, threads: int = 0, decoded: Callable = lambda: None) -> "Tensor":
    """Image files -> uint8 [N, 3, size, size], in their order. decoded() is called after each; threads: 0 for as many as torch has."""
    import torch
    from torchvision.transforms.v2.functional import pil_to_tensor

    def image(file):
        try:
            return readable(lambda file: _resize(pil_to_tensor(decode(file))[None], size)[0], file)
        except UserError as error:
            return error

    images, unreadable = torch.empty(len(files), 3, size, size, dtype=torch.uint8), []
    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        for index, found in enumerate(pool.map(image, files)):
            if isinstance(found, UserError):
                unreadable.append(found)
            else:
                images[index] = found
            decoded()
    if unreadable:
        count = f"{len(unreadable):,} of {len(files):,} images cannot"
        raise UserError(f"{unreadable[0]} ({count}; `run_bench.py data check {name}` names them)")
    return images
