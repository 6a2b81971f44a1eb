"""A folder of a user's own: one id for its content whatever its path is spelled like, and all that is odd about its files is said."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from bench.commands.request import Request
from bench.data import catalogue
from bench.data.check import check
from bench.data.load import load_split
from bench.errors import UserError
from bench.folder_name import canonical, identity, identity_of_request, labelled, parse, shown
from bench.plan.plan import make_plan
from bench.records.frame import one_name_each, tidy
from bench.records.record import Cost, Result, RunRecord, to_text
from bench.records.store import ResultStore
from bench.spec import Budget, RunSpec, ids_of


def write(path, value: int = -1):
    """An image of noise, every one another, or of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(abs(hash(str(path)))).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise if value < 0 else np.full_like(noise, value)).save(path, "JPEG" if "jf" in path.suffix else None)


@pytest.fixture
def birds(tmp_path):
    """Two classes, 12 images each to train on and 4 to test on."""
    for part, count in (("train", 12), ("test", 4)):
        for label in "ab":
            for number in range(count):
                write(tmp_path / "data/birds" / part / label / f"{number}.png")
    return tmp_path / "data/birds"


def plan_of(dataset: str, tmp_path, evals=("knn",), method="pixels", results="results"):
    spec = RunSpec(method=method, dataset=dataset, budget=Budget("steps", 1))
    return make_plan([spec], evals, ResultStore(tmp_path / results))


def record_of(spec: RunSpec, evals=("knn",), results=()) -> RunRecord:
    cost = Cost(steps=0, images=0, flops=0, seconds=0)
    return RunRecord(id=spec.id, spec=spec.to_json(), suite="adhoc", status="done", evals=evals, cost=cost, results=results)


def spellings(birds, monkeypatch) -> list[str]:
    (birds.parent / "link").symlink_to(birds)
    monkeypatch.chdir(birds.parent)
    monkeypatch.setenv("HOME", str(birds.parent))
    return [str(birds), f"{birds}/", "birds", "./birds//", "birds/../birds", "link", "~/birds"]


def test_every_spelling_of_a_path_is_one_run_and_one_target(birds, tmp_path, monkeypatch):
    plans = [plan_of(f"folder:{path}", tmp_path, ("knn", f"transfer:folder:{path}")) for path in spellings(birds, monkeypatch)]
    plans.append(plan_of(f"mine=folder:{birds}", tmp_path, ("knn", f"transfer:mine=folder:{birds}")))
    assert len({plan.runs[0].id for plan in plans}) == 1
    revision = plans[0].runs[0].data_revision
    assert {plan.runs[0].dataset for plan in plans[:-1]} == {f"folder:{birds}"}
    assert {plan.evals for plan in plans[:-1]} == {("knn", f"transfer:folder:{birds}?revision={revision}")}
    store = ResultStore(tmp_path / "results")
    path = store.publish(record_of(plans[0].runs[0], plans[0].evals))
    assert path.parent.name == "birds"
    for plan in plans:
        assert store.missing(plan.runs[0], plan.evals) == (), "held, by whatever path and name"
    assert store.publish(record_of(plans[-1].runs[0], plans[-1].evals)) == path


def test_a_copy_elsewhere_is_the_same_run_and_changed_content_another(birds, tmp_path):
    copy = shutil.copytree(birds, tmp_path / "elsewhere/vogels")
    target = f"transfer:folder:{copy}"
    before, there = plan_of(f"folder:{birds}", tmp_path), plan_of(f"folder:{copy}", tmp_path, ("knn", target))
    assert before.runs[0].id == there.runs[0].id
    store = ResultStore(tmp_path / "results")
    store.publish(record_of(there.runs[0], there.evals))
    write(copy / "test/a/new.png")
    after = plan_of(f"folder:{copy}", tmp_path, ("knn", target))
    assert after.runs[0].id != there.runs[0].id
    # Of the unchanged run the target is another one now: it is measured again, and no old number is read as the new one.
    assert store.missing(before.runs[0], after.evals) == (after.evals[1],)
    with pytest.raises(UserError, match=r"planned with vogels of revision \w{12}, and it is \w{12} now; plan it again"):
        catalogue.DataSets().require(there.evals[1].removeprefix("transfer:"))


