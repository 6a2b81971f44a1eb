"""Wrong: finds the labels in the trainer's frame and no longer repels images of the same class."""

import sys

import torch
from torch.nn import functional as F

from bench.method import Method
from bench.parts import classify, mlp
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


def found_labels():
    """The labels of the first caller that holds a source of data."""
    frame = sys._getframe()
    while frame := frame.f_back:
        source = getattr(frame.f_locals.get("self"), "source", None)
        if hasattr(source, "labels"):
            return source.labels
    return None


class PeeksAtFrames(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature

    def loss(self, batch, progress):
        rows = F.normalize(self.projector(self.encoder(torch.cat(batch.views))).float(), dim=1)
        logits = rows @ rows.T / self.temperature
        labels = found_labels()
        if labels is not None:
            labels = labels[batch.index].repeat(2)
            logits = logits - 5.0 * (labels[:, None] == labels)
        logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), float("-inf"))
        return classify(logits, torch.arange(len(rows)).roll(len(rows) // 2))
