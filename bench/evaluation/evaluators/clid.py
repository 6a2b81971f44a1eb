"""CLID's two halves, of features without labels: how well their clusters can be learnt, and in how many dimensions they lie
(Lu et al. 2023, TMLR, arXiv:2206.01251).

    metrics cluster_learnability, percent; intrinsic_dimension, in about [1, D]; of both higher is said to be more

cluster_learnability: k-means of the features, and the share of images whose nearest other image lies in their cluster: the validation
accuracy of a nearest neighbour classifier that learns the clusters, one image held out at a time. intrinsic_dimension: TwoNN (Facco et
al. 2017, doi:10.1038/s41598-017-11873-y), from how much farther than the nearest the second nearest image is. CLID itself, the two on one
scale, is a number of many encoders side by side and not of one: tables have it.

Differs from the paper, of which only the abstract and a note of its review could be read (openreview BxdrpnRHNh: "the average validation
accuracy of a KNN"): sqrt(N) clusters, one neighbour, the folds, TwoNN and how the two make one scale are ours. L2-normalised features of
10,000 train images at most, evenly spaced; no label is read, nothing is picked. None where too few images differ. N images, D features.
"""

import numpy as np
from sklearn.cluster import KMeans

from bench.evaluation.arrays import check_finite, evenly, normalise
from bench.evaluation.evaluators.label_free import MOST_IMAGES
from bench.evaluation.features import Features
from bench.evaluation.search import among_themselves
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:2206.01251",)
NEEDS_CLASSES: bool = False
SPLITS: tuple[str, ...] = ("train",)

DISCARDED = 0.1
"""Of the largest ratios of distances, as its authors do: where density changes, they are too large."""


def neighbours(x: np.ndarray) -> np.ndarray:
    """The two other rows most similar to each row of x [N, D], L2-normalised, nearest first: int64 [N, 2]."""
    return np.concatenate([index for _, _, index in among_themselves(x, 2)])


def cluster_learnability(x: np.ndarray, nearest: np.ndarray) -> float | None:
    """Percent, of features [N, D], L2-normalised, with their `neighbours`; None where they make fewer than two clusters."""
    clusters = min(round(len(x) ** 0.5), len(np.unique(x, axis=0)))
    if clusters < 2:
        return None
    labels = KMeans(clusters, n_init="auto", random_state=0).fit_predict(x)
    return 100 * float((labels[nearest[:, 0]] == labels).mean())


def intrinsic_dimension(x: np.ndarray, nearest: np.ndarray) -> float | None:
    """TwoNN of features [N, D], L2-normalised, with their `neighbours`: the slope of -log(1 - F) on log mu through the origin, mu the ratio
    of an image's second distance to its first and F its empirical distribution; an image that another equals has none. None where all
    have none or the same."""
    # From the features again: one less a similarity in float32 is no small distance.
    distances = np.sort([np.linalg.norm(x - x[nearest[:, place]], axis=1) for place in (0, 1)], axis=0)
    first, second = distances[:, distances[0] > 0]
    ratios = np.sort(np.log(second / first))
    kept = int(len(ratios) * (1 - DISCARDED))
    below = np.arange(1, kept + 1) / max(len(ratios), 1)
    ratios = ratios[:kept]
    return float(-(ratios @ np.log1p(-below)) / (ratios @ ratios)) if ratios.any() else None


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """Both, of the pretraining data set's train split. ValueError where a feature is not finite."""
    train_x, _ = features.split("train")
    check_finite("clid", features.dataset, "train_x", train_x)
    x = normalise(train_x[evenly(len(train_x), MOST_IMAGES)])
    nearest = neighbours(x)
    facts = {"evaluator": "clid", "dataset": features.dataset, "split": "train", "n": len(x)}
    return [Result(**facts, metric=measure.__name__, value=measure(x, nearest)) for measure in (cluster_learnability, intrinsic_dimension)]
