"""Dishes, 101 kinds, colour."""

from bench.data.readers.torchvision import BY_SPLIT, TorchvisionSet

SET = TorchvisionSet(
    "Food101",
    BY_SPLIT,
    {"train": 75_750, "test": 25_250},
    classes=101,
    files=("food-101/meta/train.json", "food-101/images"),
    image_size=96,
    source="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    papers=("doi:10.1007/978-3-319-10599-4_29",),
    licence="none stated; photos of Foodspotting",
    whole_shares=True,
)
