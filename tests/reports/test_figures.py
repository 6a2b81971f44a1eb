"""Figures: every point where its row's numbers are, within its axes; every name within the picture; too many rows are not drawn."""

import functools
import math
import re
from itertools import combinations, pairwise

import pytest
from click.testing import CliRunner
from test_reports import frame_of, run

import run_bench
from bench.records.store import ResultStore
from places import ROOT
from reports.plots import cost, families, years
from reports.plots.label_placement import spread
from reports.tables.build import build
from reports.tables.drawable import CHARACTERS, MOST_NAMES, MOST_POINTS, undrawn

COMMITTED = sorted(path.name for path in (ROOT / "results").iterdir() if path.is_dir())
LARGE = "cifar10_search"
"""Nine seconds, for 180 settings that are not drawn in the end."""
COSTS = ("tflop", "seconds")


@functools.cache
def committed(name):
    return build(ResultStore(ROOT / "results" / name).frame())


def sixty(folder, costs=lambda i: 2e12):
    return build(frame_of(folder, [run(f"m{i:02}", 60 + 0.3 * i, 0, flops=costs(i)) for i in range(60)]))


def rows_of(table, kind="method"):
    return sorted((row for row in table.rows if (row.kind == "method") == (kind == "method") and table.ranked_by in row.cells),
                  key=lambda row: row.label)  # fmt: skip


def points(axes):
    """(x, y, low and high end of the interval or None) of each point, in the order drawn."""
    found = []
    for container in axes.containers:
        line, _, bars = container.lines
        segments = [segment for bar in bars for segment in bar.get_segments()]
        ((x,), (y,)) = line.get_data()
        found.append((float(x), float(y), tuple(float(end) for end in segments[0][:, 1]) if segments else None))
    return found


def inside(axes, x, y):
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    return left < x < right and bottom <= y <= top


def wrong(figure, table, column):
    """What is drawn elsewhere than its row's numbers are, or outside the axes."""
    (axes,) = figure.axes
    found = points(axes)
    rows = rows_of(table)
    assert len(found) == len(rows)
    bad = []
    for row, (x, y, interval) in zip(rows, found, strict=True):
        cell = row.cells[table.ranked_by]
        half = cell.half_width
        ends = None if half is None else (cell.mean - half, cell.mean + half)
        if x != row.cells[column].mean or y != cell.mean or not inside(axes, x, y) or (ends and interval != pytest.approx(ends)):
            bad.append(row.label)
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    return bad + [row.label for row in rows_of(table, "reference") if row.cells[table.ranked_by].mean not in heights]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if name == LARGE else []) for name in COMMITTED])
def test_every_point_of_the_committed_records_is_where_its_numbers_are(name):
    tables = [table for table in committed(name) if table.ranked_by]
    assert tables or not committed(name)
    for table in tables:
        # Those of a search too, though none of these is drawn in the end: where a point is does not depend on how many there are.
        for column in COSTS[: 2 if len(rows_of(table)) <= MOST_POINTS else 1]:
            assert wrong(cost.draw(table, column, column), table, column) == []


@pytest.mark.parametrize("costs", [lambda i: 2e12, lambda i: 2e12 * (1 + i / 50), lambda i: 1e11 * 1.2**i], ids=["equal", "near", "wide"])
def test_sixty_methods_are_where_their_numbers_are(tmp_path, costs):
    (table,) = sixty(tmp_path, costs)
    for column in COSTS:
        assert wrong(cost.draw(table, column, column), table, column) == []


def test_a_point_beside_its_cost_is_seen(tmp_path, monkeypatch):
    """As points once were: moved along the axis until none touched another."""
    (table,) = sixty(tmp_path)
    true, count = cost.draw_point, iter(range(60))
    monkeypatch.setattr(cost, "draw_point", lambda axes, row, place, *rest: true(axes, row, place * (1 + next(count) / 200), *rest))
    assert len(wrong(cost.draw(table, "tflop", "TFLOP"), table, "tflop")) == 59


def test_points_of_the_families_are_where_their_numbers_are():
    (table,) = committed("tiny_imagenet50")
    panels = families.grouped(table, {row.method: "ab"[i % 2] for i, row in enumerate(table.rows)})
    figure = families.draw(table, panels)
    for axes, rows in zip(figure.axes, panels.values(), strict=True):
        assert [(x, y) for x, y, _ in points(axes)] == [(i, row.cells[table.ranked_by].mean) for i, row in enumerate(rows)]
        assert all(inside(axes, x, y) for x, y, _ in points(axes))
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [row.label for row in rows]


