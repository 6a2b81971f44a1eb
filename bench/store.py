"""Results: one immutable JSON record per run, and the folder that holds them.

    store = ResultStore("results")
    store.frame()          one row per run x evaluator x metric, tidy
    store.publish(record)  written beside, then linked to its final name: whole or not there

Schema of a record: results/README.md, and the classes below.
"""

import base64
import dataclasses
import functools
import itertools
import json
import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bench.errors import UserError
from bench.exclusive import put
from bench.frame import tidy
from bench.spec import RunSpec, method_name, spec_hash

if TYPE_CHECKING:  # it takes half a second to import: only frame() pays for it
    import pandas

SCHEMA = 1
"""Version of the record's layout."""

# NaN and infinity are not JSON: a metric that is not a number is stored as null.
RECORD = {"frozen": True, "config": ConfigDict(extra="forbid", allow_inf_nan=False)}


@dataclass(kw_only=True, **RECORD)
class Result:
    """One number that an evaluator measured."""

    evaluator: str
    """knn | linear | transfer | label_free | ..."""
    dataset: str
    """What it was measured on."""
    split: Literal["train", "val", "test"]
    metric: str
    """top1 (percent), top1_k200_T0.1 (percent), mean_per_class (percent, in place of top1), rankme, ..."""
    value: float | None
    n: int
    """Images that the number was measured on."""
    chosen: dict[str, float | int | str] = dataclasses.field(default_factory=dict)
    """Hyper-parameters that were picked on val, and the value there (val_top1 or val_mean_per_class, percent)."""
    correct: str | None = None
    """Which of the n test images were right, packed (see `pack`): comparisons are paired by test image."""
    weights: str | None = None
    """None: the weights that the method's paper evaluates. Else which other weights of the run were measured, as 'student'."""


@dataclass(kw_only=True, **RECORD)
class Cost:
    """What the run spent: the four meters whatever the budget's unit, and what no budget pays for."""

    steps: int
    images: int
    flops: float
    seconds: float
    """Training, views and hooks included; evaluation, checkpoints and set-up excluded; summed over requeues."""
    setup_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    peak_memory_bytes: int = 0
    """On a GPU the run's largest allocation, on a CPU the process's largest resident set during the run."""


@dataclass(kw_only=True, **RECORD)
class RunRecord:
    """One run, or a later evaluation of it (same id, next part)."""

    id: str
    spec: dict[str, Any]
    """RunSpec.to_json() of the complete spec; `id` is its hash."""
    suite: str
    """The suite that first executed the run: provenance, not part of the id."""
    status: Literal["done", "diverged", "failed"]
    evals: tuple[str, ...]
    """The evaluators that were asked for and finished, as 'knn' or 'transfer:digits'."""
    cost: Cost
    results: tuple[Result, ...] = ()
    loss_curve: tuple[tuple[float, float], ...] = ()
    """(progress, loss) at about a hundred points."""
    weights: str = "encoder"
    """Which weights `encode` used: encoder, teacher, none."""
    weights_sha256: str | None = None
    """Hash of the final weights: a later evaluation must find the same ones."""
    uses_labels: bool = False
    trained: bool = True
    error: str | None = None
    """Why a run is not done: 'NaN loss at step 12', or the exception's type and message."""
    hardware: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Versions, commit, whether the tree was dirty, CPU threads."""
    started: str = ""
    """ISO 8601, UTC."""
    finished: str = ""
    schema_version: int = SCHEMA


RUN_RECORD = TypeAdapter(RunRecord)


def pack(correct: np.ndarray) -> str:
    """bool [n] -> base64 of its bits, eight test images to a byte."""
    return base64.b64encode(np.packbits(np.asarray(correct, dtype=bool)).tobytes()).decode()


def unpack(text: str, n: int) -> np.ndarray:
    """The inverse of `pack`: bool [n]."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=n).astype(bool)


