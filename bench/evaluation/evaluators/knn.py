"""kNN on frozen features: exact cosine search by FAISS, then a weighted vote (Wu et al. 2018, arXiv:1805.01978, section 3.4).

A neighbour with cosine similarity s gives its class exp(s / T). k and T are picked on val against the bank train;
test is searched once, in the bank train + val.

The search, and what becomes of equal similarities: bench/evaluation/search.py. Equal votes: the lower class. Equal accuracies on val: the
smaller k, then the smaller T.
B images in the bank, Q queries, D features, K classes.
"""

import numpy as np

from bench.evaluation.arrays import Arrays, require_finite, tally
from bench.evaluation.features import Features
from bench.evaluation.search import nearest
from bench.records.record import Result, pack

ARGUMENT: str | None = None
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:1805.01978",)

NEIGHBOURS = (1, 5, 10, 20, 50, 100, 200)
"""Grid of k; values above the size of the bank become that size. 200 is Wu et al.'s."""

TEMPERATURES = (0.03, 0.07, 0.1, 0.3)
"""Grid of T. Wu et al. train and vote with 0.07."""

FIXED = (200, 0.1)
"""The (k, T) that is reported whatever was picked, so that numbers compare without a search."""

QUERIES_AT_ONCE = 2048
"""Bounds the memory of the votes, [queries, K] float64."""


def vote(similarity: np.ndarray, labels: np.ndarray, num_classes: int, neighbours: tuple[int, ...], temperature: float) -> np.ndarray:
    """Predicted class int64 [len(neighbours), Q] for every k of the ascending `neighbours`, from similarities float
    [Q, k], nearest first, and the neighbours' labels int64 [Q, k]."""
    predictions = np.empty((len(neighbours), len(similarity)), dtype=np.int64)
    for start in range(0, len(similarity), QUERIES_AT_ONCE):
        rows = slice(start, start + QUERIES_AT_ONCE)
        s, y = similarity[rows].astype(np.float64), labels[rows]
        # A factor common to a query's votes changes nothing; with the nearest at exp(0) none overflows, nor do all vanish.
        weight = np.exp((s - s[:, :1]) / temperature)
        cell = np.arange(len(s))[:, None] * num_classes + y
        votes = np.zeros(len(s) * num_classes)
        done = 0
        for position, k in enumerate(neighbours):
            votes += np.bincount(cell[:, done:k].ravel(), weight[:, done:k].ravel(), minlength=len(votes))
            predictions[position, rows] = votes.reshape(len(s), num_classes).argmax(axis=1)
            done = k
    return predictions


def choose(arrays: Arrays) -> dict[str, float | int]:
    """The (k, T) of the grid with the highest accuracy on val: {'k', 'T', 'val_top1' in percent, or the data set's other
    metric}. Does not read test."""
    neighbours = tuple(sorted({min(k, len(arrays.train_x)) for k in NEIGHBOURS}))
    similarity, index = nearest(arrays.train_x, arrays.val_x, neighbours[-1])
    right = {}
    for temperature in TEMPERATURES:
        predicted = vote(similarity, arrays.train_y[index], arrays.num_classes, neighbours, temperature)
        for k, row in zip(neighbours, predicted == arrays.val_y, strict=True):
            right[k, temperature], total = tally(arrays.metric, row, arrays.val_y)
    k, temperature = min(right, key=lambda pair: (-right[pair], pair))
    return {"k": k, "T": temperature, f"val_{arrays.metric}": 100 * right[k, temperature] / total}


def measure(arrays: Arrays) -> list[Result]:
    """'top1' at the (k, T) picked on val, and 'top1_k200_T0.1' (its k is the bank's size where that is smaller); both
    'mean_per_class' where that is the data set's metric."""
    chosen = choose(arrays)
    bank_x, bank_y = arrays.fitting_split()
    test_x, test_y = arrays.test_split()
    picked_k, (fixed_k, fixed_temperature) = int(chosen["k"]), (min(FIXED[0], len(bank_x)), FIXED[1])
    similarity, index = nearest(bank_x, test_x, max(picked_k, fixed_k))
    reported = (
        (arrays.metric, picked_k, chosen["T"], chosen),
        (f"{arrays.metric}_k{fixed_k}_T{fixed_temperature:g}", fixed_k, fixed_temperature, {}),
    )
    results = []
    for metric, k, temperature, picked in reported:
        correct = vote(similarity, bank_y[index], arrays.num_classes, (k,), temperature)[0] == test_y
        right, total = tally(arrays.metric, correct, test_y)
        results.append(
            Result(
                evaluator="knn",
                dataset=arrays.dataset,
                split="test",
                metric=metric,
                value=100 * (right / total),
                n=len(correct),
                chosen={**picked},
                correct=pack(correct),
            )
        )
    return results


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    return measure(require_finite("knn", features.arrays()))
