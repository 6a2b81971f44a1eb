"""`show RUN --plots`: what is drawn of a run is what its record says of it, and what cannot be drawn is said."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bench.commands import plots
from bench.commands.cli import cli
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.place import Place
from bench.spec import Budget, RunSpec


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a run's results and scratch; its record."""
    folder = tmp_path_factory.mktemp("plots")
    facts = {"method": "simclr", "dataset": "digits", "budget": Budget("steps", 4), "image_size": 16, "precision": "float32"}
    place = Place(folder / "results", folder / "scratch", keep_weights="encoder")
    execute(complete(RunSpec(**facts, recipe_changes={"batch_size": 32})), ("linear",), place)
    (record,) = ResultStore(place.results).records()
    return folder, record


def show(folder, *arguments, scratch="scratch"):
    places = ["--results", str(folder / "results"), "--scratch", str(folder / scratch)]
    return CliRunner().invoke(cli, ["show", *arguments, *places], standalone_mode=False)


def test_confusions_add_up_to_the_record_with_weights_of_either_place(made, tmp_path, monkeypatch):
    """In scratch lies the whole method, beside the record the encoder alone."""
    folder, record = made
    (linear,) = [result for result in record.results if result.evaluator == "linear"]
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    for scratch in ("scratch", "elsewhere"):
        said = show(folder, record.id[:6], "--plots", "--output", str(tmp_path / scratch), scratch=scratch)
        assert said.exception is None, said.exception
        assert "no map of the features: it needs a library, pip install umap-learn" in said.stderr
        names = {path.name for path in (tmp_path / scratch).iterdir()}
        assert names == {"neighbours.png", "confusion.svg", "confusion.png", "confusion.csv"}
        with (tmp_path / scratch / "confusion.csv").open() as file:
            head, *rows = csv.reader(file)
        counts = np.array([row[1:] for row in rows], dtype=int)
        assert head[1:] == [row[0] for row in rows] and counts.sum() == linear.n
        assert 100 * counts.trace() / counts.sum() == pytest.approx(linear.value)
    assert record.id in (tmp_path / "scratch" / "confusion.svg").read_text()
    with Image.open(tmp_path / "scratch" / "neighbours.png") as sheet:
        assert sheet.text["Source"].startswith("1 run, SHA-256 of their ids") and "protocol" in sheet.text["Source"]
    for name in ("neighbours.png", "confusion.svg"):
        assert (tmp_path / "scratch" / name).read_bytes() == (tmp_path / "elsewhere" / name).read_bytes()


def test_a_row_of_a_confusion_is_the_true_class():
    counts = plots.confusion(np.array([0, 0, 2]), np.array([1, 1, 2]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_a_frame_says_whether_a_neighbour_is_of_the_class(monkeypatch):
    import torch

    framed = []
    monkeypatch.setattr(plots, "pictured", lambda image, same: framed.append((int(image[0, 0, 0]), same)) or plots.Image.new("RGB", (9, 9)))
    train_x, test_x = np.eye(3, dtype=np.float32), np.array([[0.1, 0.9, 0.2], [1, 0.2, 0.1]], dtype=np.float32)
    train, test = (torch.arange(len(x), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2) for x in (train_x, test_x))
    plots.neighbours(train_x, np.array([0, 1, 1]), train, test_x, np.array([1, 0]), test)
    # One query of each class, first the one of class 0; then the nearest of both, the second nearest, the third.
    assert framed == [(1, None), (0, None), (0, True), (1, True), (1, False), (2, True), (2, False), (0, False)]


@pytest.mark.slow
def test_a_map_has_a_point_for_each_test_image_and_the_same_bytes(made, tmp_path):
    folder, record = made
    for name in ("first", "second"):
        assert show(folder, record.id, "--plots", "--output", str(tmp_path / name)).exception is None
    with (tmp_path / "first" / "umap.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["test_image", "class", "x", "y"] and len(rows) == record.results[0].n
    assert len({row[1] for row in rows}) == 10 and np.isfinite(np.array([row[2:] for row in rows], dtype=float)).all()
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "x"], "--output is for --plots"),
        (["--data-root", "x"], "--data-root is for --plots"),
    ],
)
def test_options_of_pictures_without_them_are_refused(made, arguments, said):
    folder, record = made
    assert said in str(show(folder, record.id, *arguments).exception)


def test_a_run_whose_weights_are_gone_is_refused_before_anything_is_written(made, tmp_path):
    folder, record = made
    kept = next((folder / "results").glob("*/*.safetensors"))
    hidden = kept.rename(tmp_path / kept.name)
    try:
        failed = show(folder, record.id, "--plots", "--output", str(tmp_path / "out"), scratch="elsewhere").exception
    finally:
        hidden.rename(kept)
    assert "the weights of" in str(failed) and not (tmp_path / "out").exists()
