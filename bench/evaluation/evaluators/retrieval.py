"""Retrieval: every test image looks for its class among all other test images, by cosine similarity.

recall_at_1    percent of queries whose nearest image is of their class, which is precision at 1; which of them is kept
mAP_at_R       mean average precision at R, percent: R images are of the query's class beside itself; of the R nearest, P(i) is the share
               of right ones among the first i, and the mean over i = 1 to R of P(i) counts where the i-th is right

Musgrave et al. 2020 (arXiv:2003.08505), as their repository computes both (pytorch-metric-learning, utils/accuracy_calculator.py at
commit 216a792): of a class that has one image in test none can be found, so it is no query, though it is in the way of others. Queries
count alike, whatever their class. Nothing is chosen and nothing is fitted, so neither train nor val is read, nor are labels but to score.
N images, Q queries, D features.
"""

import numpy as np

from bench.evaluation.arrays import check_finite
from bench.evaluation.features import Features
from bench.evaluation.search import among_themselves
from bench.records.record import Result, pack

ARGUMENT: str | None = None
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:2003.08505",)
SPLITS: tuple[str, ...] = ("test",)


def ranked(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the images of features [N, D], labels int64 [N], that have another of their class, in order: whether the nearest is of their
    class, bool [Q], and average precision at R, float64 [Q]. In blocks, of which the largest is of some queries' R nearest."""
    others = np.bincount(labels)[labels] - 1
    first, precision = np.zeros(len(x), dtype=bool), np.zeros(len(x))
    if others.max(initial=0) == 0:
        return first[:0], precision[:0]
    for rows, _, index in among_themselves(x, int(others.max())):
        right = labels[index] == labels[rows, None]
        first[rows] = right[:, 0]
        place = np.arange(1, index.shape[1] + 1)
        counted = right & (place <= others[rows, None])
        summed = np.einsum("qk,qk->q", counted.cumsum(axis=1) / place, counted)
        precision[rows] = summed / np.maximum(others[rows], 1)
    asks = others > 0
    return first[asks], precision[asks]


def measure(dataset: str, x: np.ndarray, labels: np.ndarray) -> list[Result]:
    """Both, from test features [N, D] and labels int64 [N]; None where no class has two images."""
    first, precision = ranked(x, labels)
    facts = {"evaluator": "retrieval", "dataset": dataset, "split": "test", "n": len(first)}
    values = [100 * float(each.mean()) if len(first) else None for each in (first, precision)]
    return [
        Result(**facts, metric="recall_at_1", value=values[0], correct=pack(first)),
        Result(**facts, metric="mAP_at_R", value=values[1]),
    ]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    x, labels = features.split("test")
    check_finite("retrieval", features.dataset, "test_x", x)
    return measure(features.dataset, x, labels)