def texts(figure):
    """Every name's and number's box in pixels."""
    figure.draw_without_rendering()
    renderer, found = figure.canvas.get_renderer(), [text for axes in figure.axes for text in axes.texts]
    for axis, limits in ((axis, getattr(axes, f"get_{axis.axis_name}lim")()) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        # A tick beyond the limits has a label that is not drawn.
        ticks = [tick for tick in axis.get_major_ticks() if limits[0] <= tick.get_loc() <= limits[1]]
        found += [tick.label1 for tick in ticks if tick.label1.get_visible()]
    return {f"{i} {text.get_text()}": text.get_window_extent(renderer) for i, text in enumerate(found) if text.get_text()}


def beyond(figure):
    """Texts that leave the picture."""
    _, _, width, height = figure.bbox.extents
    return [text for text, box in texts(figure).items() if box.x0 < 0 or box.x1 > width or box.y0 < 0 or box.y1 > height]


@pytest.mark.parametrize("name", COMMITTED)
def test_what_is_drawn_can_be_read(name):
    """No label leaves the picture, and those of points do not lie on each other."""
    for table, _ in cost.drawn(committed(name)):
        panels = families.grouped(table, {row.method: "ab"[i % 2] for i, row in enumerate(rows_of(table))})
        by_year = years.grouped(table, {row.method: 2012 + i % 9 for i, row in enumerate(rows_of(table))})
        drawn = [families.draw(table, panels), years.draw(table, by_year, {})] if panels else []  # else there are floors alone
        for figure in (*(cost.draw(table, column, column) for column in COSTS), *drawn):
            assert beyond(figure) == []
        for column in COSTS:
            figure = cost.draw(table, column, column)
            renderer = figure.canvas.get_renderer()
            names = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
            assert sum(first.overlaps(second) for first, second in combinations(names, 2)) <= 2


def settings(count, **names):
    return [run(f"m{i:02}", 60 + 0.3 * i, 0, **names) for i in range(count)]


def test_a_table_of_more_rows_than_can_be_read_says_so_and_is_not_drawn(tmp_path):
    (few,) = build(frame_of(tmp_path / "few", settings(MOST_POINTS)))
    (many,) = build(frame_of(tmp_path / "many", settings(MOST_POINTS + 1)))
    (most,) = build(frame_of(tmp_path / "most", settings(MOST_NAMES + 1)))
    assert [line for line in few.lines if "figure" in line] == []
    assert [line for line in many.lines if "figure" in line] == [
        "No figure but families, years and profiles: 41 rows, and 40 at most can be told apart in one; leaderboard.csv has every number."
    ]
    assert "No figure: 65 rows, and 40 at most can be told apart in one; leaderboard.csv has every number." in most.lines
    assert [table for table, _ in cost.drawn([few, many])] == [few]
    assert cost.write([many, most], tmp_path / "out") == [] and not (tmp_path / "out").exists()
    for table, files in ((many, 2), (most, 0)):
        known = [{row.method: of[i % 3] for i, row in enumerate(table.rows)} for of in ("abc", (2006, 2016, 2020))]
        assert [len(families.write([table], tmp_path / "out", known[0])), len(years.write([table], tmp_path / "out", *known[::-1]))] == [
            files
        ] * 2


@pytest.mark.parametrize("count", [27, MOST_POINTS + 1, MOST_NAMES])
def test_names_below_an_axis_do_not_cover_each_other(count, tmp_path):
    """Slanting at 60 and 45 degrees, neighbours stand further apart, at right angles to a line, than a line is high."""
    (table,) = build(frame_of(tmp_path, settings(count)))
    by_year = {year: table.rows[start::10] for start, year in enumerate(range(2010, 2020))}
    of_years, of_families = years.draw(table, by_year, {}), families.draw(table, {"a": table.rows[::2], "b": table.rows[1::2]})
    for figure, angle in ((of_years, years.SLANT[0]), (of_families, families.SLANT[0])):
        for axes in figure.axes:
            labels = [tick.get_position()[0] for tick in axes.get_xticklabels()]
            inches = axes.get_position().width * figure.get_size_inches()[0] / (axes.get_xlim()[1] - axes.get_xlim()[0])
            apart = min(right - left for left, right in pairwise(labels)) * inches * math.sin(math.radians(angle))
            assert apart * 72 > axes.get_xticklabels()[0].get_fontsize()


def test_labels_that_would_cover_the_picture_are_not_drawn(tmp_path):
    records = [
        run("simclr", 60 + i, 0, changes={"hyper_parameters": {"temperature": i / 100, "projection_width": 1000 + i, "crop_min": i / 30}})
        for i in range(20)
    ]
    (table,) = build(frame_of(tmp_path, records))
    characters = sum(len(row.label) for row in table.rows)
    assert len(table.rows) < MOST_POINTS and characters > MOST_POINTS * CHARACTERS
    assert undrawn(table.rows, "linear") == f"labels of {characters:,} characters together, and one has room for 600"
    assert cost.drawn([table]) == [] and undrawn(table.rows[:4], "linear") == ""


def test_the_report_of_the_demos_search_has_its_pages_and_says_why_it_has_no_figure(tmp_path):
    arguments = ["report", "--results", str(ROOT / "results" / "demo_search"), "--output", str(tmp_path)]
    done = CliRunner().invoke(run_bench.cli, arguments)
    assert done.exit_code == 0, done.output
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".csv", ".json"}
    said = re.compile(r"No figure: \d+ rows, and 40 at most can be told apart in one; leaderboard.csv has every number\.")
    assert said.search((tmp_path / "leaderboard.md").read_text()) and said.search(" ".join(done.output.split()))


@pytest.mark.parametrize("count", [1, 8, 25])
def test_names_in_the_margin_stay_beside_the_axes(count):
    heights = [97 + i / 10 for i in range(count)]
    placed = spread(heights, min(5, 90 / count), 10, 100)
    assert min(placed) >= 10 and max(placed) <= 100 + 1e-9 and placed == sorted(placed)


def test_long_names_of_references_have_room(tmp_path):
    records = [
        run("supervised", 90 + i, 0, uses_labels=True, changes={"hyper_parameters": {"padding": i}, "recipe": None}) for i in range(8)
    ]
    (table,) = build(frame_of(tmp_path, [*records, run("simclr", 80)]))
    figure = cost.draw(table, "tflop", "TFLOP")
    assert len([label for label in texts(figure) if "supervised padding" in label]) == 8 and beyond(figure) == []
