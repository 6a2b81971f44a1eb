"""Clips of German traffic signs that a car drives up to, 8 frames each, 43 kinds, colour."""

from pathlib import Path

import numpy as np

from bench.data.clips import Clips
from bench.data.readers.known import EVERY_BYTE, PART_BY_HAND, KnownSet, read_files
from bench.data.sets.gtsrb import track
from bench.data.splits import TEST_FRACTION, held_out

CONTENT = {"train": "a6b0a1c041236d0d"}
"""The files of gtsrb_part's train and val, all of which are frames of tracks."""
FRAMES = 8


def read(root: Path, part: str):
    """`Entry.read`: paths [N, 8], each row one track in the order of time; one track of 1,307 has 7 frames and is left out. The official
    test has single frames, so test is a fifth of every kind's tracks by the protocol, and val a tenth of what is left: whole tracks, of
    which no frame is elsewhere."""
    from torchvision.datasets import ImageFolder

    data = ImageFolder(str(root / "gtsrb" / "train"))
    files, labels, classes = read_files(
        "gtsrb_tracks", CONTENT["train"], "train", root / "gtsrb", [file for file, _ in data.samples], data.targets, data.classes
    )
    # Names end in _FFFFF, so that a folder's files are sorted by track and then by time.
    _, first, count = np.unique([track(file) for file in files], return_index=True, return_counts=True)
    first = first[count == FRAMES]
    clips, labels = files[first[:, None] + np.arange(FRAMES)], labels[first]
    test = held_out(labels, TEST_FRACTION)
    picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return clips[picked], labels[picked], classes


SET = KnownSet(
    channels=3,
    image_size=32,
    mirror_safe=False,  # a sign to the left is another one than a sign to the right
    counts=(937, 109, 260),
    content=CONTENT,
    read=read,
    source="https://benchmark.ini.rub.de/, a part",
    papers=("doi:10.1016/j.neunet.2012.02.016",),
    classes=43,
    files=("gtsrb/train",),
    licence="CC0",
    compared=EVERY_BYTE,
    by_hand=PART_BY_HAND,
    encoder="frames_resnet8",
    modality=Clips(FRAMES),
)
