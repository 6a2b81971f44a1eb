"""A figure at one scale as its records have it: which runs are there, every point with its interval, what they cost, and the verdict.

    shown = look("simclr_temperature", figure, "cpu", frame, runs, wanted)
    shown.verdict.word, shown.cell("0.1", "linear"), shown.cost("0.1")

Tables, pages and pictures of a figure are made of this. S seeds, n test images.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas

from reports.claims.figure import Arm, Figure, Records, Scale
from reports.claims.judge import Verdict, asked, judge, points_of
from reports.claims.points import Points
from reports.tables.provenance import Provenance, of
from reports.tables.statistics import interval

SHARED = ("linear", "knn")
"""Measures that every page has beside those that its rules name."""

NOT_RUN = "not run"


@dataclass(frozen=True)
class Number:
    """One arm by one measure."""

    mean: float
    half_width: float | None
    """Of its 95 % interval, over seeds and test images; None for fewer than three seeds."""
    values: Mapping[int, float]
    """Seed -> value."""


@dataclass(frozen=True)
class Cost:
    """What one arm's runs took."""

    runs: int
    images: float
    """Mean over its seeds; and of the next."""
    flops: float
    seconds: float
    """Of training, median over its seeds."""


@dataclass(frozen=True)
class AtScale:
    """One figure at one scale."""

    name: str
    figure: Figure
    scale: str
    runs: Mapping[str, Mapping[int, str]]
    """Arm -> seed -> id of its run, floors as reports.claims.judge names them; of runs that are done."""
    wanted: Mapping[str, tuple[int, ...]]
    """Arm -> seeds that are asked for."""
    frame: pandas.DataFrame = field(repr=False)
    """Its runs' rows alone."""
    points: Points = field(repr=False)
    verdict: Verdict
    left_out: tuple[str, ...] = ()
    """Records that do not count, a sentence for each kind."""

    @property
    def chosen(self) -> Scale | Records:
        """What the figure says of the scale."""
        return self.figure.scales[self.scale]

    @property
    def arms(self) -> dict[str, Arm]:
        """Name -> arm, floors apart."""
        return self.figure.arms_at(self.scale)

    @property
    def floors(self) -> dict[str, Arm]:
        """Name -> untrained encoder."""
        return {name: arm for name, arm in asked(self.figure, self.scale).items() if name not in self.arms}

    @property
    def count(self) -> int:
        """Runs that are there. An untrained encoder that is an arm too is one run."""
        return len({run for by_seed in self.runs.values() for run in by_seed.values()})

    @property
    def total(self) -> int:
        """Runs that are asked for, of arms that are one run each once."""
        trained = {name: repr(replace(arm, x="", series="", measure=None)) for name, arm in asked(self.figure, self.scale).items()}
        wanted = ((name, seed) for name, seeds in self.wanted.items() for seed in seeds)
        return len({self.runs.get(name, {}).get(seed, (trained.get(name, name), seed)) for name, seed in wanted})

    @property
    def word(self) -> str:
        """The verdict; where runs are missing how many there are."""
        if not self.count:
            return NOT_RUN
        return self.verdict.word if self.count == self.total else f"{self.count} of {self.total} runs"

    @property
    def why(self) -> str:
        """What the verdict rests on, or lacks."""
        return self.verdict.why if self.count else "–"

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that a page shows: the figure's own first, the gate's and the rules', then those of every figure."""
        first = (*self.figure.judged_by, *self.figure.gated_by)
        needed = [measure for rule in self.figure.rules for _, measure in rule.needs(self.figure.measure, self.figure.own)]
        return tuple(dict.fromkeys((*first, *needed, *SHARED)))

    def cell(self, arm: str, measure: str) -> Number | None:
        """None where nothing was measured."""
        point = self.points.find(arm, measure)
        if not point.values:
            return None
        values = np.array(list(point.values.values()), dtype=np.float64)
        return Number(float(values.mean()), interval(values, point.correct), point.values)

    def judged(self, arm: str) -> Number | None:
        """An arm by the measure that it is judged by."""
        return self.cell(arm, self.figure.own.get(arm, self.figure.measure))

    def cost(self, arm: str) -> Cost | None:
        """None where none of its runs is there."""
        runs = self._runs()
        runs = runs[runs.id.isin(self.runs.get(arm, {}).values())]
        if runs.empty:
            return None
        mean = {name: float(runs[name].mean()) for name in ("images", "flops")}
        return Cost(len(runs), seconds=float(statistics.median(runs.seconds)), **mean)

    @property
    def minutes(self) -> float:
        """Of all its runs together, set-up and evaluation too: CPU time of the training where it was measured, on one thread a core's."""
        runs = self._runs()
        training = [cpu if not math.isnan(cpu) else seconds for cpu, seconds in zip(runs.cpu_seconds, runs.seconds, strict=True)]
        return math.fsum([*training, *runs.setup_seconds, *runs.evaluation_seconds]) / 60

    @property
    def made_of(self) -> Provenance:
        """The runs whose numbers it has."""
        return of(self._runs())

    @property
    def hardware(self) -> str:
        """Where its runs were, by name."""
        return ", ".join(sorted({model or "unnamed hardware" for model in self._runs().hardware}))

    def _runs(self) -> pandas.DataFrame:
        return self.frame.drop_duplicates("id")


def look(
    name: str,
    figure: Figure,
    scale: str,
    frame: pandas.DataFrame,
    runs: Mapping[str, Mapping[int, str]],
    wanted: Mapping[str, tuple[int, ...]],
    left_out: tuple[str, ...] = (),
) -> AtScale:
    """From the records of its folder. runs: arm -> seed -> id of those that have a record."""
    ids = {run for by_seed in runs.values() for run in by_seed.values()}
    frame = frame[frame.id.isin(ids)]
    points = points_of(figure, scale, frame, runs)
    verdict = judge(figure, scale, points)
    done = set(frame[frame.status == "done"].id)
    there = {arm: {seed: run for seed, run in by_seed.items() if run in done} for arm, by_seed in runs.items()}
    return AtScale(name, figure, scale, there, wanted, frame, points, verdict, left_out)
