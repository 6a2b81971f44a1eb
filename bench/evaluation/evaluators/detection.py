"""Detection: torchvision's Faster R-CNN on the encoder's stages, once frozen and once with all weights fine-tuned.

detection:voc2012_part     metrics frozen_AP, frozen_AP50, frozen_AP75 and finetuned_AP, ... on test, percent; and tflop, what it all took

A feature pyramid of the stages whose positions lie 4 pixels or more apart, narrower than torchvision's; of a ViT its last map. SGD with
Nesterov momentum 0.9 along a cosine to 0, images of a short side of 128 pixels (or the pretraining's size, where that is larger), mirrored
where that shows the same, nothing else. The learning rate of each is chosen on val by AP50, and the detector trained again on train + val.
AP is COCO's, by pycocotools; VOC's difficult objects do not count. Trained for 1,600 images on two cores: numbers do not compare with
published ones. A method without stages has no results.
"""

from collections.abc import Sequence

from torchvision.models.detection.faster_rcnn import FasterRCNN

from bench.evaluation.features import Features
from bench.evaluation.tuning.average_precision import average_precision
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.descent import sgd
from bench.evaluation.tuning.detector import detected, make, train
from bench.evaluation.tuning.grid import choose
from bench.evaluation.tuning.images import AnnotatedSplits, Together
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
ANNOTATION: str | None = "boxes"
NEEDS_MAPS: bool = True

SIZE = 128
"""Pixels of the short side, at least."""
RATES = (0.01, 0.03)
"""Learning rates; of equal ones on val the lower."""
DECAY, STEPS, BATCH = 1e-4, 400, 4
"""torchvision's weight decay (references/detection/train.py); and the length of each of the six trainings, which two cores must bear."""


def measure(features: Features, splits: AnnotatedSplits, size: int) -> list[Result]:
    """All metrics, and what they took. ValueError where no rate has a finite loss, or where no image of val or of test shows an object that
    counts."""
    results, spent, number = [], [], len(splits.classes)
    for kind in ("frozen", "finetuned"):

        def trained(items: Sequence, rate: float, kind: str = kind) -> FasterRCNN | None:
            encoder, before = features.trainable(), len(spent)
            assert encoder is not None, "there was one before"
            network = make(Backbone(encoder, frozen=kind == "frozen"), number, size)

            def going_on(share: float) -> None:
                features.check((before + share) / (2 * (len(RATES) + 1)))

            spent.append(train(network, items, splits.mirror, sgd(rate, DECAY, BATCH), STEPS, going_on))
            return None if spent[-1] is None else network

        best, on_val, network = choose(
            RATES,
            splits.train,
            lambda: Together(splits.train, splits.val),
            trained,
            lambda network: average_precision(detected(network, splits.val), number)["AP50"],
        )
        if not best or not network:
            raise ValueError(f"detection on {splits.dataset}, {kind}: no learning rate has a finite loss")
        facts = {"evaluator": "detection", "dataset": splits.dataset, "split": "test", "n": len(splits.test)}
        chosen = {"lr": best, "val_AP50": on_val[best]}
        for name, value in average_precision(detected(network, splits.test), number).items():
            results.append(Result(**facts, metric=f"{kind}_{name}", value=value, chosen={**chosen}))
    tflop = sum(flops or 0.0 for flops in spent) / 1e12
    facts = {"evaluator": "detection", "dataset": splits.dataset, "split": "train", "n": len(splits.train)}
    return [*results, Result(**facts, metric="tflop", value=tflop)]


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the data set named `argument`."""
    encoder = features.trainable()
    if encoder is None or not Backbone(encoder, frozen=True).shapes(encoder.size, encoder.size):
        return []
    size = max(SIZE, encoder.size)
    return measure(features, features.annotated("boxes", argument, size), size)
