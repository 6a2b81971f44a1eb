"""Things and animals, 100 classes of ImageNet, colour."""

from bench.data.readers.torchvision import FOLDERS, IMAGENET_BY_HAND, IMAGENET_TERMS, TorchvisionSet

SET = TorchvisionSet(
    "ImageFolder",
    FOLDERS,
    {"train": 126_689, "test": 5_000},
    classes=100,
    files=("imagenet100/train", "imagenet100/val"),
    image_size=96,
    source="https://github.com/HobbitLong/CMC/blob/master/imagenet100.txt",
    papers=("arXiv:1906.05849", "doi:10.1007/s11263-015-0816-y"),
    licence=IMAGENET_TERMS,
    class_list="469d277522bc36e8",
    by_hand=IMAGENET_BY_HAND.format("imagenet100"),
)
