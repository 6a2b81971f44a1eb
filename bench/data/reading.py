"""What a data set's own reader gives for a split: arrays or paths, labels, class names. No image is decoded.

N images.
"""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.data.decoding import readable, size_of
from bench.data.entry import Entry
from bench.data.splits import VAL_FRACTION, held_out
from bench.errors import UserError

DAMAGE = (OSError, RuntimeError, AssertionError, ValueError, LookupError, TypeError, EOFError)
"""What torchvision and its libraries raise for files that are missing, damaged or cannot be downloaded."""


def _pick(labels: np.ndarray, split: str) -> np.ndarray:
    """Indices of 'train' or 'val' in an original train part that still holds val, in its order."""
    val = held_out(labels, VAL_FRACTION)
    return {"train": np.setdiff1d(np.arange(len(labels)), val), "val": val}[split]


def read_items(entry: Entry, split: str, reader: Callable):
    """Images or paths, or what else `reader(part)` gives for each image, of the part or parts that hold a split; the rows among them that
    are the split, in its order (None: all as they are); its labels and class names. Nothing is decoded."""
    if split in entry.parts and (split != "train" or entry.own_val):
        items, labels, classes = reader(split)
        return items, None, labels, classes
    if entry.own_val:  # train+val
        (items, labels, classes), (more_items, more_labels, _) = (reader(part) for part in ("train", "val"))
        return np.concatenate([items, more_items]), None, np.concatenate([labels, more_labels]), classes
    items, labels, classes = reader("train")
    picked = None if split == "train+val" else _pick(labels, split)
    return items, picked, labels if picked is None else labels[picked], classes


@lru_cache(maxsize=2)
def read_part(entry: Entry, part: str, root: Path):
    """Kept, so that train, val and train+val read the same files once, and hold stored arrays once."""
    try:
        return entry.read(root, part)
    except DAMAGE as error:
        raise UserError(f"{entry.name} under '{root}' is damaged ({error}): remove it and get it again") from error


def listing(entry: Entry, root: Path) -> str:
    """Hash of part, class, path and size of every image file, and of every file of targets."""
    lines = []
    for part in entry.parts:
        files, labels, classes = read_part(entry, part, root)
        for file, label in zip(files, labels, strict=True):
            shown = classes[label] if label >= 0 else ""
            lines.append(f"{part} {shown} {Path(file).relative_to(root).as_posix()} {readable(size_of, file)}")
        for kind, annotation in entry.annotations.items():
            sources = annotation.items(root, part)[1]
            lines += [f"{part} {kind} {Path(file).relative_to(root).as_posix()} {readable(size_of, file)}" for file in sources]
    return hashlib.sha256(os.fsencode("\n".join(sorted(lines)))).hexdigest()[:12]
