"""Calibration against the formulas as loops over images, bins and classes, and against scikit-learn's log loss."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from bench.evaluation import logistic
from bench.evaluation.arrays import Arrays
from bench.evaluation.evaluators import calibration, linear


@pytest.fixture(scope="module")
def few() -> Arrays:
    """600 digits of 8 x 8 pixels, of which every third is seen: 150 train, 150 val, 300 test."""
    x, y = load_digits(return_X_y=True)
    x, y = x[:600, ::3].astype(np.float32), y[:600].astype(np.int64)
    return Arrays(x[:150], y[:150], x[150:300], y[150:300], 10, "digits", x[300:], y[300:])


@pytest.fixture(scope="module")
def results(few):
    return {result.metric: result for result in calibration.measure(few)}


def ece_by_hand(p: np.ndarray, y: np.ndarray) -> float:
    total = 0.0
    for number in range(15):
        inside = [row for row in range(len(y)) if number / 15 < p[row].max() <= (number + 1) / 15]
        if inside:
            accuracy = np.mean([p[row].argmax() == y[row] for row in inside])
            total += len(inside) / len(y) * abs(accuracy - np.mean([p[row].max() for row in inside]))
    return total


def test_the_measures_are_the_formulas(few, results):
    chosen, probe = linear.refit(few)
    for suffix in ("", "_scaled"):
        temperature = results[f"ece{suffix}"].chosen.get("temperature", 1.0)
        p = np.exp(logistic.logits(probe, few.test_x) / temperature)
        p /= p.sum(axis=1, keepdims=True)
        assert results[f"nll{suffix}"].value == pytest.approx(log_loss(few.test_y, p, labels=range(10)))
        assert results[f"ece{suffix}"].value == pytest.approx(100 * ece_by_hand(p, few.test_y))
        by_hand = np.mean([sum((p[row, k] - (few.test_y[row] == k)) ** 2 for k in range(10)) for row in range(300)])
        assert results[f"brier{suffix}"].value == pytest.approx(by_hand)
    assert chosen.items() <= results["ece_scaled"].chosen.items() and results["ece"].chosen == chosen
    assert list(results) == ["ece", "brier", "nll", "ece_scaled", "brier_scaled", "nll_scaled"]


def test_it_is_the_probe_that_linear_reports(few, results):
    (reported,) = linear.measure(few)
    _, probe = linear.refit(few)
    assert reported.chosen == results["ece"].chosen
    assert reported.value == pytest.approx(100 * (logistic.logits(probe, few.test_x).argmax(axis=1) == few.test_y).mean())


def test_the_temperature_is_the_best_on_val_of_a_probe_that_has_not_seen_it(few, results):
    chosen = results["ece_scaled"].chosen
    probe = logistic.fit(few.train_x, few.train_y, (chosen["l2"],))
    scores = logistic.logits(probe, few.val_x)
    losses = {}
    for temperature in chosen["temperature"] * np.array([0.5, 0.99, 1, 1.01, 2]):
        p = np.exp(scores / temperature)
        losses[temperature] = log_loss(few.val_y, p / p.sum(axis=1, keepdims=True), labels=range(10))
    assert min(losses, key=losses.get) == chosen["temperature"]
    swapped = replace(few, test_x=few.test_x[::-1].copy(), test_y=np.roll(few.test_y, 7))
    assert [result.chosen for result in calibration.measure(swapped)] == [result.chosen for result in results.values()]


def test_an_overconfident_probe_is_cooled():
    """Logits three times too large have the temperature 3, and are calibrated after it."""
    random = np.random.default_rng(0)
    true = 1.5 * random.normal(size=(20_000, 4))
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    temperature = calibration.temperature_of(3 * true, y)
    assert temperature == pytest.approx(3, rel=0.05)
    before, after = (calibration.log_softmax(3 * true / factor, axis=1) for factor in (1, temperature))
    assert calibration.ece(after, y) < 0.02 < 0.1 < calibration.ece(before, y)
    assert calibration.nll(after, y) < calibration.nll(before, y) and calibration.brier(after, y) < calibration.brier(before, y)


def test_a_bin_has_its_upper_edge():
    """So an image on an edge is in another bin than one just above it, each with its own gap."""
    edges = [edge for edge in np.linspace(0, 1, 16)[8:-1] if np.exp(np.log(edge)) == edge]
    assert edges, "as float64 has them"
    for edge in edges:
        p = np.array([[edge, 1 - edge], [edge + 0.01, 0.99 - edge]])
        assert calibration.ece(np.log(p), np.array([0, 1])) == pytest.approx((1 - edge + edge + 0.01) / 2)


def test_of_a_class_that_was_not_there_to_fit_nothing_is_expected(few):
    """Its images are wrong with all that was given to others, and their likelihood is zero: there is no mean of it."""
    without = replace(few, train_y=np.where(few.train_y == 3, 8, few.train_y), val_y=np.where(few.val_y == 3, 8, few.val_y))
    found = {result.metric: result.value for result in calibration.measure(without)}
    assert found["nll"] is found["nll_scaled"] is None
    _, probe = linear.refit(without)
    p = np.exp(calibration.log_probabilities(probe, few.test_x))
    full = np.insert(p, 3, 0, axis=1)
    assert found["brier"] == pytest.approx(np.square(full - np.eye(10)[few.test_y]).sum(axis=1).mean())
    assert found["ece"] == pytest.approx(100 * ece_by_hand(full, few.test_y))
