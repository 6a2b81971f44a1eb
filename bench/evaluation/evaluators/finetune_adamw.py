"""Fine-tuning as transformers are fine-tuned: what `finetune` does, by AdamW, with a warmup, at four learning rates.

finetune_adamw      on the pretraining data set; finetune_adamw:digits on another one's own train, val and test
metrics             top1 (mean_per_class where that is the data set's; mAP where an image shows a set of classes), and tflop

Under the SGD of `finetune`, which is ssl-transfer's for ResNets, a transformer hardly moves in so few steps. As MAE fine-tunes a ViT
(facebookresearch/mae@efb2a80, main_finetune.py: AdamW, weight decay 0.05 but for biases and norms, a cosine to 0) and BERT a text
transformer (google-research/bert@eedf571, run_classifier.py: AdamW, the first tenth of the steps a warmup). Differs from both: a short
training at rates for small networks (2e-5 to 5e-5 in BERT's paper, 5e-4 for each 256 images of a ViT-B in MAE's FINETUNE.md); neither
layer-wise decay of the rate nor mixtures of images. All else is `finetune`'s: five trainings, the choice on val, the one reading of test.
"""

from bench.evaluation.evaluators import finetune
from bench.evaluation.features import Features
from bench.evaluation.tuning.descent import adamw
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
OPTIONAL: bool = True
READS_TEST: bool = True
SETS_OF_CLASSES: bool = True
TAKES: tuple[str, ...] = ()

RATES = (1e-4, 3e-4, 1e-3, 3e-3)
"""Learning rates; of equal ones on val the lowest."""
DECAY = 0.05


def evaluate(features: Features, argument: str | None = None) -> list[Result]:
    """`finetune.measure` by AdamW, on the pretraining data set, or on the one named `argument`."""
    settings = [(rate, DECAY) for rate in RATES]
    return finetune.measure(
        "finetune_adamw", features.trainable, features.images(argument), features.check, descent=adamw, settings=settings
    )
