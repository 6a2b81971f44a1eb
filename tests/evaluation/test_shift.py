"""The probe of one data set on another test set of its classes."""

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.evaluation import registry
from bench.evaluation.arrays import Arrays
from bench.evaluation.evaluators import shift
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.evaluation.read_ahead import read_images
from bench.plan.names import check_names
from bench.records.record import unpack
from bench.spec import Budget, RunSpec

NAMES = ("bird", "cat", "dog", "frog")


class Subject:
    """A frozen encoder of made-up features, whose other set has three of four classes in another order."""

    dataset = "home"

    def __init__(self):
        generator = np.random.default_rng(0)
        self.centres = generator.normal(size=(4, 6)) * 1.2
        self.y = generator.integers(0, 4, size=300)
        self.x = (self.centres[self.y] + generator.normal(size=(300, 6))).astype(np.float32)
        self.theirs = generator.integers(0, 3, size=90)
        of_home = np.array([3, 0, 1])[self.theirs]
        self.shifted = (self.centres[of_home] + 1.3 * generator.normal(size=(90, 6))).astype(np.float32)
        self.of_home = of_home

    def arrays(self, dataset=None, *, test=True):
        assert dataset is None and not test
        return Arrays(self.x[:200], self.y[:200], self.x[200:], self.y[200:], 4, "home")

    def split(self, split, dataset=None):
        assert (split, dataset) == ("test", "away")
        return self.shifted, self.theirs

    def shared(self, name, make):
        return make()

    def classes(self, dataset=None):
        return ("frog", "bird", "cat") if dataset == "away" else NAMES


def test_it_is_scikit_learns_probe_of_home_with_classes_matched_by_name():
    subject = Subject()
    (result,) = shift.evaluate(subject, "away")
    scale, mean = subject.x.std(axis=0), subject.x.mean(axis=0)
    theirs = LogisticRegression(C=1 / (result.chosen["l2"] * 300), max_iter=5000, tol=1e-9).fit((subject.x - mean) / scale, subject.y)
    right = theirs.predict((subject.shifted - mean) / scale) == subject.of_home
    assert (unpack(result.correct, result.n) != right).sum() <= 1, "up to a tie"
    assert result.value == pytest.approx(100 * unpack(result.correct, result.n).mean()) and 50 < result.value < 98
    assert (result.evaluator, result.dataset, result.split, result.metric, result.n) == ("shift", "away", "test", "top1", 90)


def test_a_class_that_the_probe_does_not_know():
    with pytest.raises(ValueError, match="knows no class horse"):
        shift.renumbered(np.array([0, 1]), ("dog", "horse"), NAMES)


@pytest.fixture
def folder(tmp_path):
    def made(name, classes, parts=("train", "test")):
        for part in parts:
            for number, label in enumerate(classes):
                (tmp_path / name / part / label).mkdir(parents=True)
                for image in range(6):
                    pixels = np.full((16, 16, 3), 30 * number + image, dtype=np.uint8)
                    Image.fromarray(pixels).save(tmp_path / name / part / label / f"{image}.png")
        return f"{name}=folder:{tmp_path / name}"

    return made


def spec(dataset):
    return RunSpec(method="random", dataset=dataset, budget=Budget("steps", 1), encoder="resnet8", image_size=16, pretrain_split="train")


def test_the_plan_names_the_classes_that_home_has_not(folder):
    home, away, same = folder("home", NAMES), folder("away", ("dog", "horse", "owl")), folder("same", ("frog", "cat"))
    with pytest.raises(
        UserError, match=r"away has classes that home has not: horse, owl; expected .* by their names: bird, cat, dog, frog"
    ):
        check_names(spec(home), (f"shift:{away}",), DataSets())
    check_names(spec(home), (f"shift:{same}",), DataSets())
    with pytest.raises(UserError, match="home is what was trained on; expected another data set"):
        check_names(spec(home), (f"shift:{home}",), DataSets())
    with pytest.raises(UserError, match="no split 'test'"):
        check_names(spec(home), (f"shift:{folder('trained', ('cat',), ('train',))}",), DataSets())


def test_a_set_that_is_a_test_alone_serves_as_target_of_a_shift_and_of_nothing_that_fits(folder, monkeypatch):
    """As cifar10_1 is; here a folder whose train is taken from its entry."""
    home, away = folder("home", NAMES), folder("away", ("frog", "cat"))
    data = DataSets()
    entry = data.require(away).entry
    for split in ("train", "val", "train+val"):
        entry.sizes.pop(split)
    assert data.require(away).class_names == ("cat", "frog")
    check_names(spec(home), (f"shift:{away}",), data)
    with pytest.raises(UserError, match=r"is a test alone, .* which the evaluator 'transfer' needs; expected one of few_shot, ood, shift$"):
        check_names(spec(home), (f"transfer:{away}",), data)
    read = []
    monkeypatch.setattr(
        "bench.evaluation.read_ahead.load", lambda found, split, size, threads, modality: read.append((found.entry.summary, split))
    )
    read_images(spec(home), (f"shift:{away}",), data, 1)
    assert sorted(read) == [
        ("a folder of images, 2 classes", "test"),
        *(("a folder of images, 4 classes", part) for part in ("train", "val")),
    ]
    assert FrozenEncoder.classes(type("Encoder", (), {"data": data, "dataset": home})(), away) == ("cat", "frog")


def test_what_it_declares():
    assert registry.splits("shift") == ("test",) and registry.same_classes("shift") and not registry.same_classes("transfer")
    assert registry.target("shift:cifar10_1") == "cifar10_1"
