"""Arrays that may be larger than memory: such a one lies in a file without a name, which goes with the process.

features = empty((1_281_167, 2048), scratch)    float32, in memory where it is there for it, else in a file of that folder
"""

import contextlib
import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.machine.memory import total_memory

SHARE = 1 / 8
"""Of the memory that there is. What is larger lies in a file: whoever reads an array in memory may make a copy or two of it."""


def in_memory(size: float) -> bool:
    """Whether an array of so many bytes lies in memory."""
    return size <= SHARE * total_memory()


def empty(shape: tuple[int, ...], folder: Path | None = None) -> np.ndarray:
    """float32, to be written into. A UserError where it is too large for memory and `folder` (the system's for temporary files where it is
    None) has no room for it either."""
    size = 4 * math.prod(shape)
    if in_memory(size):
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile(dir=folder) as file:
        place = Path(folder or tempfile.gettempdir())
        if (free := shutil.disk_usage(place).free) < size:
            what = f"an array of {list(shape)} float32 takes {size / 2**30:,.3g} GiB, too much for memory"
            raise UserError(f"{what}, and {place} has {free / 2**30:,.3g} GiB free; expected --scratch on a disk with more")
        file.truncate(size)
        # Room is taken now, so that a disk that fills up meanwhile does not end the process where a page is written. Not all systems can.
        with contextlib.suppress(AttributeError):
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.float32, "r+", shape=shape)


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N, D] and [M, D] one after the other: [N + M, D]. Nothing is copied where they are rows of one array and follow each other there."""
    of_one = first.base is not None and first.base is second.base and first.flags.c_contiguous and second.flags.c_contiguous
    alike = first.dtype == second.dtype and first.shape[1:] == second.shape[1:]
    if of_one and alike and first.ctypes.data + first.nbytes == second.ctypes.data:
        return np.lib.stride_tricks.as_strided(first, (len(first) + len(second), *first.shape[1:]))
    return np.concatenate([first, second])