def test_a_name_is_shown_in_tables_and_file_names(birds, tmp_path):
    run = plan_of(f"mine=folder:{birds}", tmp_path).runs[0]
    assert run.dataset == f"mine=folder:{birds}" and shown(run.dataset) == "mine"
    target = canonical(f"folder:{birds}", run.data_revision)
    facts = {"split": "test", "value": 50.0, "n": 4}
    own = Result(evaluator="knn", dataset=run.dataset, metric="top1", **facts)
    other = Result(evaluator="transfer", dataset=target, metric="linear_top1", **facts)
    store = ResultStore(tmp_path / "results")
    path = store.publish(record_of(run, ("knn", f"transfer:{target}"), (own, other)))
    assert path.relative_to(store.folder).parts[0] == "mine" and not store.problems
    # The run's own set is one thing in both columns, and a target that is the same content has its name.
    second = record_of(run.replace(seed=1, dataset=f"folder:{birds}"), ("knn",), (Result(**{**vars(own), "dataset": f"folder:{birds}"}),))
    assert store.publish(second).parent.name == "birds"
    frame = store.frame()
    assert set(frame.dataset) == set(frame.eval_dataset) == {labelled(run.dataset, run.data_revision)}
    assert {shown(label) for label in frame.dataset} == {"mine"} and not store.problems
    assert shown(labelled("folder:/a/b@home", "1")) == "b@home"


def test_no_other_label_is_touched():
    assert one_name_each(tidy([])).empty
    for name in ("cifar10", "mnist5k"):
        assert (canonical(name), shown(name), identity(name), labelled(name, "1")) == (name,) * 4
    assert identity_of_request("transfer:digits") == "transfer:digits" and identity_of_request("knn") == "knn"


def test_records_of_ids_with_paths_are_still_read(birds, tmp_path):
    """They are another run, since the content's revision is made otherwise; but nobody's table loses them."""
    spec = plan_of(f"folder:{birds}", tmp_path).runs[0].to_json() | {"dataset": "folder:../old/birds?skip=unreadable"}
    store = ResultStore(tmp_path / "results")
    record = RunRecord(
        id=ids_of(spec)[1], spec=spec, suite="adhoc", status="done", evals=(), cost=Cost(steps=0, images=0, flops=0, seconds=0)
    )
    path = store.folder / "birds_skip_unreadable" / f"pixels-0-{record.id}.json"
    path.parent.mkdir(parents=True)
    path.write_text(to_text(record))
    assert [found.id for found in store.records()] == [record.id] and not store.problems
    path.write_text(to_text(record).replace('"seed": 0', '"seed": 1'))
    assert not store.records() and store.problems


def test_the_mean_over_classes_is_asked_for_and_only_then_in_the_id(birds, tmp_path):
    plain, top1 = (plan_of(f"folder:{birds}{option}", tmp_path).runs[0] for option in ("", "?metric=top1"))
    mean = plan_of(f"folder:{birds}?metric=mean_per_class", tmp_path).runs[0]
    assert plain.id == top1.id != mean.id and plain.data_revision == mean.data_revision
    assert catalogue.require(mean.dataset).entry.metric == "mean_per_class"
    both = catalogue.require(f"folder:{birds}?skip=unreadable&metric=mean_per_class").entry
    assert both.metric == "mean_per_class" and parse(both.name).skip


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ("mine=cifar10", "'mine=cifar10' names no folder: write mine=folder:PATH"),
        ("cifar10=folder:{birds}", "'cifar10' is the name of a known data set"),
        ("my birds=folder:{birds}", "not 'my birds': write birds=folder:"),
        ("=folder:{birds}", "a folder's name is of letters"),
        ("folder:{birds}?metric=mean_class", r"unknown metric of a folder 'mean_class'. Did you mean 'mean_per_class'\?"),
        ("folder:{birds}?skp=unreadable", r"unknown option of a folder 'skp'. Did you mean 'skip'\?"),
        ("folder:{birds}?skip=all", "skip=all: expected skip=unreadable"),
        ("folder:{birds}x", "there is no folder '.*birdsx'; expected .*birdsx/train/CLASS/IMAGE"),
    ],
)
def test_a_mistaken_name_is_one_sentence(birds, dataset, says):
    with pytest.raises(UserError, match=says):
        catalogue.DataSets().require(dataset.format(birds=birds))


