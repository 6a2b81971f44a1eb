"""Supervised training (He et al. 2016, arXiv:1512.03385): the encoder and a linear layer learn the labels at the same budget.

A ceiling, not a competitor: it is given what the others must do without.
Differs from the paper: a cosine instead of two drops of the learning rate; 256 images a batch instead of 128, the learning rate
scaled with them after a short warm-up; any encoder.
B images in the global batch, D features.
"""

import math

from torch import nn

from bench.domains import CountOrZero, NonNegative
from bench.method import Reference
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, Grayscale, PaddedCrop, View, color_distortion


class Supervised(Reference):
    paper = "arXiv:1512.03385"
    source = "paper alone"
    added = {"color_strength": 0.0}
    search = {"padding": ("linear", 0, 8)}

    def __init__(self, make_encoder, data, num_classes, *, padding: CountOrZero = 4, color_strength: NonNegative = 0.0):
        """padding: pixels of black border that the crop moves over, 4 (section 4.2). color_strength: of SimCLR's colour distortion, which
        greys a fifth of the images too (arXiv:2002.05709, appendix A, and google-research/simclr@2fc637b, tf2/data_util.py; supervised
        training with it: table 1); 0 is none."""
        super().__init__()
        colours = (color_distortion(color_strength), Grayscale(0.2)) if color_strength else ()
        self.views = (View((PaddedCrop(padding), Flip(), *colours)),)
        self.recipe = Recipe(
            "sgd",
            lr=0.1,  # per 128 images, as momentum and weight decay from section 4.2 of the paper (CIFAR-10)
            lr_per_batch=128,
            batch_size=256,  # the benchmark's default
            momentum=0.9,
            weight_decay=1e-4,
            exclude=(),  # the paper decays every weight and names no exception
            warmup=0.05,  # for the learning rate of 0.2 at this batch size, as Goyal et al. 2017 (arXiv:1706.02677)
        )
        self.encoder = make_encoder()
        self.classifier = nn.Linear(self.encoder.dim, num_classes)

    def chance_loss(self, batch_size):
        return math.log(len(self.classifier.bias))

    def loss(self, batch, progress):
        return mean_of_batch(classify(self.classifier(self.encoder(batch.views[0])), batch.labels), len(batch.labels))
