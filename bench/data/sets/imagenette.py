"""10 easy classes of ImageNet, 160 px, colour."""

from bench.data.readers.torchvision import TEST_IS_VAL, TorchvisionSet

SET = TorchvisionSet(
    "Imagenette",
    {part: {**spelling, "size": "160px"} for part, spelling in TEST_IS_VAL.items()},
    {"train": 9_469, "test": 3_925},
    classes=10,
    files=("imagenette2-160/train", "imagenette2-160/val"),
    image_size=128,
    source="https://github.com/fastai/imagenette",
    papers=("https://github.com/fastai/imagenette", "doi:10.1007/s11263-015-0816-y"),
    licence="Apache 2.0; images from ImageNet",
)
