"""What was read of a folder of records, so that a file that is as it was need not be read again.

    index = Index(folder)
    index.part("mnist5k/simclr-0-….json", state)    what a plan needs of that record; None where its file must be read
    index.table()                                   the rows of the frame, as they were last built

It lies in `<folder>/.index.npz` as plain arrays, without pickles, and holds nothing that the records do not: it may be deleted at any
time, and a folder that cannot be written to has none.
"""

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench import exclusive, frame, spec

if TYPE_CHECKING:
    import pandas

NAME = ".index.npz"

WORTH = 50
"""So many files, or a hundredth of all, are read anew rather than that the index is written anew."""

State = tuple[int, int, int]
"""Of a file: when it was written (ns), its size (bytes), its inode. What is equal in all three is taken for unchanged."""


class Part(NamedTuple):
    """What plans, states and later parts need to know of a record (bench.record.RunRecord, where the fields are described)."""

    id: str
    status: str
    evals: tuple[str, ...]
    weights_sha256: str | None
    error: str | None
    finished: str

    @classmethod
    def of(cls, record) -> "Part":
        return cls(*(getattr(record, field) for field in cls._fields))


class Index:
    """The parts of all sound records by their path below the folder; where asked for, the frame's rows of those that are `framed`,
    which are most of the file."""

    def __init__(self, folder: Path, whole: bool = False):
        """whole: with the frame's rows, which only the frame needs; a run and a status look at a few parts."""
        self.path, self.whole = folder / NAME, whole
        self.parts: dict[str, tuple[State, Part]] = {}
        self.framed: dict[str, State] = {}
        """Files whose rows are in the table, and how they were then."""
        self.unsaved = 0
        """Files that were read, or framed, and are not so in the saved index."""
        self._table: dict[str, np.ndarray] = {}
        with contextlib.suppress(OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            self._load()

    def part(self, path: str, state: State) -> Part | None:
        """Of a file that is as it was; else None."""
        known = self.parts.get(path)
        return known[1] if known and known[0] == state else None

    def add(self, path: str, state: State, part: Part) -> None:
        """What was read of a file."""
        self.unsaved += self.parts.get(path) != (state, part)
        self.parts[path] = (state, part)

    def table(self) -> "pandas.DataFrame":
        """The frame's rows of the `framed` files."""
        import pandas

        columns = {name: unpack_column(self._table, name, kind) for name, kind in frame.COLUMNS.items()} if self._table else {}
        return pandas.DataFrame(
            {name: pandas.Series(columns.get(name, ()), dtype=kind) for name, kind in frame.COLUMNS.items()}, copy=False
        )

    def put_table(self, table: "pandas.DataFrame", files: dict[str, State]) -> None:
        """The frame's rows, and the files that they were built from."""
        self._table = {}
        for name in frame.COLUMNS:
            pack_column(self._table, name, table[name].tolist() if table[name].dtype == object else table[name].to_numpy())
        self.unsaved += len(self.framed.items() ^ files.items())
        self.framed = files

    def save(self) -> None:
        """Write it, where reading so much again would take longer than that; a folder that is read-only has no index."""
        if self.unsaved <= max(WORTH, len(self.parts) // 100):
            return
        if not self.whole:  # the rows that are there stay; they and their files are from one read
            saved = Index(self.path.parent, whole=True)
            self.framed, self._table, self.whole = saved.framed, saved._table, True
        arrays = {f"table.{name}": array for name, array in self._table.items()}
        arrays["made by"] = as_bytes(made_by())
        pack_column(arrays, "path", list(self.parts))
        arrays["state"] = np.array([state for state, _ in self.parts.values()], dtype=np.int64).reshape(-1, 3)
        for field in Part._fields:
            values = [getattr(part, field) for _, part in self.parts.values()]
            pack_column(arrays, field, [json.dumps(value) for value in values] if field == "evals" else values)
        pack_column(arrays, "framed path", list(self.framed))
        arrays["framed state"] = np.array(list(self.framed.values()), dtype=np.int64).reshape(-1, 3)
        content = io.BytesIO()
        np.savez(content, **arrays)
        with contextlib.suppress(OSError):
            exclusive.write(self.path, content.getvalue())
            self.unsaved = 0

    def _load(self) -> None:
        with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as saved:
            if bytes(saved["made by"]).decode() != made_by():
                return
            arrays = {name: saved[name] for name in saved.files if self.whole or not name.startswith(("table.", "framed "))}
        columns = {field: unpack_column(arrays, field, "object") for field in Part._fields}
        lists = {text: tuple(json.loads(text)) for text in set(columns["evals"])}
        columns["evals"] = [lists[text] for text in columns["evals"]]
        parts = map(Part._make, zip(*columns.values(), strict=True))
        states = map(tuple, arrays["state"].tolist())
        self.parts = dict(zip(unpack_column(arrays, "path", "object"), zip(states, parts, strict=True), strict=True))
        if not self.whole:
            return
        framed = map(tuple, arrays["framed state"].tolist())
        self.framed = dict(zip(unpack_column(arrays, "framed path", "object"), framed, strict=True))
        self._table = {name.removeprefix("table."): array for name, array in arrays.items() if name.startswith("table.")}


def made_by() -> str:
    """A digest of the code that decides what is in an index: other code, other index."""
    sources = [Path(module.__file__) for module in (frame, spec)] + [Path(__file__), Path(__file__).with_name("store.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def as_bytes(text: str) -> np.ndarray:
    """UTF-8, uint8 [n]."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def pack_column(arrays: dict[str, np.ndarray], name: str, column) -> None:
    """A column as arrays: numbers as they are, text (None too) as the number of each value in the list of the different ones."""
    if isinstance(column, np.ndarray):
        arrays[name] = column
        return
    numbers = {value: number for number, value in enumerate(dict.fromkeys(column))}
    arrays[name] = np.fromiter(map(numbers.__getitem__, column), dtype=np.int32, count=len(column))
    arrays[f"{name}: values"] = as_bytes(json.dumps(list(numbers)))


def unpack_column(arrays: dict[str, np.ndarray], name: str, kind: str) -> np.ndarray:
    """The inverse of `pack_column`; text as an array of objects."""
    if kind != "object":
        return arrays[name]
    values = json.loads(arrays[f"{name}: values"].tobytes())
    distinct = np.empty(len(values), dtype=object)
    distinct[:] = values
    return distinct[arrays[name]]
