"""Calibration of the linear probe: do its probabilities say how often it is right, before and after one temperature for all of them.

ece, brier, nll                          of the probe that `linear` reports, on test
ece_scaled, brier_scaled, nll_scaled     the same with its logits divided by a temperature

The strength is chosen as bench/evaluation/evaluators/linear.py does, and the probe refitted on train + val. The temperature (Guo et al.
2017, arXiv:1706.04599) is the one with the least negative log-likelihood on val of the probe that was fitted on train alone: that probe has
not seen val, as the refitted one has, whose confidence there is that of fitted images. What is divided by it is the refitted probe's logits
on test. The refit has more images than the probe that the temperature is of, so it may need a little less of it; and the strength was the
best of 13 on the same val. Neither looks at test.

ECE in percent: 15 bins of equal width (0, 1/15], ... of the highest probability, the mean over images of |accuracy - mean confidence| of
their bin (as in the authors' repository, temperature_scaling.py at commit ce1154e). Brier score: the mean of the squared differences from
the one-hot label, summed over classes, 0 to 2. NLL in nats. Of all of them less is better.
N images, K classes.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from bench.evaluation.arrays import Arrays, require_finite
from bench.evaluation.evaluators import linear
from bench.evaluation.features import Features
from bench.evaluation.logistic import Probe, fit, logits
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:1706.04599",)

BINS = 15

TEMPERATURES = (0.01, 100.0)
"""Where the temperature is looked for. A probe that is right of all of val has its best at the lower end."""


def log_probabilities(probe: Probe, x: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """float64 [N, K] of features [N, D], K the classes that the probe was fitted on."""
    return log_softmax(logits(probe, x) / temperature, axis=1)


def places(probe: Probe, y: np.ndarray) -> np.ndarray:
    """Which of the probe's classes each label int64 [N] is; -1 where it is none of them."""
    place = np.searchsorted(probe.classes, y).clip(max=len(probe.classes) - 1)
    return np.where(probe.classes[place] == y, place, -1)


def of_labels(log_p: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Log-probability float64 [N] of each image's label: of a class that was not there to fit, minus infinity."""
    return np.where(place < 0, -np.inf, log_p[np.arange(len(place)), place])


def nll(log_p: np.ndarray, place: np.ndarray) -> float | None:
    """Mean negative log-probability of the labels; None where it is infinite."""
    value = -float(of_labels(log_p, place).mean())
    return value if np.isfinite(value) else None


def brier(log_p: np.ndarray, place: np.ndarray) -> float:
    """Mean over images of the sum over classes of (probability - one-hot)^2."""
    p = np.exp(log_p)
    return float((np.square(p).sum(axis=1) - 2 * np.exp(of_labels(log_p, place)) + 1).mean())


def ece(log_p: np.ndarray, place: np.ndarray) -> float:
    """Expected calibration error, in [0, 1]."""
    confidence, correct = np.exp(log_p.max(axis=1)), log_p.argmax(axis=1) == place
    # A bin has its upper edge.
    number = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence, side="left")
    gaps = np.bincount(number, weights=correct - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(place))


def temperature_of(scores: np.ndarray, place: np.ndarray) -> float:
    """The temperature with the least mean negative log-likelihood of logits [N, K]; images of no known class are left out."""
    scores, place = scores[place >= 0], place[place >= 0]
    if len(place) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        return -log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(place)), place].mean()

    # Convex in 1 / temperature, so there is one minimum, by its logarithm too.
    found: Any = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def measure(arrays: Arrays, fitted: linear.Fitted | None = None) -> list[Result]:
    """All six on test. `chosen` of the scaled ones has the temperature beside what the probe has. fitted: as of linear.refit, where that
    was done before."""
    chosen, probe = fitted or linear.refit(arrays)
    held_out = fit(arrays.train_x, arrays.train_y, (chosen["l2"],))
    temperature = temperature_of(logits(held_out, arrays.val_x), places(held_out, arrays.val_y))
    test_x, test_y = arrays.test_split()
    facts, place = {"evaluator": "calibration", "dataset": arrays.dataset, "split": "test", "n": len(test_y)}, places(probe, test_y)
    results = []
    for suffix, factor, picked in (("", 1.0, chosen), ("_scaled", temperature, chosen | {"temperature": temperature})):
        log_p = log_probabilities(probe, test_x, factor)
        values = {"ece": 100 * ece(log_p, place), "brier": brier(log_p, place), "nll": nll(log_p, place)}
        results += [Result(**facts, metric=name + suffix, value=value, chosen={**picked}) for name, value in values.items()]
    return results


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set. ValueError where a feature is not finite."""
    arrays = require_finite("calibration", features.arrays())
    return measure(arrays, linear.shared_probe(features, arrays))
