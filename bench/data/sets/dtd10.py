"""Textures, the first 10 kinds of dtd, colour."""

from pathlib import Path

from bench.data.readers.known import EVERY_BYTE, PART_BY_HAND, KnownSet, read_files
from bench.data.readers.torchvision_loaders import paths

CONTENT = {"train": "4e145103fe89ed9e", "val": "0e269fb5d28d538e", "test": "2e3131b46df64605"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from torchvision.datasets import DTD

    data = DTD(str(root), part)
    return read_files("dtd10", CONTENT[part], part, root / "dtd/dtd", *paths(data), data.classes)


SET = KnownSet(
    channels=3,
    image_size=96,
    mirror_safe=True,
    counts=(400, 400, 400),
    content=CONTENT,
    read=read,
    source="https://www.robots.ox.ac.uk/~vgg/data/dtd/, a part",
    papers=("arXiv:1311.3618",),
    files=("dtd/dtd/labels/train1.txt", "dtd/dtd/images"),
    own_val=True,
    licence="none stated; for research",
    compared=EVERY_BYTE,
    by_hand=PART_BY_HAND,
)
