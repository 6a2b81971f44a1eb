"""Where extracted features lie, and how long extracting them took.

N images, D features.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.data.dataset import DataSet
from bench.machine.large_arrays import empty


class Stopwatch:
    """Seconds that were spent within it: `with stopwatch: ...`."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self):
        self._started = time.perf_counter()

    def __exit__(self, *_):
        self.seconds += time.perf_counter() - self._started


class Places:
    """Arrays for features, in memory, or in files of `scratch` where they are too large for it. A data set's train and val lie in one,
    one after the other, so that both together are no copy of them (Arrays.fitting_split)."""

    def __init__(self, scratch: Path | None):
        self.scratch = scratch
        self.fitting: dict[str, np.ndarray] = {}

    def alone(self, count: int) -> Callable[[int], np.ndarray]:
        """D -> float32 [N, D], a new one, of so many images."""
        return lambda width: empty((count, width), self.scratch)

    def of_split(self, data: DataSet, split: str, count: int) -> Callable[[int], np.ndarray]:
        """The same for a split of a data set."""
        train, val = (data.entry.sizes.get(part) or 0 for part in ("train", "val"))
        if {"train": train, "val": val}.get(split) != count:
            return self.alone(count)

        def place(width: int) -> np.ndarray:
            if data.name not in self.fitting:
                self.fitting[data.name] = empty((train + val, width), self.scratch)
            both = self.fitting[data.name]
            return both[:train] if split == "train" else both[train:]

        return place
