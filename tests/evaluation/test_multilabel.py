"""The probe of images that show several classes, held to scikit-learn's pipeline and to average precision written out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.data import catalogue
from bench.data.images import IMAGES
from bench.data.readers.voc_xml import CLASSES
from bench.evaluation.arrays import LabelSets, require_finite
from bench.evaluation.evaluators import multilabel
from bench.evaluation.evaluators.linear import STRENGTHS
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.evaluation.one_against_rest import fit, scores

NAMES = ("common", "half", "rare", "seldom", "never")


def made(seed: int = 0, ignored: float = 0.0) -> LabelSets:
    """Classes that a noisy linear function of 12 features shows, the last of them never."""
    draw = np.random.default_rng(seed)
    truth, columns = draw.normal(size=(12, 5)), {}
    for split, count in (("train", 150), ("val", 60), ("test", 200)):
        x = draw.normal(size=(count, 12)).astype(np.float32) * np.linspace(0.1, 30, 12, dtype=np.float32) + 5
        logits = ((x - 5) / np.linspace(0.1, 30, 12)) @ truth + 2 * draw.normal(size=(count, 5)) + [2, 0, -3, -5, -1e9]
        columns |= {f"{split}_x": x, f"{split}_y": logits > 0, f"{split}_ignored": (logits <= 0) & (draw.random((count, 5)) < ignored)}
    return LabelSets(**columns, classes=NAMES, dataset="made")


def written_out(y: np.ndarray, found: np.ndarray) -> float:
    """Mean over positives of the precision among all images that score as high or higher."""
    return float(np.mean([y[found >= found[index]].mean() for index in np.flatnonzero(y)]))


@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
def test_equal_to_scikit_learn_s_one_against_rest(l2):
    sets = made()
    x, y, ignored = sets.fitting_split()
    model = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-8, max_iter=10_000)
    theirs = make_pipeline(StandardScaler(), OneVsRestClassifier(model)).fit(x, y[:, :4]).decision_function(sets.test_x)
    probes = fit(x, y, ignored, (l2,))
    ours = scores(probes, sets.test_x)[0]
    assert np.abs(ours[:, :4] - theirs).max() < 0.02 * np.abs(theirs).max() and probes.converged.all()
    assert not probes.fitted[4] and (ours[:, 4] == 0).all()
    precisions = multilabel.average_precisions(ours, sets.test_y, sets.test_ignored)
    expected = [average_precision_score(sets.test_y[:, label], theirs[:, label]) for label in range(4)]
    assert abs(precisions[:4].mean() - np.mean(expected)) < 0.001, "a tenth of a point"
    assert np.isnan(precisions[4])


def test_what_is_ignored_is_neither_fitted_nor_counted():
    sets, l2 = made(ignored=0.4), 1e-2
    x, y, ignored = sets.fitting_split()
    probes = fit(x, y, ignored, (l2,))
    ours, standardised = scores(probes, sets.test_x)[0], StandardScaler().fit(x)
    precisions = multilabel.average_precisions(ours, sets.test_y, sets.test_ignored)
    for label in range(4):
        kept, counted = ~ignored[:, label], ~sets.test_ignored[:, label]
        model = LogisticRegression(C=1 / (l2 * kept.sum()), tol=1e-8, max_iter=10_000).fit(standardised.transform(x[kept]), y[kept, label])
        theirs = model.decision_function(standardised.transform(sets.test_x))
        assert np.abs(ours[:, label] - theirs).max() < 0.02 * np.abs(theirs).max()
        assert precisions[label] == pytest.approx(written_out(sets.test_y[counted, label], ours[counted, label]))
    assert not np.array_equal(ignored, np.zeros_like(ignored))


def test_all_strengths_are_solved_as_each_alone_is():
    sets = made()
    together = fit(sets.train_x, sets.train_y, sets.train_ignored, STRENGTHS)
    for number in (0, 6, 12):
        alone = fit(sets.train_x, sets.train_y, sets.train_ignored, (STRENGTHS[number],))
        assert np.allclose(together.objective[number, :4], alone.objective[0, :4], rtol=1e-4)
    assert np.isnan(together.objective[:, 4]).all()


def test_more_pairs_than_fit_are_solved_in_turn(monkeypatch):
    sets = made()
    whole = fit(sets.train_x, sets.train_y, sets.train_ignored, STRENGTHS)
    monkeypatch.setattr("bench.evaluation.one_against_rest.LARGEST_LOGITS", 7 * len(sets.train_x))
    parts = fit(sets.train_x, sets.train_y, sets.train_ignored, STRENGTHS)
    assert np.allclose(whole.weights, parts.weights) and np.allclose(whole.intercept, parts.intercept)


def test_the_strength_is_picked_by_val_s_mean_average_precision():
    sets = made()
    chosen = multilabel.choose(sets)
    found = {}
    for l2 in STRENGTHS:
        model = OneVsRestClassifier(LogisticRegression(C=1 / (l2 * len(sets.train_x)), tol=1e-8, max_iter=10_000))
        theirs = make_pipeline(StandardScaler(), model).fit(sets.train_x, sets.train_y[:, :4]).decision_function(sets.val_x)
        found[l2] = 100 * np.mean([average_precision_score(sets.val_y[:, label], theirs[:, label]) for label in range(4)])
    assert chosen["l2"] == max(found, key=lambda l2: found[l2]) and chosen["val_mAP"] == pytest.approx(max(found.values()), abs=0.1)
    assert chosen["val_classes"] == 4
    permuted = replace(sets, test_y=sets.test_y[::-1])
    assert multilabel.choose(permuted) == chosen


def test_probes_that_ran_out_of_iterations_are_told(monkeypatch):
    assert not any("not_converged" in result.chosen for result in multilabel.measure(made()))
    monkeypatch.setattr("bench.evaluation.lbfgs.MAX_ITERATIONS", 3)
    assert all(result.chosen["not_converged"] == 1 for result in multilabel.measure(made()))


def test_what_is_averaged_is_said():
    sets = made()
    sets.test_y[0, 4] = True
    whole, enough = multilabel.measure(sets)
    assert (whole.metric, whole.chosen["classes"], whole.chosen["unseen"]) == ("mAP", 5, 1)
    images = sum(getattr(sets, f"{split}_y").sum(0) for split in ("train", "val", "test"))
    assert (enough.metric, enough.chosen["classes"]) == ("mAP_20", int((images >= 20).sum())) and "unseen" not in enough.chosen
    assert 1 < enough.chosen["classes"] < 5 and whole.n == enough.n == 200 and whole.correct is None
    # A class that nobody was shown: chance.
    precisions = multilabel.average_precisions(np.zeros((200, 5)), sets.test_y, sets.test_ignored)
    assert precisions[4] == pytest.approx(1 / 200)


def test_what_is_no_set_of_labels_is_refused():
    sets = made()
    for changes, said in (
        ({"train_y": sets.train_y.astype(int)}, r"train_y must be bool \[150, 5\], not int64"),
        ({"val_ignored": sets.val_ignored[:, :4]}, r"val_ignored must be bool \[60, 5\]"),
        ({"test_x": sets.test_x[:, :3]}, r"test_x must be float32 \[N, D\] with train's D"),
        ({"test_ignored": sets.test_y}, "test_ignored holds a class that its image shows"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(sets, **changes)
    unread = replace(sets, test_x=None, test_y=None, test_ignored=None)
    with pytest.raises(ValueError, match="test was not handed out"):
        unread.test_split()
    with pytest.raises(ValueError, match="no val image shows a class"):
        multilabel.choose(replace(sets, val_y=np.zeros_like(sets.val_y)))
    sets.val_x[3] = np.nan
    with pytest.raises(ValueError, match="multilabel on made: 1 of 60 rows of val_x"):
        require_finite("multilabel", sets)


def test_a_set_that_cannot_serve_is_refused_before_anything_is_trained(bench, tmp_path):
    code, _, said = bench("plan", "--method", "random", "--dataset", "digits", "--budget", "1steps", "--evals", "multilabel")
    assert (code, said.count("\n")) == (2, 1)
    assert (
        "digits has no sets of classes, which the evaluator 'multilabel' needs, but one class of each image; expected one of voc2012"
        in said
    )


def test_features_and_sets_of_classes_are_of_the_same_images(monkeypatch):
    """And label-free evaluators are handed arrays of one class, as no image has one alone."""
    shown = {
        split: (np.eye(20, dtype=bool)[:count], np.zeros((count, 20), bool)) for split, count in (("train", 5), ("val", 2), ("test", 3))
    }
    monkeypatch.setattr("bench.evaluation.frozen_encoder.load_class_sets", lambda data, split: shown[split])
    monkeypatch.setattr(
        "bench.evaluation.frozen_encoder.load",
        lambda data, split, size, threads, modality: SimpleNamespace(
            images=np.full((len(shown[split][0]), 4), len(split), np.float32),
            labels=torch.full((len(shown[split][0]),), -1),
            classes=CLASSES,
        ),
    )
    monkeypatch.setattr(FrozenEncoder, "_extracted", lambda self, images, place: images)
    data = SimpleNamespace(require=lambda name: SimpleNamespace(entry=catalogue.entry(name), name=name))
    features = FrozenEncoder(None, None, SimpleNamespace(dataset="voc2012", image_size=8), SimpleNamespace(modality=IMAGES), data)
    sets = features.label_sets()
    assert (sets.classes, sets.dataset, sets.train_x[0, 0], sets.test_x.shape) == (CLASSES, "voc2012", 5, (3, 4))
    assert np.array_equal(sets.val_y, shown["val"][0]) and features.label_sets(test=False).test_x is None
    arrays = features.arrays()
    assert arrays.num_classes == 1 and arrays.train_y.tolist() == [0] * 5


@pytest.mark.data
def test_the_real_part_serves_what_it_has_and_nothing_else(bench, real_set):
    real_root = real_set("voc2012_part")
    given = ("--method", "pixels", "--dataset", "voc2012_part", "--budget", "1steps", "--data-root", real_root, "--evals")
    code, _, said = bench("plan", *given, "transfer:voc2012_part")
    assert (
        code == 2
        and "voc2012_part has not one class of each image, which the evaluator 'transfer' needs, but sets of classes, boxes" in said
    )
    assert bench("plan", *given, "multilabel,label_free")[0] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(bad):
    sets = made()
    sets.train_x[7, 3] = bad

    class Subject:
        def label_sets(self, dataset=None):
            return sets

    with pytest.raises(ValueError, match=f"multilabel on made: 1 of {len(sets.train_x)} rows of train_x"):
        multilabel.evaluate(Subject())
