"""Out-of-distribution detection: the distance to the 50th neighbour tells another data set's images from those of the pretraining one.

ood:digits     metrics auroc_k50 and fpr95_k50, percent

Deep nearest neighbours (Sun et al. 2022, arXiv:2204.06507): the bank is train of the pretraining data set, features are L2-normalised, and
an image is the further out the further its k-th nearest is. k is 50, theirs with all images of CIFAR-10 (their repository, knn-ood,
run_cifar.py at commit 2afb2bb): fixed, so no image of the other set, or of another like it, has a say. A smaller bank puts its own size
in the name. Images in distribution are the positive ones; AUROC is scikit-learn's, a tie being half right, and FPR95 the share of the other
set's images that pass where the threshold lets pass 95 % of ours or, as few as can be, more. The less FPR95 the better.

The other set's images are resized to the pretraining size, and what resizing leaves in them tells them too. No label is read.
N images, D features.
"""

import numpy as np
from sklearn.metrics import roc_auc_score

from bench.evaluation.arrays import check_finite
from bench.evaluation.features import Features
from bench.evaluation.search import blocks
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:2204.06507",)
NEEDS_CLASSES: bool = False
SPLITS: tuple[str, ...] = ("test",)
SPLITS_OF_PRETRAINING: tuple[str, ...] = ("train", "test")

NEIGHBOUR = 50


def scores(bank: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Cosine similarity float32 [N] of each of x [N, D] to its k-th nearest of the bank [B, D]: it falls as their distance grows."""
    return np.concatenate([similarity[:, -1] for _, similarity, _ in blocks(bank, x, k)])


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """From scores [N] and [M] of what is in distribution and of what is not: the share of pairs in which the first is higher."""
    positive = np.repeat([True, False], (len(inside), len(outside)))
    return float(roc_auc_score(positive, np.concatenate([inside, outside])))


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """From the same: the share of the second at or above the highest threshold that at least 95 % of the first are at or above."""
    threshold = np.sort(inside)[len(inside) * 5 // 100]
    return float((outside >= threshold).mean())


def measure(dataset: str, bank: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> list[Result]:
    """Both in percent, from features of train and test of the pretraining data set, [B, D] and [N, D], and of test of `dataset`, [M, D]."""
    k = min(NEIGHBOUR, len(bank))
    ours, theirs = scores(bank, inside, k), scores(bank, outside, k)
    facts = {"evaluator": "ood", "dataset": dataset, "split": "test", "n": len(inside) + len(outside)}
    measured = {"auroc": auroc(ours, theirs), "fpr95": fpr95(ours, theirs)}
    return [Result(**facts, metric=f"{name}_k{k}", value=100 * value) for name, value in measured.items()]


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` of the data set named `argument`. ValueError where a feature is not finite."""
    own = features.dataset
    found = []
    for name, split in ((own, "train"), (own, "test"), (argument, "test")):
        x, _ = features.split(split, name)
        check_finite(f"ood:{argument}", name, f"{split}_x", x)
        found.append(x)
    return measure(argument, *found)
