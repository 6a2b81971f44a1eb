"""Caltech101, whole, in copies of 64 px, 101 kinds, colour."""

from pathlib import Path

import numpy as np

from bench.data.readers.known import COPY_BY_HAND, EVERY_BYTE, KnownSet, read_files
from bench.data.readers.torchvision_loaders import paths
from bench.data.splits import all_but

CONTENT = {"all": "1a64b7ec2e847d09"}
OF_EACH = 30
"""Images of every class that are not test, as of the original."""


def read(root: Path, part: str):
    """`Entry.read`"""
    from torchvision.datasets import Caltech101

    data = Caltech101(str(root))
    files, labels, classes = read_files("caltech101_64", CONTENT["all"], "the whole", root / "caltech101", *paths(data), data.categories)
    test = all_but(labels, OF_EACH)
    picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return files[picked], labels[picked], classes


SET = KnownSet(
    channels=3,
    image_size=64,
    mirror_safe=True,
    counts=(2_727, 303, 5_647),
    content=CONTENT,
    read=read,
    source="https://data.caltech.edu/records/mzrjq-6wc02, reduced copies",
    papers=("doi:10.1109/CVPR.2004.383",),
    classes=101,
    files=("caltech101/101_ObjectCategories",),
    licence="CC BY 4.0",
    metric="mean_per_class",
    compared=EVERY_BYTE,
    by_hand=COPY_BY_HAND,
)
