"""The whole command `report` of many records, beside its goals: what docs/scale.md says of it.

python -m benchmarks reports
"""

import functools
import tempfile
from pathlib import Path

from bench.records.store import ResultStore
from benchmarks.harness import made_up, make_records, markdown, row, run
from benchmarks.measure import alternate

__all__ = ["markdown", "rows"]

GOAL_OF_A_SEARCH, GOAL_OF_SEEDS = 10.0, 5.0
"""Seconds: of 800 settings, of 4,000 seeds of one."""


def rows(quick: bool = False) -> list[dict]:
    """Seconds of a search, of a quarter of its settings with three seeds each, and of one setting with many seeds, from the index."""
    settings, seeds, images = (8, 12, 768) if quick else (800, 4_000, 10_000)
    found = []
    for what, specs, goal in (
        (f"a search of {settings} settings", made_up(settings, methods=8, rates=settings // 8), GOAL_OF_A_SEARCH),
        (f"{settings // 4} settings with 3 seeds each", made_up(3 * settings // 4, methods=2, rates=settings // 8), GOAL_OF_A_SEARCH),
        (f"{seeds:,} seeds of one setting", made_up(seeds, methods=1), GOAL_OF_SEEDS),
    ):
        with tempfile.TemporaryDirectory() as folder:
            make_records(Path(folder) / "results", specs, images)
            ResultStore(Path(folder) / "results").frame()
            arguments = ("report", "--results", f"{folder}/results", "--output", f"{folder}/report")
            (seconds,) = alternate({what: functools.partial(run, *arguments)}, 1 if quick else 3).values()
        said = f"run_bench.py report of {what}, three accuracies on {images:,} test images"
        found.append(row(said, seconds, goal) | {"measure": "reports"})
    return found
