"""CIFAR-10.1 v6, a new test of cifar10's classes, a test alone, colour."""

import hashlib
from pathlib import Path

import numpy as np

from bench.data.readers.known import KnownSet, compare

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CONTENT = {
    "cifar10.1_v6_data.npy": "24349cc5f3fb59648d75cd8015b5a184b1f5c250",
    "cifar10.1_v6_labels.npy": "e713b09cecf2ecd933970001909fcdec7c907ab0",
}
"""File -> what git calls it in the authors' repository at commit d9982ab: the SHA-1 of the content behind its length."""


def read(root: Path, part: str):
    """`Entry.read`"""
    for file, expected in CONTENT.items():
        content = (root / "cifar10.1" / file).read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        compare("cifar10_1", expected, f"'{root / 'cifar10.1' / file}' is", found)
    images, labels = (np.load(root / "cifar10.1" / file, allow_pickle=False) for file in CONTENT)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels.astype(np.int64), CLASSES


SET = KnownSet(
    channels=3,
    image_size=32,
    mirror_safe=True,
    counts=(0, 0, 2_000),
    content=CONTENT,
    read=read,
    source="https://github.com/modestyachts/CIFAR-10.1",
    papers=("arXiv:1806.00451",),
    files=tuple(f"cifar10.1/{file}" for file in CONTENT),
    licence="MIT; images from Tiny Images",
    compared="every file, by git's SHA-1",
    by_hand="put cifar10.1_v6_data.npy and cifar10.1_v6_labels.npy of its authors' repository there",
)
