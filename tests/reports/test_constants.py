"""Floors in which nothing is drawn: one number for all seeds, with an interval from test images, compared with every seed of a method."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from test_reports import frame_of, run

from bench.records.record import unpack
from bench.records.store import ResultStore
from places import ROOT
from reports.pages.leaderboard import markdown, print_table
from reports.tables.build import build

NOTHING = hashlib.sha256().hexdigest()


def floor(name, value, seed=0, weights=None, **facts):
    return replace(run(name, value, seed, flops=0.0, trained=False), weights_sha256=weights, **facts)


def table_of(folder, *floors):
    (table,) = build(frame_of(folder, [run(name, 70 + len(name), seed) for name in ("simclr", "byol") for seed in range(3)] + [*floors]))
    return table, {row.label: row for row in table.rows}


KINDS = {
    "declared": [floor("pca", 60.0, 0, "a" * 64, deterministic=True)],
    "an old record without weights": [floor("pixels", 60.0, 0, NOTHING)],
    "old records with the same weights": [
        replace(floor("pca", 60.0, seed, "a" * 64), results=floor("pca", 60.0).results) for seed in range(2)
    ],
}
DRAWN = {
    "one seed of what has weights": [floor("random", 60.0, 0, "a" * 64)],
    "an own draw at each seed": [floor("random", 60.0, seed, str(seed) * 64) for seed in range(2)],
    "it is not known": [floor("random", 60.0)],
}


@pytest.mark.parametrize("kind", [*KINDS, *DRAWN])
def test_what_is_the_same_at_every_seed_is_known_and_nothing_else_is(tmp_path, kind):
    records = (KINDS | DRAWN)[kind]
    table, rows = table_of(tmp_path, *records)
    row = rows[records[0].spec["method"]]
    assert row.constant == (kind in KINDS)
    cell = row.cells["linear"]
    assert table.title.endswith("· 3 seeds, mean with 95 % interval") == row.constant
    shown = next(line for line in markdown([table]).splitlines() if f"| {row.label} " in line)
    assert ("| any |" in " ".join(shown.split())) == row.constant
    standing = table.compared["linear"].standing("simclr", row.label)
    if not row.constant:
        assert cell.half_width is None and standing == "no statement"
        return
    (result,) = (result for result in records[0].results if result.evaluator == "linear")
    right = 100 * unpack(result.correct, result.n).astype(float)
    assert cell.half_width == pytest.approx(stats.t.ppf(0.975, len(right) - 1) * stats.sem(right)) and standing == "above"
    # What no test image was asked of has no interval.
    assert row.cells["rankme"].half_width is None
    print_table([table], Console(file=io.StringIO(), width=100))


def test_a_mean_over_classes_of_a_constant_has_no_interval(tmp_path):
    record = floor("pixels", 60.0, 0, NOTHING)
    results = tuple(replace(result, metric=result.metric.replace("top1", "mean_per_class")) for result in record.results)
    _, rows = table_of(tmp_path, replace(record, results=results))
    assert rows["pixels"].constant and all(cell.half_width is None for cell in rows["pixels"].cells.values())


def test_the_committed_pixels_have_an_interval_and_stand_beside_every_method():
    for table in build(ResultStore(ROOT / "results" / "cifar10").frame()):
        (pixels,) = (row for row in table.rows if row.label == "pixels")
        assert pixels.constant and 0.9 < pixels.cells["linear"].half_width < 1.1
        methods = [row.label for row in table.rows if row.kind == "method" and not row.lost and len(row.cells["linear"].values) > 2]
        standings = {table.compared["linear"].standing(label, "pixels") for label in methods}
        assert methods and "no statement" not in standings
        assert np.isfinite(table.compared["linear"].half_width[table.compared["linear"].place["pixels"]]).any()
