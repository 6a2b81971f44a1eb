"""Segmentation: a class for every pixel, by a linear layer on the frozen last feature map, and by an FCN head with all weights fine-tuned.

segmentation:voc2012_part     metrics frozen_mIoU and finetuned_mIoU, percent, on test; background_mIoU, what calling every pixel background
                              has there; and tflop, what all trainings took

The linear layer is a 1x1 convolution on standardised channels, the head torchvision's of FCN without dropout; scores are enlarged
bilinearly. SGD with Nesterov momentum 0.9 along a cosine to 0, images of 48 x 48 pixels (or the pretraining's size, where that is larger),
mirrored where that shows the same. Rare classes count more in the loss: most pixels are background, and where features say little a linear
layer without that says nothing else at its optimum. The learning rate of each is chosen on val, and the network trained again on train +
val. Masks are shrunk with their images, and judged at that size: numbers do not compare with published ones. A method without stages has
no results.
"""

from collections.abc import Sequence

from bench.evaluation.features import Features
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.descent import sgd
from bench.evaluation.tuning.grid import choose
from bench.evaluation.tuning.images import AnnotatedSplits
from bench.evaluation.tuning.segmenter import Segmenter, class_weights, confusion, mean_iou, of_background, train
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
ANNOTATION: str | None = "masks"
NEEDS_MAPS: bool = True

SIZE = 48
"""Pixels a side, at least. At twice as many an encoder of 32 pixels sees parts of objects in place of objects, at four times the cost."""
RATES = {"frozen": (0.1, 1.0), "finetuned": (0.01, 0.1)}
"""Learning rates; of equal ones on val the lower. A linear layer bears higher ones."""
DECAY, STEPS, BATCH = 1e-4, 400, 8
"""torchvision's weight decay (references/segmentation/train.py); and the length of each of the six trainings, which two cores must bear."""


def side(least: int, patch: int) -> int:
    """The least number of pixels from `least` on that is a whole number of patches."""
    return -(-least // patch) * patch


def measure(features: Features, splits: AnnotatedSplits, size: int) -> list[Result]:
    """All metrics and what they took. ValueError where no rate has a finite loss."""
    results, spent, number = [], [], len(splits.classes)
    fitted, val = list(splits.train), list(splits.val)  # decoded once: they are small
    weights = class_weights(fitted, number)
    trainings = sum(len(rates) + 1 for rates in RATES.values())
    for kind, rates in RATES.items():

        def trained(items: Sequence, rate: float, kind: str = kind) -> Segmenter | None:
            encoder, before = features.trainable(), len(spent)
            assert encoder is not None, "there was one before"
            backbone = Backbone(encoder, frozen=kind == "frozen")
            network = Segmenter(backbone, backbone.shapes(size, size)[-1][0], number)

            def going_on(share: float) -> None:
                features.check((before + share) / trainings)

            spent.append(train(network, items, splits.mirror, sgd(rate, DECAY, BATCH), STEPS, weights, going_on))
            return None if spent[-1] is None else network

        best, on_val, network = choose(
            rates,
            fitted,
            lambda: fitted + val,
            trained,
            # Val shows few of the classes, and one that it does not show would count for a rate at which nothing is said.
            lambda network: mean_iou(confusion(network, val, number), there=True),
        )
        if not best or not network:
            raise ValueError(f"segmentation on {splits.dataset}, {kind}: no learning rate has a finite loss")
        counts = confusion(network, splits.test, number)
        facts = {"evaluator": "segmentation", "dataset": splits.dataset, "split": "test", "n": len(splits.test)}
        if not results:
            results.append(Result(**facts, metric="background_mIoU", value=mean_iou(of_background(counts))))
        results.append(Result(**facts, metric=f"{kind}_mIoU", value=mean_iou(counts), chosen={"lr": best, "val_mIoU": on_val[best]}))
    tflop = sum(flops or 0.0 for flops in spent) / 1e12
    facts = {"evaluator": "segmentation", "dataset": splits.dataset, "split": "train", "n": len(fitted)}
    return [*results, Result(**facts, metric="tflop", value=tflop)]


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the data set named `argument`."""
    encoder = features.trainable()
    if encoder is None or not Backbone(encoder, frozen=True).shapes(encoder.size, encoder.size):
        return []
    size = side(max(SIZE, encoder.size), encoder.patch_size)
    return measure(features, features.annotated("masks", argument, (size, size)), size)
