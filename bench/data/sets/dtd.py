"""Textures, 47 kinds, colour."""

from bench.data.readers.torchvision import WITH_VAL, TorchvisionSet

SET = TorchvisionSet(
    "DTD",
    WITH_VAL,
    {"train": 1_880, "val": 1_880, "test": 1_880},
    classes=47,
    files=("dtd/dtd/labels/train1.txt", "dtd/dtd/images"),
    image_size=96,
    source="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    papers=("arXiv:1311.3618",),
    licence="none stated; for research",
)
