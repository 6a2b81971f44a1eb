"""German traffic signs, a part of GTSRB at 48 px, 43 kinds, colour."""

from pathlib import Path

import numpy as np

from bench.data.readers.known import EVERY_BYTE, PART_BY_HAND, KnownSet, read_files
from bench.data.sets.gtsrb import track
from bench.data.splits import VAL_FRACTION, held_out_groups

CONTENT = {"train": "a6b0a1c041236d0d", "test": "def59878d6559c64"}


def read(root: Path, part: str):
    """`Entry.read`. Val is a tenth of every class's tracks: the frames of a track are one sign in one drive, and all but copies."""
    from torchvision.datasets import ImageFolder

    official = "test" if part == "test" else "train"
    data = ImageFolder(str(root / "gtsrb" / official))
    files, labels, classes = read_files(
        "gtsrb_part", CONTENT[official], official, root / "gtsrb", [file for file, _ in data.samples], data.targets, data.classes
    )
    if part == "test":
        return files, labels, classes
    val = held_out_groups(labels, np.array([track(file) for file in files]), VAL_FRACTION)
    picked = val if part == "val" else np.setdiff1d(np.arange(len(files)), val)
    return files[picked], labels[picked], classes


SET = KnownSet(
    channels=3,
    image_size=48,
    mirror_safe=False,  # a sign to the left is another one than a sign to the right
    counts=(9_391, 1_064, 4_210),
    content=CONTENT,
    read=read,
    source="https://benchmark.ini.rub.de/, a part",
    papers=("doi:10.1016/j.neunet.2012.02.016",),
    classes=43,
    files=("gtsrb/train", "gtsrb/test"),
    own_val=True,
    licence="CC0",
    compared=EVERY_BYTE,
    by_hand=PART_BY_HAND,
)
