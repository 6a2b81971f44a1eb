"""Cats and dogs, 37 breeds, colour."""

from bench.data.readers.torchvision import TorchvisionSet

SET = TorchvisionSet(
    "OxfordIIITPet",
    {"train": {"split": "trainval"}, "test": {"split": "test"}},
    {"train": 3_680, "test": 3_669},
    classes=37,
    files=("oxford-iiit-pet/annotations/trainval.txt", "oxford-iiit-pet/images"),
    image_size=96,
    source="https://www.robots.ox.ac.uk/~vgg/data/pets/",
    papers=("doi:10.1109/CVPR.2012.6248092",),
    licence="CC BY-SA 4.0",
    metric="mean_per_class",
)
