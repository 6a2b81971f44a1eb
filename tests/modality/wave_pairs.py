"""Two shifted windows of a wave attract, every other wave of the batch repels; what is common to all waves is taken away first."""

import torch
from torch import nn

from bench.method import Method
from bench.parts import gather, nt_xent
from bench.spec import Recipe
from tests.modality.wave_views import Shifted


class WavePairs(Method):
    takes = ("waves",)
    smallest_batch = 2

    def __init__(self, make_encoder, data, *, temperature=0.2, noise=0.2):
        super().__init__()
        self.views = (Shifted(2, noise),)
        self.recipe = Recipe("sgd", lr=0.5, lr_per_batch=None, batch_size=32)
        self.encoder, self.temperature = make_encoder(), temperature
        self.head = nn.Linear(self.encoder.dim, 8)
        self.register_buffer("centre", torch.zeros(self.encoder.dim))

    def project(self, waves):
        """[B, 1, L] -> [B, 8]"""
        return self.head(self.encoder(waves) - self.centre)

    def before_epoch(self, extract, generator):
        self.centre.copy_(extract(self.encode).mean(0))
        return ()

    def loss(self, batch, progress):
        first, second = (self.project(view) for view in batch.views)
        return nt_xent(gather(first), gather(second), self.temperature)
