"""Things and animals, one class in four of tiny_imagenet, colour."""

from pathlib import Path

from bench.data.readers.known import EVERY_BYTE, PART_BY_HAND, KnownSet, read_files
from bench.data.readers.torchvision import IMAGENET_TERMS

CONTENT = {"train": "9823f5f5b9ddb5f1", "test": "cbd363dc7b80a2f9"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from torchvision.datasets import ImageFolder

    folder = root / "tiny-imagenet-64"
    data = ImageFolder(str(folder / {"train": "train", "test": "val"}[part]))
    files = [file for file, _ in data.samples]
    return read_files("tiny_imagenet50", CONTENT[part], part, folder, files, data.targets, data.classes)


SET = KnownSet(
    channels=3,
    image_size=64,
    mirror_safe=True,
    counts=(22_500, 2_500, 2_500),
    content=CONTENT,
    read=read,
    source="http://cs231n.stanford.edu/tiny-imagenet-200.zip, a part",
    papers=("http://vision.stanford.edu/teaching/cs231n/reports/2015/pdfs/yle_project.pdf",),
    classes=50,
    files=("tiny-imagenet-64/train", "tiny-imagenet-64/val"),
    licence=IMAGENET_TERMS,
    compared=EVERY_BYTE,
    by_hand=PART_BY_HAND,
)