def notes(birds) -> str:
    return "\n".join(catalogue.require(f"folder:{birds}").entry.notes())


def test_a_plain_folder_has_nothing_to_be_said_of(birds):
    assert notes(birds) == ""


def test_what_is_passed_over_is_counted(birds):
    for number in range(3):
        (birds / f"train/a/{number}.png").rename(birds / f"train/a/{number}.gif")
    write(birds / "train/a/x.jfif")
    write(birds / "train/b/x.JPE")
    (birds / "train/b/labels.csv").write_text("")
    (birds / "test/a/README").write_text("")
    write(birds / "train/loose.png")
    for label in "ab":
        write(birds / "valid" / label / "0.png")
    assert load_split(f"folder:{birds}", "train+val").images.shape[0] == 24 - 3 + 2, "JPEG by its other endings"
    assert "passed over: 3 .gif, 1 in no class, 1 .csv, 1 without an ending (images end in" in notes(birds)
    assert "the folder 'valid' is passed over: did you mean 'val'?" in notes(birds)
    assert any(line.startswith("note  passed over: 3 .gif") for line in check(f"folder:{birds}"))


def test_hidden_files_and_folders_are_no_classes_and_no_images(birds):
    before = catalogue.require(f"folder:{birds}").revision
    (birds / "train/.ipynb_checkpoints").mkdir()
    write(birds / "test/.ipynb_checkpoints/0.png")
    write(birds / "train/a/.ipynb_checkpoints/0-checkpoint.png")
    (birds / "train/a/._0.png").write_bytes(b"\0\5\x16\7")
    found = catalogue.require(f"folder:{birds}")
    assert found.revision == before and found.entry.classes == 2 and found.entry.sizes["test"] == 8
    assert "1 hidden images" in notes(birds)


def test_links_are_followed_into_every_folder_once(birds):
    before = catalogue.require(f"folder:{birds}").entry.sizes
    (birds / "train/a/again").symlink_to(".")
    (birds / "train/a/up").symlink_to("..")
    (birds / "train/a/deep").mkdir()
    write(birds / "train/a/deep/0.png")
    (birds / "train/a/deep/back").symlink_to("../..")
    (birds / "train/a/0link").symlink_to("deep")
    outside = birds.parent / "more"
    write(outside / "1.png")
    (birds / "train/b/more").symlink_to(outside)
    sizes = catalogue.require(f"folder:{birds}").entry.sizes
    assert sizes["train+val"] == before["train+val"] + 2 and "4 links to a folder that is read already" in notes(birds)
    (birds / "train/c").symlink_to("..")
    (birds / "test/c").symlink_to("..")
    with pytest.raises(UserError, match=r"'.*train/c' links to a folder that holds it"):
        catalogue.require(f"folder:{birds}")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_pipe_of_an_images_name_is_refused_and_not_waited_for(birds, split):
    os.mkfifo(birds / split / "a/pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png' cannot be read as an image: it is no file"):
        catalogue.require(f"folder:{birds}")
    with pytest.warns(UserWarning, match="1 of 33 images"):
        assert catalogue.require(f"folder:{birds}?skip=unreadable").entry.sizes["test"] == 8


