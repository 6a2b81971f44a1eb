"""Few shots: which episodes are drawn, and both classifiers against loops."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from bench.evaluation.arrays import normalise
from bench.evaluation.evaluators import few_shot

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 3, 4, 6, 7, 9], [20, 21, 22, 23, 24, 25, 40]))


@pytest.fixture
def x() -> np.ndarray:
    random = np.random.default_rng(1)
    return (0.9 * random.normal(size=(10, 6))[LABELS] + random.normal(size=(len(LABELS), 6))).astype(np.float32)


def members() -> list[np.ndarray]:
    return [np.flatnonzero(label == LABELS) for label in np.unique(LABELS)]


def test_episodes_are_fixed_and_of_five_classes_and_twenty_images_each():
    drawn = np.stack([few_shot.episode(members(), number) for number in range(200)])
    assert drawn.shape == (200, 5, 20)
    for rows in drawn:
        assert len(set(rows.ravel())) == 100
        assert (LABELS[rows] == LABELS[rows[:, :1]]).all() and len(set(LABELS[rows[:, 0]])) == 5
    assert len(np.unique(drawn.reshape(200, -1), axis=0)) == 200
    assert set(LABELS[drawn].ravel()) == set(LABELS) and len(set(drawn.ravel())) == len(LABELS)
    # Fixed for good: another version of NumPy, or another machine, must not draw other images.
    fixed = few_shot.episode([np.arange(100 * label, 100 * label + 30) for label in range(7)], 3)
    assert fixed[:, :2].tolist() == [[13, 21], [410, 414], [122, 107], [507, 518], [610, 606]]


@pytest.mark.parametrize("counts", [[20] * 4, [20] * 5 + [19]])
def test_what_cannot_be_drawn_is_refused(counts):
    with pytest.raises(ValueError, match=f"5 classes of 20 images or more, and of {len(counts)} classes one has {min(counts)}"):
        few_shot.episode([np.arange(count) for count in counts], 0)


def test_the_nearest_mean_is_a_loops_and_the_logistic_scikit_learns(x, monkeypatch):
    monkeypatch.setattr(few_shot, "EPISODES", 12)
    found = few_shot.accuracies(x, LABELS)
    assert list(found) == ["centroid_5way1shot", "centroid_5way5shot", "logistic_5way1shot", "logistic_5way5shot"]
    unit = normalise(x)
    for number in range(12):
        rows = few_shot.episode(members(), number)
        for shots in (1, 5):
            support, queries = rows[:, :shots].ravel(), rows[:, 5:].ravel()
            means = [x[its[:shots]].mean(axis=0) for its in rows]
            told = [min(range(5), key=lambda way: np.linalg.norm(x[query] - means[way])) for query in queries]
            nearest = np.mean([LABELS[rows[way, 0]] == LABELS[query] for way, query in zip(told, queries, strict=True)])
            assert found[f"centroid_5way{shots}shot"][number] == pytest.approx(100 * nearest)
            model = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(unit[support], LABELS[support])
            assert found[f"logistic_5way{shots}shot"][number] == pytest.approx(100 * model.score(unit[queries], LABELS[queries]), abs=1.4)
    assert found["centroid_5way5shot"].mean() > found["centroid_5way1shot"].mean() > 25


def test_the_interval_is_of_the_mean_over_episodes(x, monkeypatch):
    monkeypatch.setattr(few_shot, "EPISODES", 40)
    monkeypatch.setattr(few_shot, "logistic", few_shot.centroid)
    results = {result.metric: result for result in few_shot.measure("some", x, LABELS)}
    values = few_shot.accuracies(x, LABELS)["centroid_5way5shot"]
    mean, half = results["centroid_5way5shot"], results["centroid_5way5shot_half_width"]
    assert mean.value == pytest.approx(values.mean()) and mean.n == len(x) and mean.correct is None
    assert half.value == pytest.approx(norm.ppf(0.975) * values.std(ddof=1) / 40**0.5, rel=0.04)


def test_it_reads_test_of_the_target_alone(x, monkeypatch):
    monkeypatch.setattr(few_shot, "EPISODES", 2)
    asked = []
    features = SimpleNamespace(split=lambda split, dataset: asked.append((split, dataset)) or (x, LABELS))
    assert len(few_shot.evaluate(features, "other")) == 8 and asked == [("test", "other")]
