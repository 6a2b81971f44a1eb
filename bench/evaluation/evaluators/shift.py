"""Shift: the linear probe of the pretraining data set on another test set of the same classes, of which nothing is fitted or chosen.

shift:cifar10_1     metric top1, or mean_per_class where that is the pretraining data set's (Recht et al. 2019, arXiv:1902.10811)

The probe is that of `linear`: strength chosen on val, fitted on train + val of the pretraining set. Classes are matched by name, and
the other set may have some of them only: the probe predicts among all that it knows. The accuracy of `linear` on the pretraining set is
what to set the number against. Images are resized to the pretraining size and normalised as its own.
N images.
"""

import numpy as np

from bench.evaluation.arrays import check_finite, require_finite, tally
from bench.evaluation.evaluators.linear import shared_probe
from bench.evaluation.features import Features
from bench.evaluation.logistic import predict
from bench.records.record import Result, pack

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:1902.10811",)
SPLITS: tuple[str, ...] = ("test",)
SPLITS_OF_PRETRAINING: tuple[str, ...] = ("train", "val")
SAME_CLASSES: bool = True


def renumbered(labels: np.ndarray, classes: tuple[str, ...], known: tuple[str, ...]) -> np.ndarray:
    """Labels int64 [N] that number `classes`, as numbers of the classes of those names in `known`; a ValueError where one is not there."""
    strange = [name for name in classes if name not in known]
    if strange:
        raise ValueError(f"the probe knows no class {', '.join(strange)}")
    return np.array([known.index(name) for name in classes], dtype=np.int64)[labels]


def evaluate(features: Features, argument: str) -> list[Result]:
    """The pretraining data set's metric on the other set's test, percent. ValueError where a feature is not finite."""
    arrays = require_finite(f"shift:{argument}", features.arrays(test=False))
    x, y = features.split("test", argument)
    check_finite("shift", argument, "test_x", x)
    y = renumbered(y, features.classes(argument), features.classes())
    chosen, probe = shared_probe(features, arrays)
    correct = predict(probe, x)[0] == y
    right, total = tally(arrays.metric, correct, y)
    result = Result(
        evaluator="shift",
        dataset=argument,
        split="test",
        metric=arrays.metric,
        value=100 * (right / total),
        n=len(correct),
        chosen={**chosen},
        correct=pack(correct),
    )
    return [result]
