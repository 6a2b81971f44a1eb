"""Linear probe on frozen features: multinomial logistic regression, a grid of L2 strengths solved as one batch.

Features are standardised with the mean and standard deviation of the images that are fitted. The strength is picked
on val after fitting on train, the probe is refitted on train + val at that strength, and test is read once.
What a strength is, and how it relates to scikit-learn's C: bench/evaluation/logistic.py.

Ties on val go to the stronger regularisation. `chosen` says 'at_edge': 1 where the picked strength is the grid's
first or last, and 'not_converged': 1 where the refit ran out of iterations.
"""

import numpy as np

from bench.evaluation.arrays import Arrays, require_finite, tally
from bench.evaluation.features import Features
from bench.evaluation.logistic import Probe, fit, predict
from bench.records.record import Result, pack

ARGUMENT: str | None = None
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()

STRENGTHS = tuple(float(f"{10**exponent:.4g}") for exponent in np.linspace(-5, 1, 13))
"""Two to a decade, 1e-5 to 10, on the mean cross-entropy. Weaker ones cost more than all of these together."""


Chosen = dict[str, float | int]
"""What `choose` returns: {'l2', 'val_top1' in percent, ...}."""
Fitted = tuple[Chosen, Probe]
"""What `refit` returns."""


def search(arrays: Arrays, strengths: tuple[float, ...] = STRENGTHS) -> tuple[Chosen, np.ndarray]:
    """The strength with the highest accuracy on val after fitting on train: {'l2', 'val_top1' in percent (or the data
    set's other metric), and 'at_edge' where it is}; and which val images it gets right, bool [N]. Does not read test."""
    correct = predict(fit(arrays.train_x, arrays.train_y, strengths), arrays.val_x) == arrays.val_y
    tallies = [tally(arrays.metric, row, arrays.val_y) for row in correct]
    right = {strength: count for strength, (count, _) in zip(strengths, tallies, strict=True)}
    best = max(right, key=lambda strength: (right[strength], strength))
    chosen = {"l2": best, f"val_{arrays.metric}": 100 * right[best] / tallies[0][1]}
    return chosen | at_edge(best, strengths), correct[strengths.index(best)]


def choose(arrays: Arrays, strengths: tuple[float, ...] = STRENGTHS) -> Chosen:
    """The first of what `search` finds."""
    return search(arrays, strengths)[0]


def at_edge(strength: float, strengths: tuple[float, ...] = STRENGTHS) -> dict[str, int]:
    """{'at_edge': 1} where a grid's first or last was picked: a wider one might have a better."""
    return {"at_edge": 1} if strength in (min(strengths), max(strengths)) else {}


def refit(arrays: Arrays, chosen: Chosen | None = None) -> Fitted:
    """What was chosen, by `choose` where it was not before, and the probe of train + val at it, which is the one that is reported. Does not
    read test."""
    chosen = chosen or choose(arrays)
    probe = fit(*arrays.fitting_split(), (chosen["l2"],))
    return chosen if probe.converged.all() else chosen | {"not_converged": 1}, probe


def shared_choice(features: Features, arrays: Arrays) -> Chosen:
    """`choose` of the features of a data set, once for all evaluators."""
    return features.shared(f"strength of the linear probe of {arrays.dataset}", lambda: choose(arrays))


def shared_probe(features: Features, arrays: Arrays) -> Fitted:
    """`refit` of the features of a data set, once for all evaluators."""
    return features.shared(f"linear probe of {arrays.dataset}", lambda: refit(arrays, shared_choice(features, arrays)))


def measure(arrays: Arrays, fitted: Fitted | None = None) -> list[Result]:
    """'top1' on test, percent; 'mean_per_class' where that is the data set's metric. fitted: as of `refit`, where that was done before."""
    chosen, probe = fitted or refit(arrays)
    test_x, test_y = arrays.test_split()
    correct = predict(probe, test_x)[0] == test_y
    right, total = tally(arrays.metric, correct, test_y)
    return [
        Result(
            evaluator="linear",
            dataset=arrays.dataset,
            split="test",
            metric=arrays.metric,
            value=100 * (right / total),
            n=len(correct),
            chosen={**chosen},
            correct=pack(correct),
        )
    ]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    arrays = require_finite("linear", features.arrays())
    return measure(arrays, shared_probe(features, arrays))