STANDING = {"failed": 0, "diverged": 1, "done": 2}
"""Of two records of one run the higher one stands: a crash may be retried, a divergence is deterministic, done is done."""

FILE_NAME = re.compile(r"(?P<stem>.+-\d+-[0-9a-f]{16})(?:\.(?P<part>[2-9]|[1-9]\d+))?\.json")


class ResultStore:
    """A folder of records, `<folder>/<dataset>/<method>-<seed>-<id>.json`; a later evaluation of the same run is the next
    part, `....2.json`. Nothing in it is ever overwritten or deleted."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.problems: list[tuple[Path, str]] = []
        """Files that were skipped since the last `records()` or `frame()` began, and why."""
        self._sound: dict[Path, tuple[tuple, RunRecord]] = {}

    def path(self, spec: RunSpec, part: int = 1) -> Path:
        """Where a part of this run's record belongs."""
        return self.folder / _name(spec.dataset, spec.method, spec.seed, spec.id, part)

    def publish(self, record: RunRecord) -> Path:
        """Put a record into the store, whole or not at all, and return where it is. Where the run's parts already hold everything
        that this record measured, they stay and nothing is written; else it becomes the next part. Raises OSError (disk full,
        read-only); the store is then as it was."""
        spec = RunSpec.from_json(record.spec)
        assert spec.id == record.id, f"record {record.id} is not of its spec, whose id is {spec.id}"
        content = to_text(record).encode()
        directory = self.path(spec).parent
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            earlier = []
            for part in itertools.count(1):
                path = self.path(spec, part)
                try:
                    put(temporary, path)
                    break
                except FileExistsError:
                    earlier.append(self._read(path))  # None where it is broken: a broken part holds nothing, and stays
                    if _covers([existing for existing in earlier if existing], record):
                        return path
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(directory)
        return path

    def records(self) -> list[RunRecord]:
        """Every sound record, sorted by path, parts in their order; the others are in `problems`."""
        return [record for _, record in self._scan()]

    def find(self, run_id: str) -> list[RunRecord]:
        """The parts of one run, in order; empty if the store has none."""
        paths = [path for path in self.folder.glob("*/*.json") if f"-{run_id}." in path.name]
        return [record for path in sorted(paths, key=_order) if (record := self._read(path))]

    def parts(self, spec: RunSpec) -> list[RunRecord]:
        """As `find`, without listing the folder: a plan asks this for thousands of specs."""
        paths = itertools.takewhile(os.path.exists, (self.path(spec, part) for part in itertools.count(1)))
        return [record for path in paths if (record := self._read(path))]

    def missing(self, spec: RunSpec, evals: Iterable[str], parts: list[RunRecord] | None = None) -> tuple[str, ...]:
        """Which of these evaluators the run still needs: all if it failed or never ran, none if it diverged. parts: as `parts` says
        them, where the caller has them."""
        parts = self.parts(spec) if parts is None else parts
        held = {name for record in _same_weights(parts) for name in record.evals}
        diverged = any(record.status == "diverged" for record in parts) and not any(record.status == "done" for record in parts)
        return () if diverged else tuple(name for name in evals if name not in held)

    def frame(self) -> "pandas.DataFrame":
        """Everything as one tidy table: a row per run x evaluator x metric, columns `COLUMNS` (bench/frame.py), in an order that
        depends on nothing but the records. A run without results has one row, whose evaluator is None. `.attrs["folder"]`: where."""
        runs: dict[str, list[tuple[Path, RunRecord]]] = {}
        for path, record in self._scan():
            runs.setdefault(record.id, []).append((path, record))
        found = []
        for parts in runs.values():
            sound = _same_weights([record for _, record in parts])
            for path, record in parts:
                if record.status == "done" and not any(record is other for other in sound):
                    self._problem(path, "its weights are not those of the run's first part; its results are left out")
            found.append(([(_order(path)[2], record) for path, record in parts], sound))
        frame = tidy(found)
        frame.attrs["folder"] = str(self.folder)
        return frame

    def _scan(self) -> list[tuple[Path, RunRecord]]:
        self.problems = []
        paths = [path for path in self.folder.glob("*/*.json") if not path.name.startswith(".")]
        return [(path, record) for path in sorted(paths, key=_order) if (record := self._read(path))]

    def _read(self, path: Path) -> RunRecord | None:
        """The record at this path if it is sound; else None, and the reason in `problems`. A file that is as it was is not read again."""
        try:
            found = path.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if path in self._sound and self._sound[path][0] == state:
                return self._sound[path][1]
            record = RUN_RECORD.validate_json(path.read_bytes())
            if record.schema_version != SCHEMA:
                raise ValueError(f"it has layout {record.schema_version}; this version reads layout {SCHEMA}")
            # What hashes to its id is the spec that was written; only else is it worth the time to look closer.
            if spec_hash(record.spec) != record.id and not ((spec := RunSpec.from_json(record.spec)).complete and spec.id == record.id):
                raise ValueError(f"its id {record.id} is not the hash of its spec")
            named = (record.spec[name] for name in ("dataset", "method", "seed"))
            if path != self.folder / (expected := _name(*named, record.id, _order(path)[2])):
                raise ValueError(f"it belongs at {expected}")
            self._sound[path] = (state, record)
            return record
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            self._problem(path, f"{where}: {first['msg']}" if where else first["msg"])
        except (OSError, UserError, ValueError, AssertionError, KeyError) as error:
            self._problem(path, str(error))
        return None

    def _problem(self, path: Path, reason: str):
        if (path, reason) not in self.problems:
            self.problems.append((path, reason))


