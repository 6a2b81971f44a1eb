"""Handwritten digits, grey."""

from bench.data.readers.torchvision import BY_FLAG, TorchvisionSet, mnist_files

SET = TorchvisionSet(
    "MNIST",
    BY_FLAG,
    {"train": 60_000, "test": 10_000},
    classes=10,
    image_size=28,
    source="http://yann.lecun.com/exdb/mnist/",
    papers=("doi:10.1109/5.726791",),
    channels=1,
    mirror_safe=False,
    md5=mnist_files(
        "MNIST",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
