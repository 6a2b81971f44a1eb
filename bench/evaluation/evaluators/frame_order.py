"""Frame order: is a clip in the order of time or shuffled, told by a linear probe on its frames' features.

Every frame is encoded by itself, as a clip of one frame. Of each clip there are two rows: its frames' features one after the other, and the
same in another order, which is drawn once for everybody. The probe is that of `linear`, with its strength chosen on val. Half of all
answers are right by chance, and of an encoder that needs several frames at once it is measured what it knows of single ones.
N clips, T frames, D features.
"""

import dataclasses

import numpy as np

from bench.evaluation.arrays import Arrays, evenly, require_finite
from bench.evaluation.evaluators import linear
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = True
NEEDS_CLASSES: bool = False
TAKES: tuple[str, ...] = ("clips",)

SHUFFLED, IN_ORDER = 0, 1
"""The two classes."""

MOST_CLIPS = 2_000
"""Of train, evenly spaced, each of which is two rows; as many of val and test as there are."""


def frames(features: Features, split: str) -> np.ndarray:
    """The features of every frame of a split's clips: float32 [N, T, D]."""
    count: list[int] = []

    def only(number: int):
        def change(clips: np.ndarray, index: np.ndarray) -> np.ndarray:
            count[:] = clips.shape[1:2]
            return clips[:, number : number + 1]

        return change

    rows = None if split != "train" else evenly(len(features.split(split)[1]), MOST_CLIPS)
    found = [features.changed(split, only(0), rows=rows)]
    found += [features.changed(split, only(number), rows=rows) for number in range(1, count[0])]
    return np.stack(found, axis=1)


def shuffled(x: np.ndarray, draws: np.random.RandomState) -> np.ndarray:
    """Each clip of [N, T, D] in another order of its frames than its own."""
    orders = draws.random_sample(x.shape[:2]).argsort(axis=1)
    own = (orders == np.arange(x.shape[1])).all(axis=1)
    orders[own] = orders[own][:, ::-1]
    return np.take_along_axis(x, orders[..., None], axis=1)


def both(x: np.ndarray, draws: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Clips [N, T, D] in order, and then shuffled: float32 [2 N, T * D], int64 [2 N]."""
    rows = np.concatenate([x, shuffled(x, draws)])
    return rows.reshape(len(rows), -1), np.repeat([IN_ORDER, SHUFFLED], len(x))


def one_of_both(x: np.ndarray, draws: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Of each clip one of the two, drawn: float32 [N, T * D], int64 [N]. So test has each clip once, as for every evaluator."""
    other, labels = shuffled(x, draws), draws.randint(2, size=len(x))
    return np.where((labels == IN_ORDER)[:, None, None], x, other).reshape(len(x), -1), labels.astype(np.int64)


def measure(dataset: str, train: np.ndarray, val: np.ndarray, test: np.ndarray) -> list[Result]:
    """'top1' on test, percent, from the features of frames, float32 [N, T, D] of each split. ValueError where one is not finite."""
    draws = [np.random.RandomState(number) for number in range(3)]
    columns = (*both(train, draws[0]), *both(val, draws[1]), 2, dataset, *one_of_both(test, draws[2]))
    arrays = require_finite("frame_order", Arrays(*columns))
    return [dataclasses.replace(result, evaluator="frame_order") for result in linear.measure(arrays)]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set."""
    return measure(features.dataset, *(frames(features, split) for split in ("train", "val", "test")))
