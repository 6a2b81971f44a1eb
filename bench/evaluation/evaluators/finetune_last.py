"""Fine-tuning with the lower layers frozen: the last N stages of a copy of the encoder and a linear layer are trained, as `finetune` does.

finetune_last:0     the frozen encoder: the linear layer alone
finetune_last:2     a ResNet's last two stages, or of a transformer (its blocks, or quarters of them); of as many as there are, all weights
metrics             top1_last2 (mean_per_class_last2 where that is the data set's), and tflop_last2, what all trainings took

How far down the features of a pretraining have to be changed for a task (Yosinski et al. 2014, arXiv:1411.1792), by the partial
fine-tuning of MAE (He et al. 2022, arXiv:2111.06377, section 4.3), whose stages are a ViT's blocks. All but what is frozen is `finetune`'s:
the grid, its length, the choice on val, the one reading of test. What is frozen gets no gradient, and its BatchNorms keep the statistics of
the pretraining. What an encoder has before its first stage is frozen with that one; what it has after its last is trained, but for N = 0.
"""

from bench.evaluation.evaluators import finetune
from bench.evaluation.features import Features
from bench.evaluation.tuning.trainable import Trainable
from bench.records.record import Result

ARGUMENT: str | None = "a number of stages"
SMALLEST: int = 0
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()


def evaluate(features: Features, argument: str) -> list[Result]:
    """`finetune.measure` of the last `argument` stages, on the pretraining data set."""

    def make() -> Trainable | None:
        encoder = features.trainable()
        if encoder:
            encoder.freeze_all_but(int(argument))
        return encoder

    return finetune.measure("finetune_last", make, features.images(), features.check, f"_last{argument}")
