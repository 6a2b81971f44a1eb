"""Retrieval against the paper's formula as a loop over sorted similarities, with classes of one, two and many images."""

from types import SimpleNamespace

import numpy as np
import pytest

from bench.evaluation import search
from bench.evaluation.arrays import normalise
from bench.evaluation.evaluators import retrieval
from bench.records.record import unpack

LABELS = np.repeat([0, 1, 2, 3, 5], [20, 2, 1, 13, 1])


@pytest.fixture
def x() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(6, 8))[LABELS] + random.normal(size=(len(LABELS), 8))).astype(np.float32)


def by_hand(x: np.ndarray) -> tuple[list[bool], list[float]]:
    """Musgrave et al. 2020, section 3.2: of every query that has others of its class, R of them."""
    similarity, first, precision = normalise(x) @ normalise(x).T, [], []
    for query, label in enumerate(LABELS):
        ranking = [other for other in np.argsort(-similarity[query]) if other != query]
        wanted = (label == LABELS).sum() - 1
        if wanted == 0:
            continue
        right = [LABELS[other] == label for other in ranking]
        first.append(bool(right[0]))
        precision.append(sum(np.mean(right[: i + 1]) for i in range(wanted) if right[i]) / wanted)
    return first, precision


@pytest.mark.parametrize("block", [5, 1024])
def test_it_is_the_papers_formula(x, monkeypatch, block):
    monkeypatch.setattr(search, "QUERIES_AT_ONCE", block)
    first, precision = by_hand(x)
    recall, mean = retrieval.measure("some", x, LABELS)
    assert 0.2 < np.mean(first) < 0.95 and len(first) == recall.n == mean.n == 35, "two images have no other of their class"
    assert unpack(recall.correct, recall.n).tolist() == first and recall.value == pytest.approx(100 * np.mean(first))
    assert mean.value == pytest.approx(100 * np.mean(precision)) and mean.correct is None
    assert (recall.metric, mean.metric, recall.split) == ("recall_at_1", "mAP_at_R", "test")


def test_the_best_is_100_and_without_pairs_there_is_no_number():
    x = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 2]]
    assert [result.value for result in retrieval.measure("pairs", x, np.array([0, 0, 1, 1, 2, 2]))] == [100, 100]
    assert [(result.value, result.n) for result in retrieval.measure("alone", x, np.arange(6))] == [(None, 0), (None, 0)]


def test_it_reads_test_alone_and_refuses_what_is_not_finite(x):
    asked = []
    features = SimpleNamespace(dataset="some", split=lambda split: asked.append(split) or (x, LABELS))
    assert retrieval.evaluate(features) == retrieval.measure("some", x, LABELS) and asked == ["test"]
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="retrieval on some: 1 of 37 rows of test_x hold NaN"):
        retrieval.evaluate(features)
