"""Wrong: the loss is computed in whatever precision autocast left, bfloat16."""

import torch

from bench.method import Method
from bench.parts import mlp
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class LowPrecisionLoss(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature

    def loss(self, batch, progress):
        first, second = self.projector(self.encoder(torch.cat(batch.views))).chunk(2)
        # Barlow Twins' diagonal, without the care for precision.
        similarity = (first.T @ second) / len(first)
        return (similarity.diagonal() - 1).square().mean()
