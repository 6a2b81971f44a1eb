"""What every data set has, known or a folder: an entry with the facts, and parts held out by the protocol's own rule.

    held_out(labels, 0.1)    indices of a stratified tenth, the same for everybody under one protocol version

The readers (known_datasets.py, folders.py) make entries; datasets.py serves the images. N images, C channels, H height, W width.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.spec import PROTOCOL

VAL_FRACTION = 0.1
"""Part of train that becomes val where a data set has none."""
TEST_FRACTION = 0.2
"""Part that becomes test where a known set comes in one piece (digits, mnist5k)."""


@dataclass(frozen=True)
class Entry:
    """What is known of a data set before its images are read."""

    name: str
    summary: str
    channels: int
    image_size: int
    """Default height and width, in pixels."""
    mirror_safe: bool
    """Whether a mirror image still shows the same thing."""
    sizes: dict[str, int] = field(compare=False)
    """Images in every split that there is."""
    revision: str
    """12 hexadecimal digits that change with the content: of a known set its decoded arrays (compared whenever they are
    read), of a folder the path and size of every image file."""
    _read: Callable = field(compare=False, repr=False)
    """(root, "train" | "test") -> [N, C, H, W] uint8 or [N] paths, int64 [N] labels, class names; numpy."""
    _files: tuple[str, ...] = field(default=(), repr=False)
    """What must lie under the data root, or the folder itself; empty where the images come inside a library."""
    _own_val: bool = field(default=False, repr=False)
    """Whether val is a part of its own (_read knows "val", "train+val" too) and not to be taken from train."""
    encoder: str = "resnet8"
    pretrain_splits: tuple[str, ...] = ("train", "train+val")


def held_out(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Sorted indices (int64) of a stratified part of int [N] labels, fixed by the protocol version and by nothing else."""
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        # RandomState: numpy has frozen its stream, while a Generator's may change with numpy's version, and the split with it.
        order = np.random.RandomState([PROTOCOL, int(label)]).permutation(len(of_class))
        chosen.append(of_class[order[: held_out_count(len(of_class), fraction)]])
    return np.sort(np.concatenate(chosen))


def held_out_count(count: int, fraction: float) -> int:
    """Of a class's `count` images: its share, at least one, never all."""
    return min(max(round(fraction * count), 1), count - 1)


def split_sizes(train: int, val: int, test: int) -> dict[str, int]:
    """`Entry.sizes` from the counts of images; a data set without test images has no test split."""
    return {"train": train, "val": val, "train+val": train + val} | ({"test": test} if test else {})
