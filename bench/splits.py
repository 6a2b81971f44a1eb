"""What every data set has, known or a folder: an entry with the facts, and parts held out by the protocol's own rule.

    held_out(labels, 0.1)    indices of a stratified tenth, the same for everybody under one protocol version

The readers (known_datasets.py, torchvision_sets.py, folders.py) make entries; datasets.py serves the images.
N images, C channels, H height, W width.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.spec import PROTOCOL

VAL_FRACTION = 0.1
"""Part of train that becomes val where a data set has none."""
TEST_FRACTION = 0.2
"""Part that becomes test where a known set comes in one piece (digits, mnist5k, eurosat)."""


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
    sizes: dict[str, int | None] = field(compare=False)
    """Images in every split that there is; None where the count follows from labels that are not read yet."""
    revision: str
    """12 hexadecimal digits that change with the content: of a known set its decoded arrays or its files (compared whenever
    they are read), of a folder the path and size of every image file. Empty where those are listed only when asked for:
    `bench.datasets.revision`."""
    _read: Callable = field(compare=False, repr=False)
    """(root, part) -> [N, C, H, W] uint8 or [N] paths, int64 [N] labels, class names; numpy. A part is one of `parts`."""
    _files: tuple[str, ...] = field(default=(), repr=False)
    """What must lie under the data root, or the folder itself; empty where the images come inside a library."""
    _own_val: bool = field(default=False, repr=False)
    """Whether val is a part of its own and not to be taken from train."""
    encoder: str = "resnet8"
    pretrain_splits: tuple[str, ...] = ("train", "train+val")
    metric: str = "top1"
    """What an evaluator reports, and picks hyper-parameters by: top1 | mean_per_class (what the field uses for the set)."""
    classes: int = 0
    licence: str = "none stated"
    """As its authors state it, as far as we know."""
    source: str = ""
    """Where it comes from."""
    compared: str = "pixels and labels, by a hash"
    """What is compared with the original when it is read."""
    by_hand: str = field(default="", repr=False)
    """What a user has to do where torchvision cannot download it."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What is read: the splits but for a val that is taken from train."""
        every = ("train", "val", "test", "unlabelled")
        return tuple(part for part in every if part in self.sizes and (part != "val" or self._own_val))


def held_out(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Sorted indices (int64) of a stratified part of int [N] labels, fixed by the protocol version and by nothing else."""
    return _drawn(labels, lambda count: held_out_count(count, fraction))


def all_but(labels: np.ndarray, of_each: int) -> np.ndarray:
    """As `held_out`: all but `of_each` images of every class, or the last one where a class has no more than that."""
    return _drawn(labels, lambda count: max(count - of_each, 1))


def _drawn(labels: np.ndarray, how_many: Callable[[int], int]) -> np.ndarray:
    """Sorted indices of `how_many(count)` images of every class."""
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        # RandomState: numpy has frozen its stream, while a Generator's may change with numpy's version, and the split with it.
        order = np.random.RandomState([PROTOCOL, int(label)]).permutation(len(of_class))
        chosen.append(of_class[order[: how_many(len(of_class))]])
    return np.sort(np.concatenate(chosen))


def held_out_count(count: int, fraction: float) -> int:
    """Of a class's `count` images: its share, at least one, never all."""
    return min(max(round(fraction * count), 1), count - 1)


def split_sizes(train: int, val: int, test: int) -> dict[str, int]:
    """`Entry.sizes` from the counts of images; a data set without test images has no test split."""
    return {"train": train, "val": val, "train+val": train + val} | ({"test": test} if test else {})
