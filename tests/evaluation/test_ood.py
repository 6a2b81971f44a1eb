"""Out-of-distribution detection against scikit-learn's curve, and against a count of pairs."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from bench.evaluation.arrays import normalise
from bench.evaluation.evaluators import ood


def features(rows: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(rows, 6)) + np.array([3, 0, 0, 0, 0, 0]) + shift).astype(np.float32)


def kth_distance(bank: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Of L2-normalised features, by all distances."""
    return np.sort(np.linalg.norm(normalise(x)[:, None] - normalise(bank)[None], axis=2), axis=1)[:, k - 1]


def test_it_is_the_distance_to_the_50th_neighbour():
    bank, inside, outside = features(300, 1), features(97, 2), features(80, 3, shift=-0.6)
    area, rate = ood.measure("other", bank, inside, outside)
    near, far = kth_distance(bank, inside, 50), kth_distance(bank, outside, 50)
    pairs = (near[:, None] < far[None]).mean()
    passed, kept, _ = roc_curve(np.repeat([1, 0], (97, 80)), -np.concatenate([near, far]), drop_intermediate=False)
    assert (area.metric, rate.metric, area.n) == ("auroc_k50", "fpr95_k50", 177)
    assert 0.6 < pairs < 0.99 and area.value == pytest.approx(100 * pairs)
    assert 0.05 < rate.value / 100 < 0.95 and rate.value == pytest.approx(100 * passed[kept >= 0.95].min())


@pytest.mark.parametrize("count", [1, 19, 20, 21, 40, 100])
def test_at_least_95_percent_pass_and_as_few_as_can_be(count):
    inside = np.random.default_rng(count).permutation(count).astype(float)
    outside = np.arange(-0.5, count)
    passed, kept, _ = roc_curve(np.repeat([1, 0], (count, count + 1)), np.concatenate([inside, outside]), drop_intermediate=False)
    assert ood.fpr95(inside, outside) == pytest.approx(passed[kept >= 0.95].min())


def test_ties_are_half_right():
    assert ood.auroc(np.ones(4), np.ones(7)) == 0.5 and ood.fpr95(np.ones(4), np.ones(7)) == 1
    assert ood.auroc(np.ones(4), np.zeros(7)) == 1 and ood.fpr95(np.ones(4), np.zeros(7)) == 0


def test_a_small_bank_is_named_and_only_what_is_needed_is_read():
    asked = []

    def split(split, dataset):
        asked.append((dataset, split))
        return features(20, len(asked)), np.zeros(20, dtype=np.int64)

    results = ood.evaluate(SimpleNamespace(dataset="own", split=split), "other")
    assert asked == [("own", "train"), ("own", "test"), ("other", "test")]
    assert [(result.metric, result.dataset) for result in results] == [("auroc_k20", "other"), ("fpr95_k20", "other")]
