"""One run's record: what is written once and never edited. Schema of the file: results/README.md, and the classes below."""

import base64
import contextlib
import dataclasses
import json
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

SCHEMA = 4
"""Version of the layout that is written."""

LAYOUTS = (1, 2, 3, 4)
"""Those that are read; 1 has no error_at, 1 and 2 no cost.evaluators, 1 to 3 no snapshots."""

COLLAPSE = ("label_free", "collapsed_centred")
"""Evaluator and metric of the flag that an encoder's features differ in nearly no direction. `projection` has a flag of that name too, of
what the projector makes of them, which may collapse alone. `collapsed`, the forerunner, took what all images have in common for a
collapse."""

# NaN and infinity are not JSON: a metric that is not a number is stored as null.
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(kw_only=True, frozen=True, config=STRICT)
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
    """Which of the n images, of test or of stages' val, were right, packed (see `pack`): comparisons are paired by image."""
    weights: str | None = None
    """None: the weights that the method's paper evaluates. Else which other weights of the run were measured, as 'student'."""


@dataclass(kw_only=True, frozen=True, config=STRICT)
class Snapshot:
    """What was measured of a run on its way, between two steps."""

    asked: float
    """The share of the budget at which it was asked for; of several that one step passed, the largest."""
    share: float
    """What was spent then, by the first step that reached it."""
    steps: int
    images: int
    flops: float
    evals: tuple[str, ...]
    """The evaluators; of those that read test, results say `test`."""
    results: tuple[Result, ...] = ()
    seconds: float = 0.0
    """Of measuring: neither training's nor evaluation's."""
    error: str | None = None
    """Why it has no results: an evaluator failed, and the run went on."""


@dataclass(kw_only=True, frozen=True, config=STRICT)
class Cost:
    """What the run spent: the four meters whatever the budget's unit, and what no budget pays for."""

    steps: int
    images: int
    flops: float
    seconds: float
    """Training, views and hooks included; evaluation, checkpoints and set-up excluded; summed over requeues."""
    cpu_seconds: float | None = None
    """CPU time of the same stretches, of all threads of all the run's processes; None in records of before it was measured."""
    setup_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    evaluators: dict[str, float] = dataclasses.field(default_factory=dict)
    """Of those seconds what each evaluator took, by its request ('knn', 'transfer:digits'), and what extracting features for all of them
    took ('features'). Empty in older records."""
    peak_memory_bytes: int = 0
    """On a GPU the run's largest allocation, on a CPU the process's largest resident set during the run."""


@dataclass(kw_only=True, frozen=True, config=STRICT)
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
    """(share of the budget that was spent, loss) at about a hundred points."""
    snapshots: tuple[Snapshot, ...] = ()
    """In their order, where they were asked for. They decide nothing of the run."""
    chance_loss: float | None = None
    """What the loss is where the method has learned nothing, as the method declares it; None where it does not."""
    short_of: tuple[str, ...] = ()
    """What the budget was too short for, a sentence each: 'the queue of 4,096 is full after 16 steps, and it has 12'."""
    weights: str = "encoder"
    """Which weights `encode` used: encoder, teacher, none."""
    weights_sha256: str | None = None
    """Hash of the final weights: a later evaluation must find the same ones."""
    uses_labels: bool = False
    trained: bool = True
    deterministic: bool = False
    """Of what is not trained: whether no seed decides anything of it. Older records do not say so."""
    error: str | None = None
    """Why a run is not done: 'NaN loss at step 12', or the exception's type and message."""
    error_at: str | None = None
    """The line of somebody's own code, or of a method's, that an exception came from: 'mine.py:12'; None where it came from none."""
    hardware: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Versions, commit, whether the tree was dirty, CPU threads."""
    started: str = ""
    """ISO 8601, UTC."""
    finished: str = ""
    schema_version: int = SCHEMA

    @property
    def reason(self) -> str | None:
        """Why a run is not done, with the line: 'ValueError: no view (mine.py:12)'."""
        return f"{self.error} ({self.error_at})" if self.error and self.error_at else self.error


RUN_RECORD = TypeAdapter(RunRecord)


def pack(correct: np.ndarray) -> str:
    """bool [n] -> base64 of its bits, eight images to a byte."""
    return base64.b64encode(np.packbits(np.asarray(correct, dtype=bool)).tobytes()).decode()


def unpack(text: str, n: int) -> np.ndarray:
    """The inverse of `pack`: bool [n]."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=n).astype(bool)


class MadeByNewer(ValueError):
    """A record of a layout that this program does not know yet."""


def from_text(content: bytes) -> RunRecord:
    """A record's file. Raises MadeByNewer, before anything else of it is read; else ValidationError or ValueError."""
    try:
        record = RUN_RECORD.validate_json(content)
        version = record.schema_version
    except ValidationError:
        version = version_of(content)
        if version in LAYOUTS:
            raise
    if version not in LAYOUTS:
        kind, said = (MadeByNewer, "made by a newer program: ") if version > SCHEMA else (ValueError, "")
        raise kind(f"{said}it has layout {version}, and this version reads layout {' and '.join(map(str, LAYOUTS))}")
    return record


def version_of(content: bytes) -> int:
    """The layout that a file claims to have; today's where it claims none, or is no JSON."""
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        version = json.loads(content).get("schema_version")
        return version if type(version) is int else SCHEMA
    return SCHEMA


def to_text(record: RunRecord) -> str:
    """The record as JSON with a line for each field and for each result, so that a person can read it and git can diff it."""
    lines = []
    for key, value in RUN_RECORD.dump_python(record, mode="json").items():
        results = [json.dumps(result, allow_nan=False) for result in value] if key == "results" else []
        text = "[\n  " + ",\n  ".join(results) + "\n ]" if results else json.dumps(value, allow_nan=False)
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
