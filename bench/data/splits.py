"""Parts of a data set that are held out by the protocol's own rule.

    held_out(labels, 0.1)    indices of a stratified tenth, the same for everybody under one protocol version

N images.
"""

from collections.abc import Callable

import numpy as np

from bench.spec import PROTOCOL

VAL_FRACTION = 0.1
"""Part of train that becomes val where a data set has none."""
TEST_FRACTION = 0.2
"""Part that becomes test where a known set comes in one piece (digits, mnist5k, eurosat)."""


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
