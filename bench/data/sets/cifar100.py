"""Things and animals, 100 kinds, colour."""

from bench.data.readers.torchvision import BY_FLAG, TorchvisionSet

SET = TorchvisionSet(
    "CIFAR100",
    BY_FLAG,
    {"train": 50_000, "test": 10_000},
    classes=100,
    image_size=32,
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    papers=("https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",),
    whole_shares=True,
    md5={
        "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
        "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
    },
)
