"""Autoencoder (Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647): rebuild an image from its features, which are far fewer numbers.

Differs from the paper: a convolutional encoder, or a ViT, and a convolutional decoder trained end to end from random weights, instead
of dense layers that start as a stack of restricted Boltzmann machines; the code is the encoder's features, as many as they are,
instead of 30; squared error on normalised pixels instead of cross-entropy on pixels in [0, 1]; the loss is a mean over pixels.
The features of a wide encoder may be no bottleneck: 2048 numbers for an image of 3072. Then nothing forces them to say what matters.
B images in the global batch, D features, S height and width of the view.
"""

from torch import nn

from bench.domains import Count
from bench.method import Method
from bench.parts import mean_of_batch
from bench.reconstruction import decoder, squared_error
from bench.spec import Recipe
from bench.views import View

START = 4
"""Height and width of the map that the decoder makes of the features, as context encoders do of their code (pathak22, train.lua)."""


class Autoencoder(Method):
    paper = "doi:10.1126/science.1127647"
    source = "paper alone"
    family = "pretext"
    search = {"width": ("log", 16, 128)}

    def __init__(self, make_encoder, data, *, width: Count = 64):
        """width: channels of the decoder's first map; the paper's decoder is the mirrored encoder."""
        super().__init__()
        self.views = (View(()),)
        # The paper's numbers belong to fine-tuning a stack of Boltzmann machines. Adam with its authors' own settings (arXiv:1412.6980),
        # as for every method here that rebuilds pixels; the batch is the benchmark's default, and the warm-up is for ViTs.
        self.recipe = Recipe("adam", lr=1e-3, lr_per_batch=None, batch_size=256, warmup=0.05)
        self.encoder = make_encoder()
        self.decoder = nn.Sequential(
            nn.Linear(self.encoder.dim, width * START**2, bias=False),
            nn.Unflatten(1, (width, START, START)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            *decoder(width, START, data.image_size, width),
        )

    def chance_loss(self, batch_size):
        return 1.0  # the mean colour for every pixel

    def loss(self, batch, progress):
        (images,) = batch.views
        return mean_of_batch(squared_error(self.decoder(self.encoder(images)), images), len(images))
