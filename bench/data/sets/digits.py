"""Handwritten digits of scikit-learn, grey."""

from pathlib import Path

import numpy as np

from bench.data.readers.known import KnownSet, in_one_piece

CONTENT = {"all": "fb9c9edebe98487c"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)  # 0..16
    images = np.rint(np.asarray(pixels).reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return in_one_piece("digits", CONTENT["all"], "scikit-learn", images, np.asarray(labels), part)


SET = KnownSet(
    channels=1,
    image_size=8,
    mirror_safe=False,
    counts=(1_295, 143, 359),
    content=CONTENT,
    read=read,
    source="inside scikit-learn",
)
