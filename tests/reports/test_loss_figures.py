"""How losses fell: a panel for each method that has a curve, its seeds' own points, and the same bytes for the same records."""

import numpy as np
import pandas
import pytest

from bench.records.store import ResultStore
from places import ROOT
from reports.plots import losses
from reports.tables.build import build

METHODS = ["simclr", "byol", "rotation", "random"]


@pytest.fixture(scope="module")
def tables():
    every = ResultStore(ROOT / "results" / "cifar10").frame()
    return build(every[every.method.isin(METHODS) & (every.encoder == "resnet8")], {}, {}, {})


@pytest.fixture(scope="module")
def curves(tables):
    runs = {run for table in tables for row in table.rows for _, run in row.runs}
    store = ResultStore(ROOT / "results" / "cifar10")
    found = {run: next(iter(store.files_of([run]).values())).loss_curve for run in runs}
    return {run: curve for run, curve in found.items() if curve}


def test_every_method_with_a_curve_has_a_panel_with_a_line_a_seed(tables, curves):
    (table,) = tables
    rows = [row for row in table.rows if row.label != "random"]
    figure = losses.draw(table, rows, curves)
    assert [axes.get_title() for axes in figure.axes] == [row.label for row in rows] and len(rows) == 3
    for axes, row in zip(figure.axes, rows, strict=True):
        drawn = [line.get_xydata() for line in axes.get_lines()]
        expected = [np.array(curves[run]) * (100, 1) for _, run in sorted(row.runs)]
        assert len(drawn) == len(row.runs) >= 3
        assert all(np.array_equal(line, points) for line, points in zip(drawn, expected, strict=True))


def test_equal_records_give_equal_bytes_and_none_without_curves(tables, curves, tmp_path):
    first, second = (losses.write(tables, tmp_path / name, curves) for name in ("first", "second"))
    assert [path.suffix for path in first] == [".svg", ".png", ".csv", ".json"]
    told = pandas.read_csv(first[2])
    assert {run: list(zip(part.share, part.loss, strict=True)) for run, part in told.groupby("run")} == {
        run: [tuple(point) for point in curve] for run, curve in curves.items()
    }
    assert first[0].name.startswith("losses-cifar10-resnet8-")
    assert all(path.read_bytes() == other.read_bytes() for path, other in zip(first, second, strict=True))
    assert "mean" not in first[0].read_text() and losses.write(tables, tmp_path / "none", {}) == []
    assert not (tmp_path / "none").exists()
