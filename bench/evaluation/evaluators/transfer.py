"""Transfer: the linear probe and kNN on another data set than the encoder was trained on, each with its own search on val.

transfer:digits     metrics linear_top1, knn_top1 and knn_top1_k200_T0.1, on that data set's own train, val and test
"""

import dataclasses

from bench.evaluation.arrays import Arrays, require_finite
from bench.evaluation.evaluators import knn, linear
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()


def measure(arrays: Arrays, fitted: linear.Fitted | None = None) -> list[Result]:
    """The results of linear and kNN, renamed. fitted: as of linear.refit, where that was done before."""
    return [
        dataclasses.replace(result, evaluator="transfer", metric=f"{result.evaluator}_{result.metric}")
        for result in (*linear.measure(arrays, fitted), *knn.measure(arrays))
    ]


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the data set named `argument`. ValueError where a feature is not finite."""
    arrays = require_finite(f"transfer:{argument}", features.arrays(argument))
    return measure(arrays, linear.shared_probe(features, arrays))
