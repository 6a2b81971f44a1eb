"""Columns of a table as plain arrays, without pickles, so that numpy can save them: each value once, and for each row which one it is.

pack_column(arrays, "method", ["simclr", "byol", "simclr"])     puts [0, 1, 0] and the JSON of the two names into `arrays`
unpack_column(arrays, "method")                                 an array of these three texts
"""

import json

import numpy as np

FEW = 2**16
"""More different numbers than this are kept as they are."""


def as_bytes(text: str) -> np.ndarray:
    """UTF-8, uint8 [n]."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def pack_column(arrays: dict[str, np.ndarray], name: str, column: list[str | None] | np.ndarray) -> None:
    """Put a column into `arrays`: a list of texts, or an array of numbers, to its last bit."""
    if isinstance(column, np.ndarray):
        # By their bits: of 0.0 and -0.0, and of two NaN, neither is the other.
        values, which = np.unique(column.view(f"u{column.itemsize}"), return_inverse=True)
        if len(values) > FEW:
            arrays[name] = column
            return
        arrays[f"{name}: values"] = values.view(column.dtype)
    else:
        numbers = {value: number for number, value in enumerate(dict.fromkeys(column))}
        which = np.fromiter(map(numbers.__getitem__, column), dtype=np.int64, count=len(column))
        arrays[f"{name}: texts"] = as_bytes(json.dumps(list(numbers)))
    arrays[name] = which.astype(np.min_scalar_type(which.max(initial=0)))


def unpack_column(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The inverse of `pack_column`; texts as an array of objects."""
    if (texts := arrays.get(f"{name}: texts")) is not None:
        values = json.loads(texts.tobytes())
        distinct = np.empty(len(values), dtype=object)
        distinct[:] = values
        return distinct[arrays[name]]
    values = arrays.get(f"{name}: values")
    return arrays[name] if values is None else values[arrays[name]]
