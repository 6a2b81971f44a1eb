"""Handwritten hiragana, 10 characters, grey."""

from bench.data.readers.torchvision import BY_FLAG, TorchvisionSet, mnist_files

SET = TorchvisionSet(
    "KMNIST",
    BY_FLAG,
    {"train": 60_000, "test": 10_000},
    classes=10,
    image_size=28,
    source="https://github.com/rois-codh/kmnist",
    papers=("arXiv:1812.01718",),
    licence="CC BY-SA 4.0",
    channels=1,
    mirror_safe=False,
    whole_shares=True,
    md5=mnist_files(
        "KMNIST",
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)
