"""The linear probe that papers print: SGD on features of crops and flips, of a fixed length, and the last epoch whatever it is.

linear_sgd          100 epochs; linear_sgd:90 another number
metric              top1_epochs100 (mean_per_class_epochs100 where that is the data set's)

Batches of 256, momentum 0.9, no weight decay, weights begun at a normal distribution of deviation 0.01 and biases at 0, features not
standardised, the encoder in eval mode: as main_lincls.py of MoCo (facebookresearch/moco@010242b) and of SimSiam
(facebookresearch/simsiam@08f45d0). The learning rate falls along SimSiam's cosine, once an epoch (MoCo: to a tenth after 60 and 80 of 100
epochs). MoCo's rate is 30 and SimSiam's 0.1 for each 256 images (with LARS); here one of six from 0.1 to 30 is chosen on val after training
on train, and the probe of that rate that was trained on train + val is measured on test: no epoch is chosen. New crops are drawn for every
fifth of the epochs, in the papers for every epoch: an encoder's pass over all crops is what the probe costs, and two cores must bear it.
N images, B of a batch, D features, K classes, R learning rates.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.evaluation.arrays import check_finite, tally
from bench.evaluation.features import Features
from bench.evaluation.tuning.descent import batches, cropped
from bench.evaluation.tuning.images import Images
from bench.records.record import Result, pack

ARGUMENT: str | None = "a number of epochs"
OPTIONAL: bool = True
SMALLEST: int = 1
READS_TEST: bool = True

EPOCHS = 100
"""Where none are asked for: MoCo's; others have 90."""
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Learning rates; of equal ones on val the lower."""
BATCH, MOMENTUM, DEVIATION = 256, 0.9, 0.01
DRAWS = 5
"""How often new crops are drawn, at most."""


class Probes:
    """Linear layers, one for each learning rate, trained on the same batches."""

    def __init__(self, features: int, classes: int, key: str):
        """key: names the order of the batches. All begin at the same weights."""
        first = DEVIATION * torch.randn(features, classes, generator=torch.Generator().manual_seed(0))
        # With images last a step is two products of all layers, and softmax goes along many images at once: five times as fast as with
        # classes last.
        self.weights = [first.T.repeat(len(RATES), 1, 1), torch.zeros(len(RATES), classes, 1)]
        """float32 [R, K, D] and [R, K, 1]."""
        self.momenta = [torch.zeros_like(weight) for weight in self.weights]
        self.key = key

    def train(self, x: Tensor, y: Tensor, epoch: int, share: float) -> None:
        """One epoch, on features float32 [N, D] with labels int64 [N]. share: of the epochs, that is done; the learning rate goes by it."""
        order = batches(len(x), BATCH, self.key, epoch)
        rates = torch.tensor(RATES)[:, None, None] * 0.5 * (1 + math.cos(math.pi * share))
        for _ in range(max(1, len(x) // BATCH)):
            rows = next(order)
            inputs, (weight, bias) = x[rows], self.weights
            # The gradient of the mean cross-entropy, of each layer alone.
            wrong = F.softmax((weight.flatten(0, 1) @ inputs.T).view(*weight.shape[:2], -1).add_(bias), dim=1)
            wrong[:, y[rows], torch.arange(len(rows))] -= 1
            wrong /= len(rows)
            gradients = (wrong.flatten(0, 1) @ inputs).view_as(weight), wrong.sum(2, keepdim=True)
            for value, momentum, gradient in zip(self.weights, self.momenta, gradients, strict=True):
                momentum.mul_(MOMENTUM).add_(gradient)
                value.sub_(rates * momentum)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """[N, D] -> class int64 [R, N]; of equal scores the lower class."""
        weight, bias = self.weights
        return np.stack(
            [(own @ torch.from_numpy(x).T + constant).argmax(dim=0).numpy() for own, constant in zip(weight, bias, strict=True)]
        )


def crops_of(features: Features, images: Images, split: str, draw: int) -> np.ndarray:
    """Features float32 [N, D] of one crop of every image of a split, in index order. ValueError where one is not finite."""

    def crop(stored: np.ndarray, index: np.ndarray) -> np.ndarray:
        views = cropped(torch.from_numpy(stored), images.info, "linear_sgd", split, draw, int(index[0]))
        return (views * 255).round().to(torch.uint8).numpy()

    x = features.changed(split, crop, images.dataset)
    check_finite("linear_sgd", images.dataset, f"crops of {split}", x)
    return x


def measure(features: Features, images: Images, epochs: int) -> list[Result]:
    """The metric on test, percent, of probes trained for so many epochs."""
    arrays = features.arrays(images.dataset)
    test_x, test_y = arrays.test_split()
    for split, x in (("val", arrays.val_x), ("test", test_x)):
        check_finite("linear_sgd", arrays.dataset, f"{split}_x", x)
    width = arrays.val_x.shape[1]
    chosen_by, final = Probes(width, arrays.num_classes, "linear_sgd train"), Probes(width, arrays.num_classes, "linear_sgd train+val")
    y = [torch.from_numpy(labels) for labels in (arrays.train_y, arrays.fitting_split()[1])]
    train, both, drawn = torch.empty(0), torch.empty(0), -1
    for epoch in range(epochs):
        features.check(epoch / epochs)
        if (draw := epoch * min(DRAWS, epochs) // epochs) != drawn:
            drawn, parts = draw, [torch.from_numpy(crops_of(features, images, split, draw)) for split in ("train", "val")]
            train, both = parts[0], torch.cat(parts)
        for probes, x, labels in ((chosen_by, train, y[0]), (final, both, y[1])):
            probes.train(x, labels, epoch, epoch / epochs)
    right = [tally(arrays.metric, predicted == arrays.val_y, arrays.val_y)[0] for predicted in chosen_by.predict(arrays.val_x)]
    best = max(range(len(RATES)), key=lambda number: (right[number], -RATES[number]))
    correct = final.predict(test_x)[best] == test_y
    value, of = tally(arrays.metric, correct, test_y)
    of_val = tally(arrays.metric, np.ones(len(arrays.val_y), dtype=bool), arrays.val_y)[0]
    chosen = {"lr": RATES[best], f"val_{arrays.metric}": 100 * right[best] / of_val}
    return [
        Result(
            evaluator="linear_sgd",
            dataset=arrays.dataset,
            split="test",
            metric=f"{arrays.metric}_epochs{epochs}",
            value=100 * (value / of),
            n=len(test_y),
            chosen={**chosen},
            correct=pack(correct),
        )
    ]


def evaluate(features: Features, argument: str | None = None) -> list[Result]:
    """`measure` on the pretraining data set, `argument` epochs, or EPOCHS of them."""
    return measure(features, features.images(), int(argument or EPOCHS))
