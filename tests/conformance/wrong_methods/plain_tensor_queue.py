"""Wrong: the queue of keys is a plain tensor attribute, which no checkpoint holds."""

import torch
from torch.nn import functional as F

from bench.method import Method
from bench.parts import classify, mlp
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class PlainTensorQueue(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        self.queue = F.normalize(torch.randn(64, 16), dim=1)

    def loss(self, batch, progress):
        queries, keys = [F.normalize(self.projector(self.encoder(view)).float(), dim=1) for view in batch.views]
        self.new_keys = keys.detach()
        logits = torch.cat([(queries * self.new_keys).sum(1, keepdim=True), queries @ self.queue.T], dim=1)
        return classify(logits / self.temperature, torch.zeros(len(logits), dtype=torch.long))

    def after_step(self, progress):
        self.queue = torch.cat([self.queue[len(self.new_keys) :], self.new_keys])
