"""Robustness: the linear probe of clean images on corrupted ones, fifteen corruptions of ImageNet-C at five severities each.

    metrics top1_corrupted, top1_clean, and top1_fog and so on, each corruption's mean over its severities

The probe is that of `linear`: strength chosen on val, fitted on train + val, all of them clean. Of test up to 2,000 images are read, evenly
spaced, once clean and once in each corruption, drawn from its name, the severity and the image's index alone: the same images for every
method, encoder and seed. frost_made is no corruption of ImageNet-C (bench/evaluation/corruptions).
Which images are right is kept of the clean ones alone: five severities of an image are not five images, and an interval would take them so.
"""

from functools import partial

import numpy as np

from bench.evaluation.arrays import Arrays, check_finite, evenly, require_finite, tally
from bench.evaluation.corruptions.corrupt import CORRUPTIONS, SEVERITIES, corrupt
from bench.evaluation.evaluators.linear import shared_probe
from bench.evaluation.features import Features
from bench.evaluation.logistic import predict
from bench.records.record import Result, pack

ARGUMENT: str | None = None
READS_TEST: bool = True
PAPERS: tuple[str, ...] = ("arXiv:1903.12261",)

MOST_IMAGES = 2_000
"""Test is read 75 times: all of CIFAR-10's would cost twelve times as much as all other features of a run."""


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """'top1_corrupted' is the mean of the fifteen, percent; with 'mean_per_class' where that is the data set's metric. ValueError
    where a feature is not finite."""
    arrays = require_finite("robustness", features.arrays())
    test_x, test_y = arrays.test_split()
    chosen, probe = shared_probe(features, arrays)
    rows = evenly(len(test_y), MOST_IMAGES)
    labels = test_y[rows]
    clean = predict(probe, test_x[rows])[0] == labels
    by_corruption = {}
    for name in CORRUPTIONS:
        accuracies = []
        for severity in SEVERITIES:
            x = features.changed("test", partial(corrupt, name, severity), rows=rows)
            check_finite("robustness", arrays.dataset, f"test's {name} {severity}", x)
            accuracies.append(percent(arrays, predict(probe, x)[0] == labels, labels))
        by_corruption[name] = float(np.mean(accuracies))

    def result(metric: str, value: float, **more) -> Result:
        facts = {"evaluator": "robustness", "dataset": arrays.dataset, "split": "test", "n": len(rows)}
        return Result(**facts, metric=f"{arrays.metric}_{metric}", value=value, **more)

    return [
        result("corrupted", float(np.mean(list(by_corruption.values()))), chosen={**chosen}),
        result("clean", percent(arrays, clean, labels), correct=pack(clean)),
        *(result(name, value) for name, value in by_corruption.items()),
    ]


def percent(arrays: Arrays, correct: np.ndarray, labels: np.ndarray) -> float:
    """The data set's metric of which images are right, bool [N]."""
    right, total = tally(arrays.metric, correct, labels)
    return 100 * (right / total)
