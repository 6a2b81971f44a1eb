"""A data set that we have looked at: read by its library's own loader, and refused where its content is not the original's.

    SET = KnownSet(...)    in bench/data/sets/cifar10.py, with the digests of its content and the function that reads it

Nothing heavy is imported before a set is read. N images, H height, W width.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.data.entry import Entry, split_sizes
from bench.data.images import IMAGES
from bench.data.modality import Modality
from bench.data.splits import TEST_FRACTION, held_out
from bench.errors import UserError

PART_BY_HAND = "it is a part of a set that is packed for offline use; unpack it there (docs/data.md)"
COPY_BY_HAND = "it is a set in reduced copies that are packed for offline use; unpack it there (docs/data.md)"
EVERY_BYTE = "every file's bytes and label, by a hash"


@dataclass(frozen=True)
class KnownSet:
    """One data set."""

    channels: Literal[1, 3]
    image_size: int
    mirror_safe: bool
    counts: tuple[int, int, int]
    """Images of train, val and test; 0, 0 of a set that is a test alone."""
    content: dict[str, str]
    """File or part of the original -> `digest` of what it decodes to, or `digest_files`, since JPEG decoders differ."""
    read: Callable
    """`Entry.read`"""
    source: str
    classes: int = 10
    files: tuple[str, ...] = ()
    own_val: bool = False
    metric: str = "top1"
    licence: str = "none stated"
    compared: str = "pixels and labels, by a hash"
    by_hand: str = ""
    papers: tuple[str, ...] = ()
    encoder: str = "resnet8"
    modality: Modality = IMAGES

    def entry(self, name: str, summary: str) -> Entry:
        """What the rest of the harness sees of it."""
        return Entry(
            name,
            summary,
            self.channels,
            self.image_size,
            self.mirror_safe,
            split_sizes(*self.counts),
            hashlib.sha256("".join(self.content.values()).encode()).hexdigest()[:12],
            self.read,
            self.files,
            own_val=self.own_val,
            pretrain_splits=("train", "train+val") if self.counts[0] else (),
            metric=self.metric,
            classes=self.classes,
            licence=self.licence,
            source=self.source,
            compared=self.compared,
            by_hand=self.by_hand,
            papers=self.papers,
            encoder=self.encoder,
            modality=self.modality,
        )


def digest(images: np.ndarray, labels) -> str:
    """16 hexadecimal digits of the SHA-256 of arrays: type and shape, pixels, labels as int64."""
    found = hashlib.sha256(f"{images.dtype}{images.shape}".encode())
    found.update(np.ascontiguousarray(images).data)
    found.update(np.asarray(labels, dtype="<i8").tobytes())
    return found.hexdigest()[:16]


def digest_files(files, labels, root: Path) -> str:
    """16 hexadecimal digits of the SHA-256 of image files: each one's label, path under `root`, and bytes."""
    found = hashlib.sha256()
    for file, label in zip(files, labels, strict=True):
        content = Path(file).read_bytes()
        found.update(f"{label} {Path(file).relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def verify(name: str, expected: str, where: str, images: np.ndarray, labels) -> None:
    """A UserError where the digest of these arrays is another one; it names the set and says where they lie."""
    compare(name, expected, where, digest(images, labels))


def compare(name: str, expected: str, where: str, found: str, what: str = "images and labels") -> None:
    """As `verify`, of a digest. what: it is of."""
    if found != expected:
        raise UserError(f"{where} refused, not the {what} of {name}: content {found}, expected {expected}")


def in_one_piece(name: str, expected: str, library: str, images: np.ndarray, labels: np.ndarray, part: str):
    """[N, H, W] digits that come without a test part: verified, and the protocol's test part taken out."""
    verify(name, expected, f"the installed {library} is", images, labels)
    test = held_out(labels, TEST_FRACTION)
    picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return images[picked, None], labels[picked].astype(np.int64), tuple("0123456789")


def read_files(name: str, expected: str, part: str, where: Path, files: list, labels: list, classes: list[str]):
    """Image files as `Entry.read` gives them, once their bytes are the ones we have."""
    files = [str(file) for file in files]
    compare(name, expected, f"'{where}' ({part}) is", digest_files(files, labels, where))
    return np.array(files, dtype=object), np.array(labels, dtype=np.int64), tuple(classes)
