"""The probe of clean images on corrupted ones."""

from dataclasses import replace

import numpy as np
import pytest

from bench.evaluation import logistic
from bench.evaluation.arrays import Arrays, evenly
from bench.evaluation.corruptions.corrupt import CORRUPTIONS, SEVERITIES, corrupt
from bench.evaluation.evaluators import linear, robustness
from bench.records.record import unpack


class OfPixels:
    """A frozen encoder whose features are the pixels of small images."""

    dataset = "made"

    def __init__(self):
        generator = np.random.default_rng(0)
        labels = generator.integers(0, 3, size=230)
        images = generator.integers(0, 60, size=(230, 3, 8, 8)) + 60 * labels[:, None, None, None]
        self.images, self.labels = images.astype(np.uint8), labels.astype(np.int64)
        self.asked, self.bad = [], False

    def x(self, images):
        return images.reshape(len(images), -1).astype(np.float32)

    def arrays(self, dataset=None, *, test=True):
        x, y = self.x(self.images), self.labels
        return Arrays(x[:100], y[:100], x[100:150], y[100:150], 3, "made", x[150:], y[150:])

    def shared(self, name, make):
        return make()

    def changed(self, split, change, dataset=None, rows=None):
        self.asked.append((split, change.args, rows.tolist()))
        x = self.x(change(self.images[150:][rows], rows))
        return np.full_like(x, np.nan) if self.bad else x


@pytest.fixture(scope="module")
def measured():
    subject = OfPixels()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robustness, "MOST_IMAGES", 40)
        return subject, {result.metric: result for result in robustness.evaluate(subject)}


def test_each_corruption_is_the_mean_of_its_severities_and_their_mean_of_all(measured):
    subject, results = measured
    assert list(results) == ["top1_corrupted", "top1_clean", *(f"top1_{name}" for name in CORRUPTIONS)] and len(CORRUPTIONS) == 15
    arrays, rows = subject.arrays(), evenly(80, 40)
    probe = logistic.fit(*arrays.fitting_split(), (linear.choose(arrays)["l2"],))
    for name in ("fog", "gaussian_noise", "brightness"):
        right = []
        for severity in SEVERITIES:
            images = corrupt(name, severity, subject.images[150:][rows], rows)
            right.append(logistic.predict(probe, subject.x(images))[0] == arrays.test_y[rows])
        assert results[f"top1_{name}"].value == pytest.approx(100 * np.mean(right)) and results[f"top1_{name}"].correct is None
    assert results["top1_corrupted"].value == pytest.approx(np.mean([results[f"top1_{name}"].value for name in CORRUPTIONS]))
    assert results["top1_brightness"].value < results["top1_clean"].value - 5, "a probe of pixels is fooled"
    assert {(result.n, result.split, result.evaluator) for result in results.values()} == {(40, "test", "robustness")}
    assert set(map(str, (rows for _, _, rows in subject.asked))) == {str(rows.tolist())} and len(subject.asked) == 75


def test_the_clean_ones_are_the_same_images_by_the_probe_of_linear(measured):
    subject, results = measured
    (plain,) = linear.measure(subject.arrays())
    right = unpack(plain.correct, plain.n)[evenly(80, 40)]
    assert unpack(results["top1_clean"].correct, 40).tolist() == right.tolist()
    assert results["top1_clean"].value == pytest.approx(100 * right.mean()) and results["top1_corrupted"].chosen == plain.chosen


def test_features_that_are_not_finite_are_named():
    subject = OfPixels()
    subject.bad = True
    with pytest.raises(ValueError, match="robustness on made: 80 of 80 rows of test's gaussian_noise 1 hold NaN"):
        robustness.evaluate(subject)


def test_nothing_is_chosen_on_test():
    arrays = OfPixels().arrays()
    assert linear.refit(replace(arrays, test_x=None, test_y=None))[0] == linear.choose(arrays)
