"""Fine-tuning on few labels: all weights and a linear layer, trained on N images of every class, the mean over the draws of `few_labels`.

finetune_few:20     metric top1_n20, of each draw top1_n20_draw1 to top1_n20_draw5, and tflop, what all trainings took
finetune_few:1%     as many of every class as together make 1 % of train's labels; metric top1_n1%, and of each draw

As `few_labels`, no other label is read, those of val among them: a fifth of a draw's images of every class is held out (one of them where
they are fewer than five), each learning rate is trained on the others, and the one that tells more of those held out is trained again, from
the pretrained weights, on all of the draw. SGD as in `finetune`, without weight decay, 100 steps of 32 crops.
`few_labels` beside it is the frozen probe on the same images. A method without an encoder (raw pixels) has no results.
N labels a class, K classes.
"""

from collections.abc import Callable

import numpy as np

from bench.data.splits import DRAWS, drawn
from bench.evaluation.evaluators.few_labels import FOLDS, Chosen, count_of, over_draws
from bench.evaluation.features import Features
from bench.evaluation.tuning.classifier import Trainings, judged
from bench.evaluation.tuning.descent import sgd
from bench.evaluation.tuning.grid import choose
from bench.evaluation.tuning.images import Images
from bench.evaluation.tuning.trainable import Trainable
from bench.records.record import Result

ARGUMENT: str | None = "a number of labels a class"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
FEWEST_LABELS: int = 2
"""One label a class leaves none to choose a learning rate by."""

RATES = (0.01, 0.1)
"""Learning rates; of equal ones on the held-out images the lower."""
STEPS, BATCH = 100, 32
"""Of each of the fifteen trainings: 3,200 crops, 48,000 in all. With five predictions of test they cost about what `finetune` costs."""


def held_out(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the positions [K, N] of a draw those to train on and those to choose by, in order of class: int64 each."""
    held = np.arange(rows.shape[1]) % min(FOLDS, rows.shape[1]) == 0
    return rows[:, ~held].ravel(), rows[:, held].ravel()


def measure(
    make: Callable[[], Trainable | None], images: Images, argument: str, check: Callable[[float], None] = lambda done: None
) -> list[Result]:
    """'top1_nN' on test, percent, the mean over the draws, then each draw's ('mean_per_class_nN' where that is the data set's metric), and
    `tflop`. make: gives a new copy of the encoder at every call, or None, and then there are no results. argument: N, or a percentage.
    check: see Features.check. ValueError where a draw has no rate with a finite loss, or a class of train too few images."""
    if make() is None:
        return []
    train, test = images.train, images.test_split()
    count = count_of(argument, len(train), images.num_classes)
    trainings = Trainings(make, images, STEPS, DRAWS * (len(RATES) + 1), check)

    def of_draw(draw: int) -> tuple[Chosen, np.ndarray]:
        rows = drawn(train.labels, count, draw)
        fitted, held = (train.some(part) for part in held_out(rows))
        best, on_held, network = choose(
            RATES,
            fitted,
            lambda: train.some(rows.ravel()),
            lambda part, rate: trainings.train(part, sgd(rate, 0.0, BATCH)),
            lambda network: judged("top1", network.scores(held), held.labels)[0],
        )
        if not best or not network:
            which = "the best" if best else "every"
            raise ValueError(
                f"finetune_few:{argument} on {images.dataset}, draw {draw}: with {which} learning rate the loss was not finite"
            )
        return {"lr": best, "held_out_top1": on_held[best]}, network.scores(test).argmax(axis=1) == test.labels

    results = over_draws("finetune_few", images.dataset, images.metric, argument, test.labels, of_draw)
    return [*results, trainings.cost("finetune_few")]


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the pretraining data set, with `argument` labels a class or percent."""
    return measure(features.trainable, features.images(), argument, features.check)