def to_text(record: RunRecord) -> str:
    """The record as JSON with a line for each field and for each result, so that a person can read it and git can diff it."""
    lines = []
    for key, value in RUN_RECORD.dump_python(record, mode="json").items():
        results = [json.dumps(result, allow_nan=False) for result in value] if key == "results" else []
        text = "[\n  " + ",\n  ".join(results) + "\n ]" if results else json.dumps(value, allow_nan=False)
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


@functools.lru_cache(maxsize=4096)
def _folder_and_method(dataset: str, method: str) -> tuple[str, str]:
    """How they are written in a record's path."""
    # 'folder:/data/My birds' -> 'My_birds'; never a hidden directory, nor one above this.
    folder = re.sub(r"[^\w.-]", "_", re.split(r"[/\\:]", dataset.rstrip("/\\"))[-1]).lstrip(".") or "dataset"
    return folder, method_name(method)


def _name(dataset: str, method: str, seed: int, run_id: str, part: int) -> str:
    """The path of a record below the store's folder."""
    folder, name = _folder_and_method(dataset, method)
    return f"{folder}/{name}-{seed}-{run_id}{f'.{part}' if part > 1 else ''}.json"


def _sync_directory(directory: Path):
    """Make the new name survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _order(path: Path) -> tuple[str, str, int]:
    """Sort key of a record's path: directory, stem, part."""
    match = FILE_NAME.fullmatch(path.name)
    return (path.parent.name, match["stem"], int(match["part"] or 1)) if match else (path.parent.name, path.name, 1)


def _same_weights(parts: list[RunRecord]) -> list[RunRecord]:
    """The done parts that measured the weights that the first one measured."""
    done = [record for record in parts if record.status == "done"]
    return [record for record in done if record.weights_sha256 == done[0].weights_sha256]


def _covers(parts: list[RunRecord], record: RunRecord) -> bool:
    """Whether these parts already say all that this record says."""
    trusted = [record.weights_sha256, *(part.weights_sha256 for part in _same_weights(parts))]
    equal = [part for part in parts if STANDING[part.status] >= STANDING[record.status] and part.weights_sha256 in trusted]
    return bool(equal) and set(record.evals) <= {name for part in equal for name in part.evals}
