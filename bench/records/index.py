"""What was read of a folder of records, so that a file that is as it was need not be read again.

    index = Index(folder)
    index.part("mnist5k/simclr-0-….json", state)    what a plan needs of that record; None where its file must be read
    index.table()                                   the rows of the frame, as they were last built

It lies in `<folder>/.index.npz` as plain arrays, without pickles, and holds nothing that the records do not: it may be deleted at any
time, and a folder that cannot be written to has none.
"""

import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.defaults import ROOT
from bench.machine import files
from bench.records import frame
from bench.records.column_arrays import as_bytes, pack_column, unpack_column
from bench.records.paths import State

if TYPE_CHECKING:
    import pandas

NAME = ".index.npz"

WORTH = 50
"""So many files, or a hundredth of all, are read anew rather than that the index is written anew."""

FRAME = ("table.", "framed ")
"""How the names of those arrays begin that only the frame needs."""


class Part(NamedTuple):
    """What plans, states and later parts need to know of a record (bench.records.record.RunRecord, where the fields are described)."""

    id: str
    status: str
    evals: tuple[str, ...]
    weights_sha256: str | None
    reason: str | None
    finished: str

    @classmethod
    def of(cls, record) -> "Part":
        return cls(*(getattr(record, field) for field in cls._fields))


class Index:
    """The parts of all sound records by their path below the folder; where asked for, the frame's rows of those that are `framed`,
    which are most of the file. Nothing is unpacked before it is asked for."""

    def __init__(self, folder: Path, whole: bool = False):
        """whole: with the frame's rows, which only the frame needs; a run and a status look at a few parts."""
        self.path, self.whole = folder / NAME, whole
        self.unsaved = 0
        """Files that were read, or framed, and are not so in the saved index."""
        self._arrays: dict[str, np.ndarray] = {}
        """As they are in the file: of the parts those that were read, of the table and its files those that are `framed` now."""
        with contextlib.suppress(OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            self._load()

    @functools.cached_property
    def parts(self) -> dict[str, tuple[State, Part]]:
        """Of each path how its file was when it was read, and what it said."""
        files = unpack_files(self._arrays, "read")
        if not files:
            return {}
        fields: dict[str, Sequence] = {field: unpack_column(self._arrays, field).tolist() for field in Part._fields}
        lists = {text: tuple(json.loads(text)) for text in set(fields["evals"])}
        fields["evals"] = [lists[text] for text in fields["evals"]]
        parts = map(Part._make, zip(*fields.values(), strict=True))
        return dict(zip(files, zip(files.values(), parts, strict=True), strict=True))

    @functools.cached_property
    def framed(self) -> dict[str, State]:
        """Files whose rows are in the table, and how they were then."""
        return unpack_files(self._arrays, "framed")

    def part(self, path: str, state: State) -> Part | None:
        """Of a file that is as it was; else None."""
        known = self.parts.get(path)
        return known[1] if known and known[0] == state else None

    def add(self, path: str, state: State, part: Part) -> None:
        """What was read of a file."""
        self.unsaved += self.parts.get(path) != (state, part)
        self.parts[path] = (state, part)

    def framed_as(self, files: dict[str, State]) -> bool:
        """Whether the table is of these files as they are, in the order in which they were listed then: `framed == files`, but in a
        tenth of the time. Where this is False, that may still hold."""
        now: dict[str, np.ndarray] = {}
        pack_files(now, "framed", files)
        return all(name in self._arrays and np.array_equal(array, self._arrays[name]) for name, array in now.items())

    def table(self) -> "pandas.DataFrame":
        """The frame's rows of the `framed` files."""
        import pandas

        values = {name: unpack_column(self._arrays, f"table.{name}") if "framed states" in self._arrays else () for name in frame.COLUMNS}
        return pandas.DataFrame(
            {name: pandas.Series(values[name], dtype=kind, copy=False) for name, kind in frame.COLUMNS.items()}, copy=False
        )

    def put_table(self, table: "pandas.DataFrame", files: dict[str, State]) -> None:
        """The frame's rows, and the files that they were built from."""
        self._arrays = {name: array for name, array in self._arrays.items() if not name.startswith("table.")}
        for name in frame.COLUMNS:
            pack_column(self._arrays, f"table.{name}", table[name].tolist() if table[name].dtype == object else table[name].to_numpy())
        self.unsaved += len(self.framed.items() ^ files.items())
        self.framed = files
        pack_files(self._arrays, "framed", files)

    def save(self) -> None:
        """Write it, where reading so much again would take longer than that; a folder that is read-only has no index."""
        if self.unsaved <= max(WORTH, len(self.parts) // 100):
            return
        framed = self if self.whole else Index(self.path.parent, whole=True)  # the rows that are there stay, with their files
        arrays = {name: array for name, array in framed._arrays.items() if name.startswith(FRAME)}
        arrays["made by"] = as_bytes(made_by())
        pack_files(arrays, "read", {path: state for path, (state, _) in self.parts.items()})
        for field in Part._fields:
            values = [getattr(part, field) for _, part in self.parts.values()]
            pack_column(arrays, field, [json.dumps(value) for value in values] if field == "evals" else values)
        content = io.BytesIO()
        np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]  # no array has the name of an option
        with contextlib.suppress(OSError):
            files.write(self.path, content.getvalue())
            self.unsaved = 0

    def _load(self) -> None:
        with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as saved:
            if bytes(saved["made by"]).decode() == made_by():
                self._arrays = {name: saved[name] for name in saved.files if self.whole or not name.startswith(FRAME)}


def pack_files(arrays: dict[str, np.ndarray], name: str, files: dict[str, State]) -> None:
    """Put them into `arrays`, in their order; a file's name has no line break (bench.records.store)."""
    arrays[f"{name} paths"] = np.frombuffer(os.fsencode("\n".join(files)), dtype=np.uint8)
    arrays[f"{name} states"] = np.fromiter(itertools.chain.from_iterable(files.values()), dtype=np.int64, count=3 * len(files))


def unpack_files(arrays: dict[str, np.ndarray], name: str) -> dict[str, State]:
    """The inverse of `pack_files`; nothing where there are none."""
    states = arrays.get(f"{name} states")
    if states is None or not len(states):
        return {}
    paths = os.fsdecode(arrays[f"{name} paths"].tobytes()).split("\n")
    return dict(zip(paths, map(tuple, states.reshape(-1, 3).tolist()), strict=True))


def made_by() -> str:
    """A digest of the code that decides what is in an index: other code, other index."""
    sources = [*sorted((ROOT / "bench" / "records").glob("*.py")), ROOT / "bench" / "budget.py", ROOT / "bench" / "spec.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
