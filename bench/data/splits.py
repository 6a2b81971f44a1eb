"""Parts of a data set that are held out, or drawn, by the protocol's own rule.

    held_out(labels, 0.1)    indices of a stratified tenth, the same for everybody under one protocol version
    drawn(labels, 20, 1)     of the first of five draws the first 20 images of every class

N images, K classes.
"""

import re
from collections.abc import Callable

import numpy as np

from bench.defaults import PRETRAIN_SPLITS
from bench.errors import UserError, unknown
from bench.spec import PROTOCOL

VAL_FRACTION = 0.1
"""Part of train that becomes val where a data set has none."""
TEST_FRACTION = 0.2
"""Part that becomes test where a known set comes in one piece (digits, mnist5k, eurosat)."""

DRAWS = 5
"""Draws of a few images of every class that there are: a probe on few labels is measured on each, and a run takes its seed's."""


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


def held_out_groups(labels: np.ndarray, groups: np.ndarray, fraction: float) -> np.ndarray:
    """As `held_out`, of whole groups: what shows one thing, as a film's frames do, is held out together or not at all. A group's images
    are of one class, of which groups are drawn as images would be. groups: [N], their names."""
    names, first, of = np.unique(groups, return_index=True, return_inverse=True)
    chosen = held_out(labels[first], fraction)
    assert len(names) == len(np.unique(np.stack([of, labels]), axis=1).T), "a group has images of one class"
    return np.flatnonzero(np.isin(of, chosen))


def drawn(labels: np.ndarray, count: int, draw: int) -> np.ndarray:
    """Positions in int64 [N] labels of the first `count` images of every class in the draw's order: int64 [K, count]. ValueError where a
    class has fewer."""
    # A bit generator's own numbers, which NumPy keeps the same in every version, unlike what a Generator makes of them.
    order = np.argsort(np.random.PCG64(draw).random_raw(len(labels)), kind="stable")
    classes, images = np.unique(labels, return_counts=True)
    if images.min() < count:
        few = classes[images.argmin()]
        raise ValueError(f"{count} images of every class are asked for, and class {few} has {images.min()}")
    return np.stack([order[labels[order] == label][:count] for label in classes])


def draw_of(seed: int) -> int:
    """The draw that a run of this seed takes: 1 to DRAWS, so that five seeds in a row take one each."""
    return 1 + seed % DRAWS


def parse(split: str) -> tuple[str, int]:
    """What a pretraining split is taken from, and how many images of every class: ('train', 20) of 'train/20'; 0 where it is all."""
    whole, _, count = split.partition("/")
    return whole, int(count or 0)


def require(split: str) -> None:
    """A UserError where no data set could have a pretraining split of this name."""
    if split.startswith("train/"):
        if not re.fullmatch("train/[1-9][0-9]*", split):
            raise UserError(f"the pretraining split '{split}': expected train/N for N images of every class, 1 or more, as train/20")
    elif split not in PRETRAIN_SPLITS:
        raise unknown("pretraining split", split, PRETRAIN_SPLITS)
