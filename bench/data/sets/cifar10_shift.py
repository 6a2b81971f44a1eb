"""Nine of cifar10's classes from other sources, 32 px, a test alone, our composition and not CIFAR-10.1, colour."""

from pathlib import Path

from bench.data.readers.known import EVERY_BYTE, PART_BY_HAND, KnownSet, read_files

CONTENT = {"test": "4d9329daa3d4eff2"}


def read(root: Path, part: str):
    """`Entry.read`: 200 images each of what cifar10 has, but for the deer, from Tiny ImageNet, Caltech-101 and PASCAL VOC."""
    from torchvision.datasets import ImageFolder

    data = ImageFolder(str(root / "cifar10_shift"))
    files = [file for file, _ in data.samples]
    return read_files("cifar10_shift", CONTENT[part], part, root / "cifar10_shift", files, data.targets, data.classes)


SET = KnownSet(
    channels=3,
    image_size=32,
    mirror_safe=True,
    counts=(0, 0, 1_800),
    content=CONTENT,
    read=read,
    source="Tiny ImageNet, Caltech-101 and PASCAL VOC",
    papers=(
        "http://vision.stanford.edu/teaching/cs231n/reports/2015/pdfs/yle_project.pdf",
        "doi:10.1109/CVPR.2004.383",
        "http://www.pascal-network.org/challenges/VOC/voc2012/workshop/index.html",
    ),
    classes=9,
    files=("cifar10_shift",),
    licence="those of its sources, for research",
    compared=EVERY_BYTE,
    by_hand=PART_BY_HAND,
)
