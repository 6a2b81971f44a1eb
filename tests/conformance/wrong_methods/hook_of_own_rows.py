"""Wrong: from the second epoch on rows are centred at the mean of this device's share of the training images, not of all of them; seen
where a run has begun a second epoch."""

import torch

from bench.method import Method
from bench.parts import gather, mlp, nt_xent, shard
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class HookOfOwnRows(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        self.register_buffer("centre", torch.zeros(16))
        self.register_buffer("epoch", torch.tensor(0))

    def before_epoch(self, extract, generator):
        if self.epoch:  # before the first the features are those of random weights
            self.centre.copy_(shard(extract(lambda images: self.projector(self.encoder(images)))).mean(0))
        self.epoch += 1
        return ()

    def loss(self, batch, progress):
        rows = self.projector(self.encoder(torch.cat(batch.views))) - self.centre
        first, second = rows.chunk(2)
        return nt_xent(gather(first), gather(second), self.temperature)
