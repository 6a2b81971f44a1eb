"""Wrong: the centre of the embeddings is registered in the first step, when a checkpoint's names are long fixed."""

import torch

from bench.method import Method
from bench.parts import mlp, nt_xent
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class LateBuffer(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature

    def loss(self, batch, progress):
        rows = self.projector(self.encoder(torch.cat(batch.views))).float()
        self.mean = rows.detach().mean(0)
        first, second = (rows - getattr(self, "centre", 0.0)).chunk(2)
        return nt_xent(first, second, self.temperature)

    def after_step(self, progress):
        if not hasattr(self, "centre"):
            self.register_buffer("centre", torch.zeros_like(self.mean))
        self.centre.lerp_(self.mean, 0.1)
