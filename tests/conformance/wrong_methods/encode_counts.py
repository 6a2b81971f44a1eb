"""Wrong: encode counts its calls in a buffer, so that looking at the features changes the method."""

import torch

from bench.method import Method
from bench.parts import mlp, nt_xent
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class EncodeCounts(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def loss(self, batch, progress):
        first, second = self.projector(self.encoder(torch.cat(batch.views))).chunk(2)
        return nt_xent(first, second, self.temperature)

    def encode(self, images):
        self.calls += 1
        return self.encoder(images)
