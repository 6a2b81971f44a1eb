"""Handwritten digits of scikit-learn, grey."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.readers.known import KnownSet, in_one_piece

CONTENT = {"all": "fb9c9edebe98487c"}


def read(root: Path, part: str):
    """`Entry.read`"""
    from sklearn.datasets import load_digits

    data: Any = load_digits()  # 0..16; a Bunch, which scikit-learn does not say
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)
    return in_one_piece("digits", CONTENT["all"], "scikit-learn", images, data.target, part)


SET = KnownSet(
    channels=1,
    image_size=8,
    mirror_safe=False,
    counts=(1_295, 143, 359),
    content=CONTENT,
    read=read,
    source="inside scikit-learn",
    papers=("doi:10.24432/C50P49",),
)
