"""Fine-tuning: all weights of a copy of the encoder, and a linear layer, trained with labels, learning rate and weight decay chosen on val.

finetune            on the pretraining data set; finetune:digits on another one's own train, val and test
metrics             top1 (mean_per_class where that is the data set's; mAP where an image shows a set of classes, as of voc2012),
                    and tflop, what all its trainings took

As ssl-transfer (linusericsson/ssl-transfer@4e9b9c2, finetune.py): SGD with Nesterov momentum 0.9, a cosine to 0, batches of 64, crops and
flips, every setting of the grid trained on train and measured on val, the best one trained again on train + val. Differs from it: 200 steps
(5,000 there); a grid of 2 x 2 (4 x 5 there); images have the size of the pretraining (224 there). What are not images are trained on as
they are, without crops and flips. Transformers want AdamW: `finetune_adamw`.
The same items, crops and first linear layer for every method and seed. A method without an encoder (raw pixels) has no results.
N images.
"""

from collections.abc import Callable, Sequence

from bench.evaluation.features import Features
from bench.evaluation.tuning.classifier import Trainings, judged
from bench.evaluation.tuning.descent import Descent, sgd
from bench.evaluation.tuning.grid import choose
from bench.evaluation.tuning.images import Images
from bench.evaluation.tuning.trainable import Trainable
from bench.records.record import Result, pack

ARGUMENT: str | None = "a data set"
OPTIONAL: bool = True
READS_TEST: bool = True
SETS_OF_CLASSES: bool = True
TAKES: tuple[str, ...] = ()

RATES = (0.01, 0.1)
"""Learning rates; of equal ones on val the lower."""
DECAYS = (0.0, 1e-3)
"""Weight decays; of equal ones on val the lower. 1e-3 is ssl-transfer's largest at a learning rate of 1 (it divides them by the rate)."""
STEPS, BATCH = 200, 64
"""Of each training: 12,800 crops. All five cost what a run of a small budget costs: two cores must bear it."""


def measure(
    evaluator: str,
    make: Callable[[], Trainable | None],
    images: Images,
    check: Callable[[float], None],
    ending: str = "",
    *,
    descent: Descent = sgd,
    settings: Sequence[tuple[float, float]] = (),
) -> list[Result]:
    """The data set's metric on test, percent, and `tflop`, with which a record says what it took. make: gives a new copy of the encoder at
    every call, or None, and then there are no results. check: see Features.check. ending: of both metrics' names. settings: (rate,
    decay) for `descent`, those above where there are none. ValueError where no setting has a finite loss."""
    if make() is None:
        return []
    settings = settings or [(rate, decay) for rate in RATES for decay in DECAYS]
    trainings = Trainings(make, images, STEPS, len(settings) + 1, check)
    best, on_val, network = choose(
        settings,
        images.train,
        images.fitting_split,
        lambda part, setting: trainings.train(part, descent(*setting, BATCH)),
        lambda network: judged(images.metric, network.scores(images.val), images.val.labels)[0],
    )
    if not best or not network:
        raise ValueError(f"{evaluator} on {images.dataset}: with {'the best' if best else 'every'} setting the loss was not finite")
    test = images.test_split()
    value, correct = judged(images.metric, network.scores(test), test.labels)
    chosen = {"lr": best[0], "weight_decay": best[1], f"val_{images.metric}": on_val[best]}
    facts = {"evaluator": evaluator, "dataset": images.dataset, "split": "test", "n": len(test)}
    accuracy = Result(
        **facts, metric=f"{images.metric}{ending}", value=value, chosen={**chosen}, correct=None if correct is None else pack(correct)
    )
    return [accuracy, trainings.cost(evaluator, ending)]


def evaluate(features: Features, argument: str | None = None) -> list[Result]:
    """`measure` on the pretraining data set, or on the one named `argument`."""
    return measure("finetune", features.trainable, features.images(argument), features.check)
