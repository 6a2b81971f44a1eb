"""Linear probe after every stage of the encoder: which stage is best is decided on val, and test is read for that one alone.

The classical table of conv1 to conv5, for any method (bench/encoders/stage_features.py says what a stage's features are). Each stage's
strength is picked as
bench/evaluation/evaluators/linear.py does. A method without an encoder has no results.
"""

from bench.evaluation.arrays import Arrays, require_finite
from bench.evaluation.evaluators import linear
from bench.evaluation.features import Features
from bench.records.record import Result, pack

ARGUMENT: str | None = None
READS_TEST: bool = True


def measure(stages: list[Arrays]) -> list[Result]:
    """'stage1_top1' ... on val, percent, of every stage, with which val images were right; and 'top1' on test of the one that is best on
    val (the later of equal ones), whose number is in `chosen`. 'mean_per_class' where that is the data set's metric."""
    results, best = [], None
    for number, arrays in enumerate(stages, start=1):
        chosen, correct = linear.search(arrays)
        value = chosen.pop(f"val_{arrays.metric}")
        facts = {"evaluator": "stages", "dataset": arrays.dataset, "split": "val", "n": len(arrays.val_y), "correct": pack(correct)}
        results.append(Result(**facts, metric=f"stage{number}_{arrays.metric}", value=value, chosen={**chosen}))
        if best is None or value >= best[0]:
            best = (value, number, arrays)
    if best is None:
        return []
    for result in linear.measure(best[2]):
        results.append(Result(**{**vars(result), "evaluator": "stages", "chosen": {"stage": best[1], **result.chosen}}))
    return results


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    return measure([require_finite("stages", arrays) for arrays in features.stages()])
