"""A data set is looked up once: how often a folder is walked over and its images decoded for a plan, a status and a run."""

import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from bench import method as method_module
from bench.commands.request import Request
from bench.data import images as images_module
from bench.data import load as load_module
from bench.data.catalogue import DataSets, require
from bench.data.load import load
from bench.data.rows import RowsInMemory
from bench.data.source import load_source
from bench.errors import UserError
from bench.plan.complete import complete
from bench.plan.plan import make_plan
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.place import Place
from bench.spec import Budget, RunSpec

NOTHING = dict.fromkeys(("encoder", "precision", "recipe"))


def write_folder(path, train, test):
    """So many images of noise, in two classes."""
    draw = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            place = path / split / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(place / f"{number}.png")


@pytest.fixture
def folder(tmp_path):
    """40 images to train on, of which 4 become val, and 10 to test on."""
    write_folder(tmp_path / "images", 40, 10)
    return tmp_path / "images"


@pytest.fixture
def count(monkeypatch, folder):
    """Walks over each folder's train part, and decoded images, so far."""
    counted = Counter()
    scandir, decode = os.scandir, images_module.decode

    def scan(path="."):
        counted.update([os.fspath(path)] if os.path.basename(os.fspath(path)) == "train" else [])
        return scandir(path)

    def decoded(file, as_shown):
        counted["decoded"] += 1
        return decode(file, as_shown)

    monkeypatch.setattr(os, "scandir", scan)
    monkeypatch.setattr(images_module, "decode", decoded)
    load_module.read_split.cache_clear()
    return counted


def request(folder, tmp_path, **described):
    told = {"method": "simclr,byol,rotation", "budget": "2steps", "seeds": "0,1,2,3", "image_size": 16, "batch_size": 8}
    told |= {"requests": "knn,label_free", "pretrain_split": "train", "settings": (), "dataset": f"folder:{folder}"}
    return Request(results=str(tmp_path / "results"), scratch=str(tmp_path / "scratch"), threads=1, **(NOTHING | told | described))


def test_a_plan_of_twelve_runs_walks_over_the_folder_once(folder, tmp_path, count):
    plan, _ = request(folder, tmp_path).plan()
    assert len(plan.runs) == 12 and count == {str(folder / "train"): 1}
    request(folder, tmp_path).plan(look=True)
    assert count == {str(folder / "train"): 2}, "a status looks again, once"


@pytest.mark.parametrize("look", [False, True])
def test_a_plan_of_a_supervised_run_decodes_nothing(folder, tmp_path, count, look):
    (run,) = request(folder, tmp_path, method="supervised", seeds="0").plan(look)[0].runs
    assert run.id and count == {str(folder / "train"): 1}


def test_a_run_walks_once_over_each_folder_and_decodes_each_image_once(folder, tmp_path, count):
    write_folder(tmp_path / "other", 20, 6)
    target = f"transfer:folder:{tmp_path / 'other'}"
    told = request(folder, tmp_path, method="simclr", seeds="0,1", requests=f"knn,label_free,{target}")
    plan, store = told.plan()
    assert count == {str(folder / "train"): 1, str(tmp_path / "other" / "train"): 1}
    first, second = plan.todo
    place = Place(told.results, told.scratch, told.root)
    assert execute(first, plan.evals, place)
    assert count == {str(folder / "train"): 2, str(tmp_path / "other" / "train"): 2, "decoded": 50 + 26}
    assert execute(second, plan.evals, place)
    assert count == {str(folder / "train"): 3, str(tmp_path / "other" / "train"): 3, "decoded": 50 + 26}, "kept for the next run"
    assert {record.status for record in ResultStore(store.folder).records()} == {"done"}


def test_a_folder_that_changed_since_the_plan_is_refused(folder, tmp_path):
    told = request(folder, tmp_path, method="simclr", seeds="0")
    plan, store = told.plan()
    Image.new("RGB", (16, 16)).save(folder / "train" / "a" / "new.png")
    with pytest.raises(UserError, match=r"planned with data_revision \w{12}, and it is \w{12} now; plan it again"):
        execute(plan.todo[0], plan.evals, Place(told.results, told.scratch, told.root))
    assert not ResultStore(store.folder).records()


def test_data_sets_are_looked_up_once_each(folder):
    data = DataSets()
    first = data.require(f"folder:{folder}")
    Image.new("RGB", (16, 16)).save(folder / "train" / "a" / "new.png")
    assert data.require(f"folder:{folder}", needs_test=True) is first and require(f"folder:{folder}").revision != first.revision
    (folder / "test").rename(folder / "tset")
    without = DataSets()
    assert without.require(f"folder:{folder}")
    with pytest.raises(UserError, match="has no split 'test'"):
        without.require(f"folder:{folder}", needs_test=True)


@pytest.mark.parametrize(("dataset", "size"), [pytest.param("mnist5k", 28, marks=pytest.mark.slow), ("digits", 16), (None, 16)])
def test_training_images_are_held_once(folder, dataset, size):
    """What a run is trained on are the images that are evaluated, in another order, and not a copy of them."""
    data = require(dataset or f"folder:{folder}")
    spec = RunSpec(method="random", dataset=data.name, budget=Budget("steps", 1), image_size=size)
    source, _ = load_source(spec, data)
    evaluated = load(data, "train", size).images
    held = evaluated.images if isinstance(evaluated, RowsInMemory) else evaluated
    assert source.images.images.data_ptr() == held.data_ptr() and len(source.images) == len(evaluated)
    if dataset == "mnist5k":
        val = load(data, "val", size).images
        assert val.images.data_ptr() == held.data_ptr(), "stored arrays are held as they were read"


def test_a_plan_builds_a_method_once_for_all_its_recipes(tmp_path, monkeypatch):
    seen, build = [], method_module.build
    monkeypatch.setattr(method_module, "build", lambda cls, *rest: seen.append(cls.__name__) or build(cls, *rest))
    facts = {"dataset": "digits", "budget": Budget("steps", 4)}
    specs = [RunSpec(method="simclr", recipe_changes={"lr": lr, "batch_size": 64}, **facts) for lr in (0.1, 0.2, 0.3)]
    specs += [RunSpec(method="simclr", hyper_parameters={"temperature": 0.1}, recipe_changes={"batch_size": 64}, **facts)]
    runs = make_plan(specs, ("knn",), ResultStore(tmp_path)).runs
    assert seen == ["SimCLR", "SimCLR"] and [run.recipe.lr for run in runs[:3]] == [0.1, 0.2, 0.3]
    assert [run.id for run in runs] == [complete(spec).id for spec in specs]
