"""From scratch: what `finetune` does to the same architecture with new weights, so that what pretraining has gained is seen beside it.

scratch             on the pretraining data set; scratch:digits on another one's own train, val and test
metrics             top1 (mean_per_class where that is the data set's), and tflop

The weights are drawn from the protocol, not from the run's seed. With them and an equal number of steps the learning rate may want to be
higher, so the grid is searched anew. It says nothing of a method's weights: one method of a table is enough, where encoders are the same.
"""

from bench.evaluation.evaluators import finetune
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
OPTIONAL: bool = True
READS_TEST: bool = True
SETS_OF_CLASSES: bool = True
TAKES: tuple[str, ...] = ()


def evaluate(features: Features, argument: str | None = None) -> list[Result]:
    """`finetune.measure` of an untrained encoder, on the pretraining data set, or on the one named `argument`."""
    return finetune.measure("scratch", lambda: features.trainable(fresh=True), features.images(argument), features.check)
