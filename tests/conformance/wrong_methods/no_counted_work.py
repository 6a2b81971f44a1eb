"""Wrong: learns a mean image with additions alone, so that a budget in FLOPs is never spent."""

import torch
from torch import nn

from bench.method import Method
from bench.spec import Recipe
from bench.views import View


class NoCountedWork(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View(()),)
        self.recipe = Recipe("sgd", lr=0.1)
        self.mean = nn.Parameter(torch.randn(3, data.image_size, data.image_size))

    def loss(self, batch, progress):
        return (batch.views[0] - self.mean).square().mean()

    def encode(self, images):
        return (images - self.mean).flatten(1)
