"""An image that cannot be decoded ends a run before it is trained, whatever split or target it lies in."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bench.commands.console import require_images
from bench.data import catalogue, unread
from bench.data.load import read_split
from bench.data.packing import pack
from bench.data.unread import require_readable
from bench.errors import UserError
from bench.plan.plan import make_plan
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.place import Place
from bench.spec import Budget, RunSpec
from bench.training.trainer import Trainer


def damage(path):
    """The header stays, and the size: nothing but decoding tells."""
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(len(content) - 60))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "results", tmp_path / "scratch", data_root=tmp_path)


def write_folder(path):
    """Two classes, each with 6 images to train on, 3 of val and 3 of test."""
    draw = np.random.default_rng(len(str(path)))
    for part, count in (("train", 6), ("val", 3), ("test", 3)):
        for label in "ab":
            (path / part / label).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path / part / label / f"{number}.png")
    return path


@pytest.fixture
def folders(tmp_path):
    return write_folder(tmp_path / "birds"), write_folder(tmp_path / "insects")


def plan_of(folders, place):
    birds, insects = folders
    spec = RunSpec(method="simclr", dataset=f"folder:{birds}", budget=Budget("steps", 1), image_size=16, recipe_changes={"batch_size": 4})
    return make_plan([spec], ("label_free", f"transfer:folder:{insects}"), ResultStore(place.results), place.data_root)


@pytest.mark.parametrize("damaged", ["birds/val/b/1", "insects/train/a/5", "insects/val/a/0", "insects/test/b/2"])
def test_every_split_is_read_before_the_training(folders, place, damaged, monkeypatch):
    damage(place.data_root / f"{damaged}.png")
    plan = plan_of(folders, place)
    monkeypatch.setattr(Trainer, "run", lambda trainer: pytest.fail("it was trained"))
    with pytest.raises(UserError, match=rf"{damaged}.png' cannot be read as an image: .*\(1 of \d+ images cannot"):
        execute(plan.todo[0], plan.evals, place)
    assert not ResultStore(place.results).records()


def test_what_was_read_before_is_what_is_evaluated(folders, place):
    plan = plan_of(folders, place)
    read_split.cache_clear()
    execute(plan.todo[0], plan.evals, place)
    # birds: train and val; insects: train, val and test. All later looks find them.
    assert read_split.cache_info().misses == 5 and ResultStore(place.results).records()[0].status == "done"


@pytest.mark.parametrize("damaged", ["birds/test/b/1", "insects/train/a/5"])
def test_a_command_looks_before_it_launches_anything(folders, place, damaged):
    plan = plan_of(folders, place)
    request = SimpleNamespace(data=catalogue.DataSets(place.data_root), scratch=place.scratch)
    require_images(plan, request)
    assert len(list((place.scratch / unread.FOLDER).iterdir())) == 2, "a mark for each of two folders"
    damage(place.data_root / f"{damaged}.png")
    with pytest.raises(UserError, match=rf"{damaged}.png' cannot be read.*\(1 of 24 images cannot; `run_bench.py data check folder:"):
        require_images(plan, request)


def looked_at(data, scratch) -> list[int]:
    """How many files were decoded: none where all were found well before."""
    counts = []
    require_readable(data, 16, scratch, counts.append)
    return counts


def test_a_file_is_decoded_again_only_where_it_changed(folders, tmp_path):
    data = catalogue.require(f"folder:{folders[0]}", tmp_path)
    assert looked_at(data, tmp_path / "scratch") == [24]
    assert looked_at(data, tmp_path / "scratch") == []
    Image.new("RGB", (16, 16)).save(folders[0] / "val/a/0.png")
    assert looked_at(data, tmp_path / "scratch") == [24]


def test_reading_needs_no_permission_to_write(folders, tmp_path):
    (tmp_path / "scratch").write_text("a file, in which no mark can be made")
    data = catalogue.require(f"folder:{folders[0]}", tmp_path)
    assert looked_at(data, tmp_path / "scratch") == [24] == looked_at(data, tmp_path / "scratch")


def test_packs_arrays_and_what_is_compared_byte_for_byte_are_not_decoded(folders, tmp_path):
    assert looked_at(catalogue.require("digits", tmp_path), tmp_path / "scratch") == []
    pack(f"folder:{folders[0]}", 16, tmp_path)
    data = catalogue.require(f"folder:{folders[0]}", tmp_path)
    assert looked_at(data, tmp_path / "scratch") == []
    shutil.rmtree(tmp_path / "packed")
    assert looked_at(data, tmp_path / "scratch") == [24]
