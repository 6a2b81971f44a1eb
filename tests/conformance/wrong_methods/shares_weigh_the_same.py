"""Wrong: each process's mean counts the same, however many rows it is of; seen where a batch cannot be shared evenly."""

from torch import nn

from bench.method import Method
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class SharesWeighTheSame(Method):
    paper = "arXiv:1406.6909"

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip())),)
        self.recipe = Recipe("sgd", lr=0.1)
        self.encoder = make_encoder()
        self.classifier = nn.Linear(self.encoder.dim, data.num_images)

    def loss(self, batch, progress):
        return mean_of_batch(classify(self.classifier(self.encoder(batch.views[0])), batch.index), 1)
