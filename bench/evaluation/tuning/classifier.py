"""A trainable encoder with a linear layer, trained to tell classes apart.

B images, N of a split, D features, K classes.
"""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.randomness import seeded
from bench.encoders.features import extract
from bench.evaluation.arrays import tally
from bench.evaluation.tuning.descent import batches, cropped, descend
from bench.evaluation.tuning.images import Images, Part
from bench.evaluation.tuning.trainable import Trainable
from bench.records.record import Result
from bench.spec import PROTOCOL, Recipe


class Classifier(nn.Module):
    """[B, 3, H, W], normalised -> scores float32 [B, K]."""

    def __init__(self, encoder: Trainable, classes: int):
        """The linear layer begins as torch's do, drawn from the protocol: the same for every method and seed with the same D."""
        super().__init__()
        self.encoder = encoder
        with seeded("classifier", PROTOCOL):
            self.head = nn.Linear(encoder.dim, classes)
        self.head.to(encoder.device)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images))

    def scores(self, part: Part) -> np.ndarray:
        """Scores float32 [N, K] of every image of a split, as it is stored, in eval mode."""
        encoder = self.encoder
        setting = encoder.mean, encoder.std, encoder.precision
        scores = [extract(self, self, images, *setting, prepare=encoder.modality.prepare) for images in part.images]
        return torch.cat(scores).cpu().numpy()


def loss_of(scores: Tensor, labels: Tensor) -> Tensor:
    """Scores [B, K] with labels int64 [B]: the mean cross-entropy. With sets of classes, int64 [B, K] as `Part.labels` has them: the mean
    over classes and images of the binary cross-entropy, but for those that are ignored."""
    if labels.ndim == 1:
        return F.cross_entropy(scores, labels)
    counts = labels >= 0
    every = F.binary_cross_entropy_with_logits(scores, labels.clamp(min=0).to(scores.dtype), reduction="none")
    return (every * counts).sum() / counts.sum().clamp(min=1)


def judged(metric: str, scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray | None]:
    """The metric in percent, and which images are right, bool [N], where that can be said of an image; of scores [N, K] and labels as
    `Part.labels` has them. mAP: the mean over classes of scikit-learn's average precision, ignored images left out, and so are classes that
    no image shows."""
    if metric != "mAP":
        correct = scores.argmax(axis=1) == labels
        right, total = tally(metric, correct, labels)
        return 100 * (right / total), correct
    there = [number for number in range(labels.shape[1]) if (labels[:, number] == 1).any()]
    counted = [labels[:, number] >= 0 for number in there]
    precision = [average_precision_score(labels[rows, n], scores[rows, n]) for n, rows in zip(there, counted, strict=True)]
    return 100 * float(np.mean(precision)), None


class Trainings:
    """What an evaluator trains one after the other: each time a new copy of the encoder with a new linear layer."""

    def __init__(self, make: Callable[[], Trainable | None], images: Images, steps: int, count: int, check: Callable[[float], None]):
        """make: gives a new copy at every call. steps: of each training. count: how many trainings there will be. check: is told which
        share of all of them is done, see Features.check."""
        self.make, self.images, self.steps, self.count, self.check = make, images, steps, count, check
        self.done, self.flops = 0, 0.0

    def train(self, part: Part, recipe: Recipe) -> Classifier | None:
        """Trained on `part`; None where a loss was not finite."""
        encoder = self.make()
        assert encoder is not None, "there was one before"
        network = Classifier(encoder, self.images.num_classes)
        flops = train(network, self.images, part, recipe, self.steps, lambda share: self.check((self.done + share) / self.count))
        self.done, self.flops = self.done + 1, self.flops + (flops or 0.0)
        return None if flops is None else network

    def cost(self, evaluator: str, ending: str = "") -> Result:
        """`tflop`, with this ending: what all of them took, but for those whose loss was not finite."""
        facts = {"evaluator": evaluator, "dataset": self.images.dataset, "split": "train", "n": len(self.images.train)}
        return Result(**facts, metric=f"tflop{ending}", value=self.flops / 1e12)


def train(network: Classifier, images: Images, part: Part, recipe: Recipe, steps: int, check: Callable[[float], None]) -> float | None:
    """Train all of it on a part of `images`, on crops where they are images. FLOPs, or None where a loss was not finite: see `descend`."""
    encoder, order, labels = network.encoder, batches(len(part), recipe.batch_size, "tuning"), torch.from_numpy(part.labels)

    def loss(step: int) -> Tensor:
        rows = next(order)
        items = part[rows]
        seen = cropped(items, images.info, "tuning", step) if images.modality.cropped else items
        return loss_of(network(encoder.prepare(seen)), labels[rows].to(encoder.device))

    return descend(network, recipe, steps, loss, check)
