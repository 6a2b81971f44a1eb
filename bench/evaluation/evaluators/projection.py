"""What a method's projector makes of the encoder's features, the space that its loss is computed in: linear probe, kNN and label-free.

Metrics linear_top1, knn_top1 and knn_top1_k200_T0.1, and those of label_free by their names, on the pretraining data set. What the loss
asks to be forgotten is forgotten there, and where a loss collapses this space does so first. RankMe's paper measures it here. Of a floor,
which has no projector, there are no results; of any other method without one a plan refuses it.
N images, P projection.
"""

import dataclasses

import numpy as np

from bench.evaluation.arrays import Arrays, finite_crops, require_finite
from bench.evaluation.evaluators import knn, label_free, linear
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = True
NEEDS_PROJECTOR: bool = True


def measure(arrays: Arrays, crops: tuple[np.ndarray, np.ndarray]) -> list[Result]:
    """The results of linear, kNN and label_free, renamed; from projections of the data set and of two crops of the same train images,
    [N, P] each."""
    accuracies = [
        dataclasses.replace(result, metric=f"{result.evaluator}_{result.metric}")
        for result in (*linear.measure(arrays), *knn.measure(arrays))
    ]
    others = label_free.measure(arrays.dataset, arrays.train_x, crops)
    return [dataclasses.replace(result, evaluator="projection") for result in (*accuracies, *others)]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set; nothing where there is no projector. ValueError where a projection is not finite."""
    projected = features.projected()
    if projected is None:
        return []
    arrays = require_finite("projection", projected.arrays())
    return measure(arrays, finite_crops("projection", arrays.dataset, projected.two_crops()))
