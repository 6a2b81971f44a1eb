"""Validation only: the linear probe and kNN as they do on val, test unread; what a search of hyper-parameters is decided by."""

from bench.evaluation.arrays import Arrays, require_finite
from bench.evaluation.evaluators import knn, linear
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
TAKES: tuple[str, ...] = ()


def measure(arrays: Arrays, strength: linear.Chosen | None = None) -> list[Result]:
    """'linear_top1' and 'knn_top1' (or the data set's other metric) on val after fitting on train, percent; each the best of
    the evaluator's own grid. strength: as of linear.choose, where that was done before."""
    results = []
    for name, found in (("linear", strength or linear.choose(arrays)), ("knn", knn.choose(arrays))):
        chosen = {**found}
        value = chosen.pop(f"val_{arrays.metric}")
        results.append(
            Result(
                evaluator="validation",
                dataset=arrays.dataset,
                split="val",
                metric=f"{name}_{arrays.metric}",
                value=value,
                n=len(arrays.val_y),
                chosen={**chosen},
            )
        )
    return results


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    arrays = require_finite("validation", features.arrays(test=False))
    return measure(arrays, linear.shared_choice(features, arrays))