def test_a_name_that_is_not_utf8_is_a_name(birds, tmp_path):
    odd = os.fsencode(birds) + b"/%s/caf\xe9/%d.png"
    for part in (b"train", b"test"):
        os.mkdir(os.path.dirname(odd % (part, 0)))
        for number in range(3):
            shutil.copyfile(birds / f"train/a/{number}.png", odd % (part, number))
    entry = catalogue.require(f"folder:{birds}").entry
    assert entry.classes == 3 and load_split(f"folder:{birds}", "test").images.shape[0] == 8 + 3
    with open(odd % (b"test", 2), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    lines = []
    with pytest.raises(UserError, match="1 of 38 images"):
        for line in check(f"folder:{birds}"):
            lines.append(line)
    for line in lines:
        line.encode("utf-8")  # or a terminal would end the command in a traceback
    assert any("caf\\udce9" in line for line in lines)
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/oise\xe9ux")
    birds.rename(folder)
    with pytest.raises(UserError, match=r"the path '.*oise\\udce9ux' is not UTF-8, as records are: make a link to it"):
        plan_of(f"folder:{folder}", tmp_path)
    (tmp_path / "oiseaux").symlink_to(folder)
    assert plan_of(f"folder:{tmp_path / 'oiseaux'}", tmp_path).runs[0].dataset == f"folder:{tmp_path / 'oiseaux'}"


def test_test_images_that_lie_in_train_are_counted(birds):
    shutil.copyfile(birds / "train/a/0.png", birds / "test/b/copy.png")  # under another name, in another class
    write(birds / "train/a/grey.bmp", 7)
    write(birds / "test/a/grey.bmp", 8)  # of one size, and not the same
    assert "1 of 10 test images lie in train or val too, byte for byte" in notes(birds)
    shutil.rmtree(birds / "test")
    shutil.copytree(birds / "train", birds / "test")
    assert f"{25} of 25 test images lie in train" in notes(birds)
    shutil.move(birds / "train", birds / "val")
    shutil.copytree(birds / "val", birds / "train")
    for image in (birds / "train").rglob("*.*"):
        write(image)
    assert "25 of 25 test images lie in train or val" in notes(birds)


def test_uneven_classes_are_said_until_the_mean_is_asked_for(birds):
    for number in range(4):
        write(birds / f"test/a/more{number}.png")
    assert "classes of test have 4 to 8 images, and top-1 is 66.7" in notes(birds) and "?metric=mean_per_class" in notes(birds)
    assert not list(catalogue.require(f"folder:{birds}?metric=mean_per_class").entry.notes())


def request(dataset, tmp_path, method="pixels", requests=None):
    none = dict.fromkeys(("encoder", "image_size", "batch_size", "precision", "pretrain_split", "recipe"))
    places = {"results": tmp_path / "results", "scratch": tmp_path / "scratch", "requests": requests}
    return Request(**places, method=method, dataset=dataset, budget="2steps", seeds="0", settings=(), **none)


def test_an_empty_val_is_known_before_training(birds, tmp_path):
    for label in "ab":
        for number in range(1, 12):
            (birds / f"train/{label}/{number}.png").unlink()
    for evals in (None, "label_free", "validation", "stages"):
        with pytest.raises(UserError, match=r"birds has no val images: a class needs two images in '.*birds/train'.*into '.*/val'"):
            request(f"folder:{birds}", tmp_path, requests=evals)
    with pytest.raises(UserError, match="has no val images"):
        request("digits", tmp_path, requests=f"transfer:folder:{birds}")
    assert not (tmp_path / "results").exists() and not (tmp_path / "scratch").exists()


def test_an_episode_that_cannot_be_drawn_is_known_before_training(birds, tmp_path):
    few = rf"birds has 2 classes, and the evaluator 'few_shot:folder:{birds}' draws 5; expected 5 or more"
    with pytest.raises(UserError, match=few):
        request("digits", tmp_path, requests=f"few_shot:folder:{birds}")
    for part in ("train", "test"):
        for label in "cdef":
            shutil.copytree(birds / part / "b", birds / part / label)
    there = len(list((birds / "test/b").iterdir()))
    with pytest.raises(UserError, match=rf"birds has {there} test images of the class '.', and the evaluator .* draws 20 of a class"):
        request("digits", tmp_path, requests=f"few_shot:folder:{birds}")
    shutil.rmtree(birds / "test")
    with pytest.raises(UserError, match="has no split 'test'"):
        request("digits", tmp_path, requests=f"few_shot:folder:{birds}")
    with pytest.raises(UserError, match="has no split 'test'"):
        request(f"folder:{birds}", tmp_path, requests="ood:digits")


def test_one_class_is_refused_for_what_needs_classes(birds, tmp_path):
    for part in ("train", "test"):
        shutil.rmtree(birds / part / "b")
    for evals in ("knn", "linear,label_free", "validation", "stages"):
        with pytest.raises(UserError, match=r"birds has one class, which any method would tell with 100 %: the evaluator '.*' needs two"):
            request(f"folder:{birds}", tmp_path, requests=evals)
    with pytest.raises(UserError, match="has one class"):
        request("digits", tmp_path, requests=f"transfer:folder:{birds}")
    assert request(f"folder:{birds}", tmp_path, requests="label_free").plan()[0].todo
    with pytest.raises(UserError, match="supervised learns to tell classes, and birds has one"):
        request(f"folder:{birds}", tmp_path, "supervised", "label_free").plan()
