"""Aircraft, 100 variants, colour."""

from bench.data.readers.torchvision import WITH_VAL, TorchvisionSet

SET = TorchvisionSet(
    "FGVCAircraft",
    WITH_VAL,
    {"train": 3_334, "val": 3_333, "test": 3_333},
    classes=100,
    files=("fgvc-aircraft-2013b/data/variants.txt", "fgvc-aircraft-2013b/data/images"),
    image_size=96,
    source="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    papers=("arXiv:1306.5151",),
    licence="non-commercial research",
    metric="mean_per_class",
)
