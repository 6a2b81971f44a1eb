"""Reports of searches: what a table costs beside its numbers does not grow with its settings."""

from collections import Counter

import pandas
from test_reports import frame_of, run

from reports.tables.build import build
from reports.tables.settings import settings_of


def search(folder, count):
    return frame_of(folder, [run("simclr", 60 + i % 30, 0, changes={"hyper_parameters": {"temperature": i}}) for i in range(count)])


def test_a_setting_costs_no_step_of_a_frame(tmp_path, monkeypatch):
    """A step takes a tenth of a millisecond, and eight hundred settings took a hundred each."""
    frames = [search(tmp_path / str(count), count) for count in (3, 30)]
    counts = []

    def counted(name, own):
        def count(self, *arguments, **options):
            counts[-1][name] += 1
            return own(self, *arguments, **options)

        return count

    for name in ("__getitem__", "groupby", "drop_duplicates"):
        monkeypatch.setattr(pandas.DataFrame, name, counted(name, getattr(pandas.DataFrame, name)))
    for frame in frames:
        counts.append(Counter())
        (table,) = build(frame)
        assert len(table.rows) == len(frame.id.unique())
    assert counts[0] == counts[1]


def test_settings_have_each_run_once_and_all_that_was_measured_by_seed(tmp_path):
    frame = frame_of(tmp_path, [run("simclr", 80, seed, weights=("student",)) for seed in (2, 0, 1)] + [run("byol", 70, status="failed")])
    byol, simclr = settings_of(frame.fillna({"recipe": ""}))
    assert [run.seed for run in simclr.runs] == [0, 1, 2]
    assert [result.seed for result in simclr.results] == [seed for seed in (0, 1, 2) for _ in range(len(simclr.results) // 3)]
    assert len(simclr.results) == int((frame.method == "simclr").sum()) and {result.weights for result in simclr.results} == {
        None,
        "student",
    }
    assert byol.results == [] and [run.status for run in byol.runs] == ["failed"] and byol.kind == "method"
