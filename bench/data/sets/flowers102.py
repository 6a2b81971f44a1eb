"""Flowers, 102 kinds, colour."""

from bench.data.readers.torchvision import WITH_VAL, TorchvisionSet

SET = TorchvisionSet(
    "Flowers102",
    WITH_VAL,
    {"train": 1_020, "val": 1_020, "test": 6_149},
    classes=102,
    files=("flowers-102/imagelabels.mat", "flowers-102/setid.mat", "flowers-102/jpg"),
    image_size=96,
    least_side=100,  # 500 px in the original
    source="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    papers=("doi:10.1109/ICVGIP.2008.47",),
    metric="mean_per_class",
    md5={
        "flowers-102/imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
        "flowers-102/setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
    },
)
