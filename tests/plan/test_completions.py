"""What `status` remembers of an earlier plan: it is as quick as it is right."""

import subprocess
import sys

import pytest
from PIL import Image

from bench.commands.request import Request
from bench.plan import completed
from bench.plan.plan import make_plan
from bench.records.store import ResultStore
from bench.spec import Budget, RunSpec
from places import ROOT

RUN_BENCH = ROOT / "run_bench.py"
NOTHING = dict.fromkeys(("encoder", "image_size", "batch_size", "precision", "pretrain_split", "recipe"))


@pytest.fixture
def ids(tmp_path):
    """Ids of the runs that options describe, as a status has them, and whether nothing was completed for it."""

    def find(look=True, **described):
        told = NOTHING | {"method": "simclr", "dataset": "mnist5k", "budget": "2000images", "seeds": "0,1", "settings": ()} | described
        request = Request(results=str(tmp_path / "results"), scratch=str(tmp_path / "scratch"), **told)
        before = completed.read(request.scratch)
        runs = request.plan(look)[0].runs
        return [run.id for run in runs], before == completed.read(request.scratch) != {}

    return find


@pytest.fixture
def images(tmp_path):
    """A folder of 40 images."""
    for number in range(40):
        place = tmp_path / "images" / "train" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(place / f"{number}.png")
    return tmp_path / "images"


@pytest.mark.slow
def test_status_after_a_plan_imports_no_torch(tmp_path):
    options = ["--method", "simclr,random", "--budget", "2000images", "--results", tmp_path / "r", "--scratch", tmp_path / "s"]
    check = f"""
import runpy, sys
sys.argv = {["run_bench.py", "status", *map(str, options)]!r}
try:
    runpy.run_path({str(RUN_BENCH)!r}, run_name="__main__")
finally:
    print("torch" in sys.modules)
"""
    told = {"cwd": RUN_BENCH.parent, "capture_output": True, "text": True}
    first, second = (subprocess.run([sys.executable, "-c", check], **told).stdout.splitlines() for _ in "12")
    assert first[:-1] == second[:-1] and "6 runs: 6 to do" in second[-2]
    assert first[-1] == "True" and second[-1] == "False"


def test_settings_are_kept_apart_and_seeds_are_not(ids):
    first, known = ids()
    assert not known
    assert ids() == (first, True) and ids(seeds="1,0") == (first[::-1], True)
    for other in ({"batch_size": 128}, {"settings": ("temperature=0.3",)}, {"processes": 2}, {"method": "byol"}, {"encoder": "vit_nano"}):
        found, known = ids(**other)
        assert not known, other
        assert ids(**other) == (found, True) and ids(look=False, **other) == (found, True)
    assert ids() == (first, True), "what came later is added"


def test_budgets_that_print_alike_are_kept_apart(ids):
    near, other = "2.001e12flops", "2.004e12flops"
    first, _ = ids(budget=near, look=False)
    second, known = ids(budget=other)
    assert not known and not set(first) & set(second)
    assert ids(budget=near) == (first, True) and ids(budget=other) == (second, True)


def test_one_plan_of_budgets_that_print_alike_has_a_run_of_each(tmp_path):
    budgets = [Budget("flops", amount) for amount in (2.001e12, 2.004e12)]
    assert str(budgets[0]) == str(budgets[1])
    specs = [RunSpec(method="random", dataset="digits", budget=budget) for budget in budgets]
    runs = make_plan(specs, ("knn",), ResultStore(tmp_path)).runs
    assert [run.budget for run in runs] == budgets and len({run.id for run in runs}) == 2


def test_a_change_of_the_code_is_seen(ids, monkeypatch, tmp_path):
    ids()
    for folder in ("bench", "methods"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(completed, "ROOT", tmp_path)
    file = tmp_path / "methods" / "mine.py"
    file.write_text("one = 1")
    assert not ids()[1] and ids()[1]
    file.write_text("one = 11")
    assert not ids()[1] and ids()[1]


def test_a_users_own_method_is_known_by_its_text(ids, tmp_path):
    source, file = (RUN_BENCH.parent / "methods" / "rotation.py").read_text(), tmp_path / "mine.py"
    file.write_text(source)
    first, _ = ids(method=str(file))
    assert ids(method=str(file)) == (first, True)
    file.write_text(source + "\n# another\n")
    second, known = ids(method=str(file))
    assert second != first and not known


def test_changed_images_are_another_run(ids, images):
    described = {"dataset": f"folder:{images}", "requests": "validation", "encoder": "resnet8", "image_size": 8, "batch_size": 8}
    first, _ = ids(**described)
    assert ids(**described) == (first, True)
    Image.new("RGB", (8, 8)).save(images / "train" / "a" / "new.png")
    second, _ = ids(**described)
    assert not set(first) & set(second)
    assert ids(**described) == (second, True), "the new ones take the place of the old"


def test_what_is_kept_may_be_broken_or_unwritable(ids, tmp_path, monkeypatch):
    first, _ = ids()
    path = completed._path(tmp_path / "scratch")
    for text in ("", "{", "[]", '{"state": 1}', path.read_text().replace('"simclr"', "7")):
        path.write_text(text)
        assert ids()[0] == first
    path.unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(completed, "write", full)
    assert ids() == (first, False)


def test_a_budget_in_seconds_is_not_kept(ids):
    ids(budget="5s")
    assert not ids(budget="5s")[1]
