"""Linear probe for images that show several classes: each against all others, mean average precision.

multilabel:voc2012     metrics mAP, over the classes that a test image shows, and mAP_20, over those of 20 images or more

One logistic regression for each class on standardised features (bench/evaluation/one_against_rest.py). One strength for all classes is
picked on val by its mean average precision after fitting on train, the probes are refitted on train + val, and test is read once. An image
that shows a class in difficult objects alone is left out for that class, in fitting and in counting, as PASCAL VOC's devkit has it. Average
precision is scikit-learn's: precision at each positive, averaged, nothing interpolated.

N images, K classes, S strengths.
"""

import numpy as np
from sklearn.metrics import average_precision_score

from bench.evaluation.arrays import LabelSets, require_finite
from bench.evaluation.evaluators.linear import STRENGTHS, at_edge
from bench.evaluation.features import Features
from bench.evaluation.one_against_rest import fit, scores
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
OPTIONAL: bool = True
READS_TEST: bool = True
ANNOTATION: str | None = "classes"

ENOUGH = 20
"""Images of train, val and test that show a class, difficult ones included: below that its average precision says little."""


def average_precisions(found: np.ndarray, y: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Scores [N, K], bool [N, K] twice -> average precision of each class, float64 [K] in 0..1; NaN where no image shows it."""
    precisions = np.full(y.shape[1], np.nan)
    for label in np.flatnonzero(y.any(axis=0)):
        counted = ~ignored[:, label]
        precisions[label] = average_precision_score(y[counted, label], found[counted, label])
    return precisions


def choose(sets: LabelSets, strengths: tuple[float, ...] = STRENGTHS) -> dict[str, float | int]:
    """The strength with the highest mean average precision on val after fitting on train, of equal ones the stronger: {'l2', 'val_mAP' in
    percent, 'val_classes': how many val shows, and 'at_edge' where it is}. Does not read test. ValueError where val shows no class."""
    if not sets.val_y.any():
        raise ValueError(f"multilabel on {sets.dataset}: no val image shows a class, and no strength can be picked")
    probes = fit(sets.train_x, sets.train_y, sets.train_ignored, strengths)
    found = [float(np.nanmean(average_precisions(row, sets.val_y, sets.val_ignored))) for row in scores(probes, sets.val_x)]
    best = max(zip(found, strengths, strict=True))
    return {"l2": best[1], "val_mAP": 100 * best[0], "val_classes": int(sets.val_y.any(axis=0).sum())} | at_edge(best[1], strengths)


def measure(sets: LabelSets) -> list[Result]:
    """'mAP' and 'mAP_20' on test, percent; `chosen` says over how many classes each is the mean, and how many of them no image of train and
    val shows ('unseen'): those have the average precision of chance. ValueError where no test image shows a class."""
    chosen = choose(sets)
    x, y, ignored = sets.fitting_split()
    probes = fit(x, y, ignored, (chosen["l2"],))
    if not probes.converged.all():
        chosen["not_converged"] = 1
    test_x, test_y, test_ignored = sets.test_split()
    precisions = average_precisions(scores(probes, test_x)[0], test_y, test_ignored)
    there = ~np.isnan(precisions)
    if not there.any():
        raise ValueError(f"multilabel on {sets.dataset}: no test image shows a class")
    images = sum((part_y | part_ignored).sum(axis=0) for part_y, part_ignored in ((y, ignored), (test_y, test_ignored)))
    results = []
    for metric, averaged in (("mAP", there), (f"mAP_{ENOUGH}", there & (images >= ENOUGH))):
        facts = (
            chosen | {"classes": int(averaged.sum())} | ({"unseen": int(unseen)} if (unseen := (averaged & ~probes.fitted).sum()) else {})
        )
        value = 100 * float(precisions[averaged].mean()) if averaged.any() else None
        results.append(
            Result(evaluator="multilabel", dataset=sets.dataset, split="test", metric=metric, value=value, n=len(test_x), chosen={**facts})
        )
    return results


def evaluate(features: Features, argument: str | None = None) -> list[Result]:
    """`measure` on the data set named `argument`, else on the pretraining one. ValueError where a feature is not finite."""
    return measure(require_finite("multilabel", features.label_sets(argument)))
