"""Flowers102, whole, in copies of 64 px, 102 kinds, colour."""

from pathlib import Path

from bench.data.readers.known import COPY_BY_HAND, EVERY_BYTE, KnownSet, read_files
from bench.data.readers.torchvision_loaders import paths

CONTENT = {"train": "618e77da329750ae", "val": "8bceda2f05ee0e74", "test": "4b7d03cae6dd8dda"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from torchvision.datasets import Flowers102

    data = Flowers102(str(root), part)
    return read_files("flowers102_64", CONTENT[part], part, root / "flowers-102", *paths(data), [str(label) for label in range(102)])


SET = KnownSet(
    channels=3,
    image_size=64,
    mirror_safe=True,
    counts=(1_020, 1_020, 6_149),
    content=CONTENT,
    read=read,
    source="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/, reduced copies",
    papers=("doi:10.1109/ICVGIP.2008.47",),
    classes=102,
    files=("flowers-102/imagelabels.mat", "flowers-102/setid.mat", "flowers-102/jpg"),
    own_val=True,
    metric="mean_per_class",
    compared=EVERY_BYTE,
    by_hand=COPY_BY_HAND,
)
