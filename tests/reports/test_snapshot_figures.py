"""What was measured within runs: the figure of it, and what `show` says; no table has it among its numbers."""

import json
from dataclasses import replace

import pytest
from test_reports import frame_of, run

from bench.commands.show import on_the_way
from bench.records.record import Result, Snapshot
from reports.plots import cost, snapshots
from reports.tables.build import build


def look(share, accuracy, collapsed=0.0):
    facts = {"dataset": "mnist5k", "n": 400}
    results = [
        Result(evaluator="validation", split="val", metric=metric, value=accuracy + more, **facts)
        for metric, more in (("linear_top1", 4), ("knn_top1", 0))
    ]
    results.append(replace(results[1], value=1.0, weights="student"))
    results.append(Result(evaluator="label_free", split="train", metric="collapsed_centred", value=collapsed, **facts))
    # A projector may collapse alone: its flag is no collapse of its encoder.
    results.append(Result(evaluator="projection", split="train", metric="collapsed_centred", value=1.0, **facts))
    evals = ("validation", "label_free")
    return Snapshot(
        asked=share,
        share=share + 0.01,
        steps=round(100 * share),
        images=round(20_000 * share),
        flops=0.0,
        evals=evals,
        results=tuple(results),
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    records = [
        replace(run("simclr", 90, seed, targets=()), snapshots=(look(0.1, 30 + seed), look(0.5, 60 + seed, float(seed == 2))))
        for seed in range(3)
    ]
    records += [run("byol", 80, seed, targets=()) for seed in range(3)]
    (only,) = build(frame_of(tmp_path_factory.mktemp("results"), records))
    return only


def test_a_row_has_them_beside_its_numbers_and_not_among_them(table):
    simclr, byol = table.rows
    assert byol.on_the_way == () and [one.share for one in simclr.on_the_way] == [0.1, 0.5]
    first, second = simclr.on_the_way
    assert first.cells["val:knn_top1"].values == {0: 30, 1: 31, 2: 32} and first.cells["val:linear_top1"].mean == 35
    assert (first.reached, first.images, second.reached) == (0.11, 2000, 0.51), "of the step that was looked at"
    assert (first.collapsed, second.collapsed) == (0, 1) and first.cells["val:knn_top1"].half_width > 0
    assert [column.key for column in table.on_the_way] == ["val:linear_top1", "val:knn_top1"]
    assert not any(column.key.startswith("val:") for column in table.columns) and not any(key.startswith("val:") for key in simclr.cells)
    assert not any("collapsed" in note for note in simclr.notes), "a note is of the run's end"


def test_the_figure_has_a_panel_a_measure_in_the_same_bytes(table, tmp_path, monkeypatch):
    linear, knn = snapshots.draw(table, [table.rows[0]]).axes
    (bars,) = knn.containers
    assert list(bars.lines[0].get_ydata()) == [31, 61] and list(bars.lines[0].get_xdata()) == [11, 51]
    assert [line.get_markerfacecolor() == "white" for line in knn.lines if line.get_marker() not in ("None", "_", "|")] == [False, True]
    assert "linear" in linear.get_title() and [text.get_text() for text in knn.texts] == ["simclr"]
    first, second = (cost.render(snapshots.draw(table, [table.rows[0]]), "svg") for _ in range(2))
    assert first == second
    monkeypatch.setattr(cost, "render", lambda figure, kind, made_of: b"drawn")
    written = snapshots.write([table], tmp_path)
    assert [path.suffix for path in written] == [".svg", ".png", ".csv", ".json"]
    points = json.loads(written[-1].read_text())
    cells = {(look.share, key): cell for row in table.rows for look in row.on_the_way for key, cell in look.cells.items()}
    assert {(one["share"], one["column"]): one["mean"] for one in points} == {key: cell.mean for key, cell in cells.items()} != {}
    assert snapshots.write([replace(table, on_the_way=())], tmp_path) == []


def test_show_has_a_line_for_each():
    failed = replace(look(0.9, 0), results=(), error="ValueError: not finite")
    assert on_the_way([look(0.1, 30.0, 1.0), failed]) == [
        "11% of the budget, step 10: linear_top1 34.0 on val, knn_top1 30.0 on val, knn_top1 1.0 on val (student); features have collapsed",
        "91% of the budget, step 90: ValueError: not finite",
    ]
    assert "collapsed" not in on_the_way([look(0.1, 30.0)])[0]
