"""Linear probe on few labels: N images of every class of train and no other label, the mean over five draws of them.

few_labels:20     metric top1_n20, and of each draw top1_n20_draw1 to top1_n20_draw5
few_labels:1%     as many of every class as together make 1 % of train's labels; metric top1_n1%, and of each draw

The percentage is balanced over the classes, as where SimCLR takes 1 % and 10 % of ImageNet (Chen et al. 2020, arXiv:2002.05709, section
4.2), and rounded to a whole number of each.

The draws are the same for every method, seed and encoder, and those of 20 lie in those of 100. The L2 strength is chosen within the N a
class: they are dealt into folds, each of which is predicted by a probe of the others. Val is not read, since its labels are labels too.
N labels a class, K classes, S strengths, D features.
"""

from collections.abc import Callable

import numpy as np

from bench.data.splits import DRAWS, drawn
from bench.evaluation.arrays import Arrays, labels_a_class, require_finite, tally
from bench.evaluation.evaluators.linear import STRENGTHS, Chosen, at_edge
from bench.evaluation.features import Features
from bench.evaluation.logistic import fit, predict
from bench.records.record import Result, pack

ARGUMENT: str | None = "a number of labels a class"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
FEWEST_LABELS: int = 2
"""One label a class leaves none to choose a strength by."""

FOLDS = 5
"""At most: of fewer labels a class each has a fold of its own."""


def choose(x: np.ndarray, y: np.ndarray) -> Chosen:
    """From the features [K, N, D] and labels [K, N] of a draw: the strength whose probes predict the held-out folds best, of equal ones the
    stronger, and the accuracy there: {'l2', 'held_out_top1' in percent, and 'at_edge' where it is}."""
    folds = min(FOLDS, y.shape[1])
    fold = np.arange(y.shape[1]) % folds
    right = np.zeros(len(STRENGTHS), dtype=np.int64)
    for held in range(folds):
        train, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        probe = fit(flat(x[:, train]), y[:, train].ravel(), STRENGTHS)
        right += (predict(probe, flat(x[:, out])) == y[:, out].ravel()).sum(axis=1)
    best = max(range(len(STRENGTHS)), key=lambda number: (right[number], STRENGTHS[number]))
    return {"l2": STRENGTHS[best], "held_out_top1": 100 * float(right[best] / y.size)} | at_edge(STRENGTHS[best])


def flat(x: np.ndarray) -> np.ndarray:
    """[K, n, D] -> [K * n, D]"""
    return x.reshape(-1, x.shape[-1])


def measure(arrays: Arrays, count: int, name: str | None = None) -> list[Result]:
    """'top1_nN' on test, percent, the mean over the draws; then of each draw with what was chosen and which images were right.
    'mean_per_class_nN' where that is the data set's metric; name: what stands for N, by default `count`. ValueError where a class of train
    has fewer than `count` images."""
    test_x, test_y = arrays.test_split()

    def of_draw(draw: int) -> tuple[Chosen, np.ndarray]:
        rows = drawn(arrays.train_y, count, draw)
        x, y = arrays.train_x[rows], arrays.train_y[rows]
        chosen = choose(x, y)
        probe = fit(flat(x), y.ravel(), (chosen["l2"],))
        return chosen if probe.converged.all() else chosen | {"not_converged": 1}, predict(probe, test_x)[0] == test_y

    return over_draws("few_labels", arrays.dataset, arrays.metric, name or str(count), test_y, of_draw)


def over_draws(
    evaluator: str, dataset: str, metric: str, name: str, test_y: np.ndarray, of_draw: Callable[[int], tuple[Chosen, np.ndarray]]
) -> list[Result]:
    """'METRIC_nNAME' on test, percent, the mean over the draws; then of each draw with what was chosen and which images were right.
    of_draw: what was chosen in the draw of this number, 1 to DRAWS, and which images of test were right, bool [N]."""
    facts, of_draws = {"evaluator": evaluator, "dataset": dataset, "split": "test", "n": len(test_y)}, []
    for draw in range(1, DRAWS + 1):
        chosen, correct = of_draw(draw)
        right, total = tally(metric, correct, test_y)
        named = {"metric": f"{metric}_n{name}_draw{draw}", "value": 100 * (right / total)}
        of_draws.append(Result(**facts, **named, chosen={**chosen}, correct=pack(correct)))
    mean = float(np.mean([result.value for result in of_draws]))
    return [Result(**facts, metric=f"{metric}_n{name}", value=mean), *of_draws]


def count_of(argument: str, labels: int, classes: int) -> int:
    """How many labels a class '20' or '1%' is, where train has so many labels of so many classes."""
    return labels_a_class(int(argument[:-1]), labels, classes) if argument.endswith("%") else int(argument)


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the pretraining data set, with `argument` labels a class or percent. ValueError where a feature is not finite."""
    arrays = require_finite(f"few_labels:{argument}", features.arrays())
    return measure(arrays, count_of(argument, len(arrays.train_y), arrays.num_classes), argument)
