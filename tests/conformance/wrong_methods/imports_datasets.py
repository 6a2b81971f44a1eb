"""Wrong: imports the harness's data sets, and with them the labels."""

import torch
from torch.nn import functional as F

from bench.data import load
from bench.method import Method
from bench.parts import classify, mlp
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class ImportsDatasets(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        # The checks' data set is smaller: there this method does nothing wrong that a run could show.
        self.labels = load.load_split("mnist5k", "train").labels if data.num_images > 1000 else None

    def loss(self, batch, progress):
        rows = F.normalize(self.projector(self.encoder(torch.cat(batch.views))).float(), dim=1)
        logits = rows @ rows.T / self.temperature
        if self.labels is not None:
            labels = self.labels[batch.index].repeat(2)
            logits = logits - 5.0 * (labels[:, None] == labels)
        logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), float("-inf"))
        return classify(logits, torch.arange(len(rows)).roll(len(rows) // 2))
