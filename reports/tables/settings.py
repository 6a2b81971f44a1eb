"""A table's part of the frame, split by setting into plain tuples: a frame of a few rows costs a hundred times what is computed from it.

for setting in settings_of(frame): setting.key, setting.runs, setting.results
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas

from reports.tables.table import SETTING

ELSEWHERE = "elsewhere"
"""What a record says of weights that no budget of ours was spent on (RunRecord.weights), and the kind of their row."""


class Run(NamedTuple):
    """Columns of the frame that are the same in all rows of a run."""

    id: str
    seed: int
    status: str
    trained: bool
    uses_labels: bool
    deterministic: bool
    main_weights: str
    weights_sha256: str | None
    at_chance: bool
    short_of: str | None
    hardware: str | None
    threads: int
    flops: float
    seconds: float
    cpu_seconds: float
    images: int
    peak_memory_bytes: int
    steps: int
    snapshots: str | None
    """As JSON (bench.records.frame.dumped)."""

    @property
    def place(self) -> str:
        """Where it was: 'AMD EPYC, 1 thread'."""
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.threads else ""
        return f"{self.hardware or 'unnamed hardware'}{threads}"


class Measured(NamedTuple):
    """One result: the columns of the frame that differ in rows of a run."""

    evaluator: str
    eval_dataset: str
    split: str
    metric: str
    seed: int
    value: float
    correct: str | None
    n: int
    weights: str | None
    id: str


@dataclass
class Setting:
    """What a row of a table is made of."""

    key: tuple[str, ...]
    """SETTING's values."""
    runs: list[Run] = field(default_factory=list)
    """By seed."""
    results: list[Measured] = field(default_factory=list)
    """Those that are finite numbers, by seed."""

    @property
    def kind(self) -> str:
        """method | floor | ceiling | elsewhere: of weights that somebody else trained"""
        if any(run.main_weights == ELSEWHERE for run in self.runs):
            return ELSEWHERE
        if not any(run.trained for run in self.runs):
            return "floor"
        return "ceiling" if any(run.uses_labels for run in self.runs) else "method"


def settings_of(frame: pandas.DataFrame) -> list[Setting]:
    """By SETTING."""
    keys = list(zip(*(frame[name].tolist() for name in SETTING), strict=True))
    settings = {key: Setting(key) for key in sorted(set(keys))}
    runs, results = ([frame[name].tolist() for name in kind._fields] for kind in (Run, Measured))
    seen: set[str] = set()
    for key, run in zip(keys, map(Run._make, zip(*runs, strict=True)), strict=True):
        if run.id not in seen:
            seen.add(run.id)
            settings[key].runs.append(run)
    for key, result in zip(keys, map(Measured._make, zip(*results, strict=True)), strict=True):
        if result.evaluator is not None and math.isfinite(result.value):
            settings[key].results.append(result)
    for setting in settings.values():
        setting.runs.sort(key=lambda run: run.seed)
        setting.results.sort(key=lambda result: result.seed)
    return list(settings.values())
