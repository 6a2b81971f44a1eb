"""A trainable encoder with a linear layer, trained to tell classes apart.

B images, N of a split, D features, K classes.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.randomness import seeded
from bench.encoders.features import extract
from bench.evaluation.tuning.descent import batches, cropped, descend
from bench.evaluation.tuning.images import Images, Part
from bench.evaluation.tuning.trainable import Trainable
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

    def predict(self, part: Part) -> np.ndarray:
        """The class int64 [N] of every image of a split, as it is stored, in eval mode; of equal scores the lower class."""
        encoder = self.encoder
        scores = [extract(self, self, images, encoder.mean, encoder.std, encoder.precision) for images in part.images]
        return torch.cat(scores).argmax(dim=1).cpu().numpy()


def train(network: Classifier, images: Images, part: Part, recipe: Recipe, steps: int, check: Callable[[float], None]) -> float | None:
    """Train all of it on the crops of a part of `images`. FLOPs, or None where a loss was not finite: see `descend`."""
    encoder, order, labels = network.encoder, batches(len(part), recipe.batch_size, "tuning"), torch.from_numpy(part.labels)

    def loss(step: int) -> Tensor:
        rows = next(order)
        views = cropped(part[rows], images.info, "tuning", step)
        return F.cross_entropy(network(encoder.prepare(views)), labels[rows].to(encoder.device))

    return descend(network, recipe, steps, loss, check)
