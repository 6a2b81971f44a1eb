"""What an evaluator works on: frozen features as NumPy arrays.

N images, D features.
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from bench.machine.large_arrays import joined

ROWS_AT_ONCE = 2**16
"""Of features that are looked at for NaN: there may be more of them than memory holds."""


@dataclass(frozen=True)
class Arrays:
    """Features and labels of one data set. Raises ValueError where a shape, a dtype or a label is not as documented."""

    train_x: np.ndarray
    """float32 [N, D], in index order."""
    train_y: np.ndarray
    """int64 [N], each in [0, num_classes); of a set whose images have not one class each all are 0, of one."""
    val_x: np.ndarray
    val_y: np.ndarray
    num_classes: int
    dataset: str
    """The data set's name."""
    test_x: np.ndarray | None = None
    """None, as test_y, for an evaluator that does not read test: it is not handed what it could look at."""
    test_y: np.ndarray | None = None
    metric: str = "top1"
    """What is reported, and what hyper-parameters are picked by: top1 | mean_per_class."""

    def __post_init__(self):
        for split in ("train", "val") if self.test_x is None else ("train", "val", "test"):
            x, y = getattr(self, f"{split}_x"), getattr(self, f"{split}_y")
            if x.ndim != 2 or x.dtype != np.float32 or x.shape[1] != self.train_x.shape[1]:
                raise ValueError(f"{self.dataset}: {split}_x must be float32 [N, D] with train's D, not {x.dtype} {list(x.shape)}")
            if y.shape != (len(x),) or y.dtype != np.int64:
                raise ValueError(f"{self.dataset}: {split}_y must be int64 [{len(x)}], not {y.dtype} {list(y.shape)}")
            if len(y) == 0 or y.min() < 0 or y.max() >= self.num_classes:
                raise ValueError(f"{self.dataset}: {split}_y must hold at least one label, all in [0, {self.num_classes})")

    def fitting_split(self) -> tuple[np.ndarray, np.ndarray]:
        """train and val as one: what the final fit sees. float32 [N, D], int64 [N]."""
        return joined(self.train_x, self.val_x), np.concatenate([self.train_y, self.val_y])

    def test_split(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of test: float32 [N, D], int64 [N]. A ValueError for an evaluator that does not read it."""
        if self.test_x is None or self.test_y is None:
            raise ValueError(f"{self.dataset}: test was not handed out; READS_TEST says that it is not read")
        return self.test_x, self.test_y


@dataclass(frozen=True)
class LabelSets:
    """Features of one data set whose images show any number of K classes. Raises ValueError as `Arrays` does."""

    train_x: np.ndarray
    """float32 [N, D], in index order."""
    train_y: np.ndarray
    """bool [N, K]: the classes that an image shows."""
    train_ignored: np.ndarray
    """bool [N, K]: neither to be trained on nor to be counted for that class; never where the class is shown."""
    val_x: np.ndarray
    val_y: np.ndarray
    val_ignored: np.ndarray
    classes: tuple[str, ...]
    """[K] names."""
    dataset: str
    test_x: np.ndarray | None = None
    """None, as test_y and test_ignored, for an evaluator that does not read test."""
    test_y: np.ndarray | None = None
    test_ignored: np.ndarray | None = None

    def __post_init__(self):
        for split in ("train", "val") if self.test_x is None else ("train", "val", "test"):
            x, y, ignored = (getattr(self, f"{split}_{what}") for what in ("x", "y", "ignored"))
            if x.ndim != 2 or x.dtype != np.float32 or x.shape[1] != self.train_x.shape[1]:
                raise ValueError(f"{self.dataset}: {split}_x must be float32 [N, D] with train's D, not {x.dtype} {list(x.shape)}")
            for what, array in (("y", y), ("ignored", ignored)):
                if array.shape != (len(x), len(self.classes)) or array.dtype != np.bool_:
                    shape = f"[{len(x)}, {len(self.classes)}]"
                    raise ValueError(f"{self.dataset}: {split}_{what} must be bool {shape}, not {array.dtype} {list(array.shape)}")
            if (y & ignored).any():
                raise ValueError(f"{self.dataset}: {split}_ignored holds a class that its image shows")

    def fitting_split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """train and val as one: what the final fit sees. float32 [N, D], bool [N, K] shown, bool [N, K] ignored."""
        y, ignored = (np.concatenate([getattr(self, f"{split}_{what}") for split in ("train", "val")]) for what in ("y", "ignored"))
        return joined(self.train_x, self.val_x), y, ignored

    def test_split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of test. A ValueError for an evaluator that does not read it."""
        if self.test_x is None or self.test_y is None or self.test_ignored is None:
            raise ValueError(f"{self.dataset}: test was not handed out; READS_TEST says that it is not read")
        return self.test_x, self.test_y, self.test_ignored


def tally(metric: str, correct: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
    """(right, total), whose quotient is the accuracy: of 'top1' images, of 'mean_per_class' the accuracies of the classes.

    correct: bool [N]; labels: int64 [N]. A class without an image does not count.
    """
    if metric == "top1":
        return int(correct.sum()), len(correct)
    images = np.bincount(labels)
    there = images > 0
    return float((np.bincount(labels, weights=correct)[there] / images[there]).sum()), int(there.sum())


def labels_a_class(percent: int, images: int, classes: int) -> int:
    """How many labels of every class a percentage of all train labels is, spread evenly over the classes; rounded to the nearest."""
    return round(percent * images / (100 * classes))


def evenly(count: int, most: int) -> np.ndarray:
    """Up to `most` positions in range(count), evenly spaced: data sets often lie in order of class. int64."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


Extracted = TypeVar("Extracted", Arrays, LabelSets)


def require_finite(evaluator: str, arrays: Extracted) -> Extracted:
    """`arrays` itself; a NotFinite that names evaluator, data set and array where a feature is NaN or infinite."""
    for field in fields(arrays):
        value = getattr(arrays, field.name)
        if field.name.endswith("_x") and value is not None:
            check_finite(evaluator, arrays.dataset, field.name, value)
    return arrays


class NotFinite(ValueError):
    """A feature is NaN or infinite."""


def check_finite(evaluator: str, dataset: str, what: str, x: np.ndarray) -> None:
    """NotFinite where `x`, features [N, D], holds NaN or infinity."""
    bad = sum(int((~np.isfinite(x[start : start + ROWS_AT_ONCE]).all(axis=1)).sum()) for start in range(0, len(x), ROWS_AT_ONCE))
    if bad:
        raise NotFinite(f"{evaluator} on {dataset}: {bad} of {len(x)} rows of {what} hold NaN or infinite features")


def finite_crops(evaluator: str, dataset: str, crops: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`crops` themselves, features of two crops of the same images [N, D]; a NotFinite where one holds NaN or infinity."""
    for what, x in zip(("the first crop", "the second crop"), crops, strict=True):
        check_finite(evaluator, dataset, what, x)
    return crops


def normalise(x: np.ndarray) -> np.ndarray:
    """[N, D] -> float64 [N, D], every row divided by its L2 norm; a row of zeros stays zero."""
    # float64, and the largest entry divided out first: squares of float32 features can overflow or vanish.
    x = x.astype(np.float64)
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0)
    x /= np.where(largest == 0, 1, largest)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm == 0, 1, norm)
