"""Two folders of records beside each other: of every setting that both have, by how much the second's numbers are not the first's.

    side_by_side(first, second)      Pairs by table, setting and column, from two frames

Settings are the same where all is but the code: versions of method and encoder may differ, which is what a change of code is looked at for.
Seeds that both have are paired, with the images that each got right. S seeds, n test images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas

from reports.tables.cells import cells_of
from reports.tables.columns import Column, position
from reports.tables.labels import labels
from reports.tables.settings import Setting, settings_of
from reports.tables.statistics import interval
from reports.tables.table import KEY, SETTING, Cell

CODE = ("encoder_version", "method_version")
"""What may differ between the two."""

SAME = tuple(name for name in (*KEY, *SETTING) if name not in CODE)


@dataclass(frozen=True)
class Pair:
    """One number of a setting in both folders."""

    setting: str
    column: str
    """As leaderboard.csv names it."""
    header: str
    shown: bool
    """Whether a report's tables have the column."""
    seeds: tuple[int, ...]
    """That both have."""
    first: float
    """Mean over these seeds."""
    second: float
    difference: float
    """second - first"""
    half_width: float | None
    """Of the 95 % interval of the difference; None for fewer than three seeds."""
    standing: str
    """'equal' at every seed to the last bit; else 'above' | 'below' beyond the interval | 'alike' within it | 'no statement'."""


@dataclass
class SideBySide:
    """What came of it."""

    pairs: list[Pair] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    """'cifar10 resnet8 3e+12 flops simclr: method_version 1 and 2', for what is of other code in the two."""
    alone: tuple[int, int] = (0, 0)
    """Settings that only the first, only the second has."""
    ambiguous: list[str] = field(default_factory=list)
    """Settings of which one has several versions of code, none of which the other has: nothing says which to pair."""


def side_by_side(first: pandas.DataFrame, second: pandas.DataFrame) -> SideBySide:
    """Of two folders' frames (bench.records.store.ResultStore.frame)."""
    found, both = SideBySide(), [_by_setting(frame) for frame in (first, second)]
    only = [len(mine.keys() - others.keys()) for mine, others in (both, both[::-1])]
    found.alone = (only[0], only[1])
    shared = sorted(both[0].keys() & both[1].keys())
    for key, name in zip(shared, _names(shared), strict=True):
        ours, theirs = both[0][key], both[1][key]
        pairs = [(code, code) for code in sorted(ours.keys() & theirs.keys(), key=str)]
        if not pairs and len(ours) == len(theirs) == 1:
            pairs = [(next(iter(ours)), next(iter(theirs)))]
        if not pairs:
            found.ambiguous.append(name)
        for before, after in pairs:
            apart = [f"{what} {was} and {now}" for what, was, now in zip(CODE, before, after, strict=True) if was != now]
            if apart:
                found.versions.append(f"{name}: {', '.join(apart)}")
            own = name if len(pairs) == 1 else f"{name} of {', '.join(f'{what} {was}' for what, was in zip(CODE, before, strict=True))}"
            found.pairs += _pairs(own, ours[before], theirs[after])
    return found


def _by_setting(frame: pandas.DataFrame) -> dict[tuple, dict[tuple, Setting]]:
    """SAME's values -> CODE's values -> the setting."""
    found: dict[tuple, dict[tuple, Setting]] = {}
    if frame.empty:
        return found
    facts = frame[[*SAME, *CODE]].astype(object)
    facts = facts.where(facts.notna(), "")
    for values, rows in frame.groupby([facts[name] for name in facts], sort=True).indices.items():
        (setting,) = settings_of(frame.iloc[rows])
        found.setdefault(values[: len(SAME)], {})[values[len(SAME) :]] = setting
    return found


def _names(keys: Sequence[tuple]) -> list[str]:
    """'cifar10 resnet8 3e+12 flops simclr temperature=0.2': with what tells settings of one table apart."""
    facts = [dict(zip(SAME, key, strict=True)) for key in keys]
    tables: dict[str, list[int]] = {}
    for number, each in enumerate(facts):
        table = f"{each['dataset']} {each['encoder']} {float(each['budget_amount']):g} {each['budget_unit']}"
        tables.setdefault(table, []).append(number)
    names = [""] * len(keys)
    for table, numbers in tables.items():
        own = [{**{name: facts[number][name] for name in SETTING if name in facts[number]}, "method_version": ""} for number in numbers]
        for number, label in zip(numbers, labels(own), strict=True):
            rest = {name: facts[number][name] for name in SAME if name not in SETTING}
            others = [facts[other] for other in numbers]
            apart = [f"{name}={value}" for name, value in rest.items() if len({other[name] for other in others}) > 1]
            names[number] = " ".join([table, label, *apart])
    return names


def _pairs(name: str, first: Setting, second: Setting) -> list[Pair]:
    """By column."""
    columns: dict[str, Column] = {}
    cells = [cells_of([result for result in setting.results if result.weights is None], columns) for setting in (first, second)]
    common = [column for column in sorted(columns.values(), key=position) if all(column.key in mine for mine in cells)]
    pairs = [_pair(name, column, *(mine[column.key] for mine in cells)) for column in common]
    return [pair for pair in pairs if pair.seeds]


def _apart(first: np.ndarray | None, second: np.ndarray | None, of_first: list[int], of_second: list[int]) -> np.ndarray | None:
    """[S, n or K]: by how much the second has more of each image or draw, seeds in one order; None where that is not known of both."""
    if first is None or second is None or first.shape[1] != second.shape[1]:
        return None
    return second[of_second].astype(np.float64) - first[of_first]


def _pair(name: str, column: Column, first: Cell, second: Cell) -> Pair:
    """Over the seeds that both have."""
    seeds = tuple(seed for seed in first.values if seed in second.values)
    values = [np.array([cell.values[seed] for seed in seeds]) for cell in (first, second)]
    apart, rows = values[1] - values[0], [[list(cell.values).index(seed) for seed in seeds] for cell in (first, second)]
    images = _apart(first.correct, second.correct, *rows)
    half = interval(apart, images, _apart(first.draws, second.draws, *rows)) if seeds else None
    difference = float(apart.mean()) if seeds else 0.0
    if seeds and not apart.any() and (images is None or not images.any()):
        standing = "equal"
    elif half is None:
        standing = "no statement"
    else:
        standing = "alike" if abs(difference) <= half else "above" if difference > 0 else "below"
    means = [float(each.mean()) if seeds else 0.0 for each in values]
    return Pair(name, column.key, column.header, column.shown != "", seeds, *means, difference, half, standing)
