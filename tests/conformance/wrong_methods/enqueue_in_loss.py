"""Wrong: keys are enqueued in loss, not in after_step."""

import torch
from torch.nn import functional as F

from bench.method import Method
from bench.parts import Queue, classify, mlp
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class EnqueueInLoss(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        self.queue = Queue(64, 16)

    def loss(self, batch, progress):
        queries, keys = [F.normalize(self.projector(self.encoder(view)).float(), dim=1) for view in batch.views]
        # The clone keeps backward alive; the queue is still a step ahead of the weights.
        logits = torch.cat([(queries * keys.detach()).sum(1, keepdim=True), queries @ self.queue.rows.clone().T], dim=1)
        self.queue.enqueue(keys.detach())
        return classify(logits / self.temperature, torch.zeros(len(logits), dtype=torch.long))
