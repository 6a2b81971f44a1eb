"""Things and animals, 10 kinds, and 100,000 images without labels, colour."""

from bench.data.readers.torchvision import BY_SPLIT, TorchvisionSet

SET = TorchvisionSet(
    "STL10",
    BY_SPLIT | {"unlabelled": {"split": "unlabeled"}},
    {"train": 5_000, "test": 8_000, "unlabelled": 100_000},
    classes=10,
    image_size=96,
    source="https://cs.stanford.edu/~acoates/stl10/",
    papers=("https://proceedings.mlr.press/v15/coates11a.html",),
    licence="none stated; images from ImageNet",
    whole_shares=True,
    md5={
        "stl10_binary/train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
        "stl10_binary/train_y.bin": "5a34089d4802c674881badbb80307741",
        "stl10_binary/unlabeled_X.bin": "5242ba1fed5e4be9e1e742405eb56ca4",
        "stl10_binary/test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
        "stl10_binary/test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
    },
)
