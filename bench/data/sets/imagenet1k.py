"""Things and animals, 1,000 classes, colour."""

from bench.data.readers.torchvision import FOLDERS, IMAGENET_BY_HAND, IMAGENET_TERMS, TorchvisionSet

SET = TorchvisionSet(
    "ImageFolder",
    FOLDERS,
    {"train": 1_281_167, "test": 50_000},
    classes=1_000,
    files=("imagenet1k/train", "imagenet1k/val"),
    image_size=64,
    source="https://image-net.org",
    papers=("doi:10.1007/s11263-015-0816-y",),
    licence=IMAGENET_TERMS,
    by_hand=IMAGENET_BY_HAND.format("imagenet1k"),
)
