"""NESum: the eigenvalues of the features' covariance, summed and divided by the largest (He and Ozay 2022, ICML, definition 4.1).

    metric nesum, in [1, D]: 1 where features differ in one direction, D where in all equally; higher is more whitened

On 10,000 train images at most, evenly spaced, as `label_free`; no label is read, nothing is picked. None where all features are the same.
As google-research has it, graph_embedding/metrics/metrics.py at commit 0d140c5; what rounding may have made is no eigenvalue here.
N images, D features.
"""

import numpy as np

from bench.evaluation.arrays import check_finite, evenly
from bench.evaluation.evaluators.label_free import MOST_IMAGES, spectrum
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
TAKES: tuple[str, ...] = ()
NEEDS_CLASSES: bool = False
SPLITS: tuple[str, ...] = ("train",)


def nesum(x: np.ndarray) -> float | None:
    """Of features [N, D]."""
    eigenvalues = spectrum(x)
    return float(eigenvalues.sum() / eigenvalues[0]) if len(eigenvalues) else None


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`nesum` of the pretraining data set's train split. ValueError where a feature is not finite."""
    train_x, _ = features.split("train")
    check_finite("nesum", features.dataset, "train_x", train_x)
    x = train_x[evenly(len(train_x), MOST_IMAGES)]
    return [Result(evaluator="nesum", dataset=features.dataset, split="train", metric="nesum", value=nesum(x), n=len(x))]
