"""Colorful image colorization (Zhang et al. 2016, arXiv:1603.08511): say from an image's lightness which colour each of its places has.

Differs from the paper:
- The harness's encoder and one 1x1 convolution, at the feature map's resolution, instead of a dilated VGG and a quarter of the image's.
- 309 colours, not 313: the corners of every square of the ab grid that holds a colour of sRGB. All but four of the authors' points (their
  pts_in_hull.npy also has (40, 90), (100, -90), (100, -10) and (100, 0)), which lie beside squares that hold none by today's conversion.
- The colours' distribution is that of 8 x 8 pixels of each pretraining image, softly encoded, counted before the first epoch; the authors
  smooth a histogram of ImageNet.
- Crops of 47 % and more of the area, resized; the authors cut 176 of 256 pixels, which is 47 %, without resizing.
- Adam's own learning rate with a cosine, and batches of 256: theirs is for 450,000 steps from a k-means initialisation.
As the authors' code, not the paper: an image without a clear colour weighs nothing, and a target is the colour of one pixel, not a mean.
B images in the global batch, S height and width of the view, h of the feature map, Q colours.
"""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Fraction, Positive
from bench.method import Method
from bench.parts import full_precision, mean_of_batch, upcast
from bench.reconstruction import (
    COLOUR_SCALE,
    LIGHTNESS_CENTRE,
    LIGHTNESS_SCALE,
    colours_in_gamut,
    half_squared_error,
    lab_channels,
    squared_distances,
)
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View

NOT_GREY = 5
"""An image is in colour if a or b of some place is further from 0 (NonGrayMaskLayer in caffe_traininglayers.py)."""

COUNTED_SIDE = 8
"""Pixels a side of an image that the distribution is counted over: 64 of each of thousands of images tell enough."""


@full_precision
def soft_encode(ab: Tensor, colours: Tensor, neighbours: int, sigma: float) -> Tensor:
    """[B, 2, h, w] -> [B, Q, h, w]: the nearest of the colours [Q, 2], weighted by a Gaussian of their distance, of sum 1."""
    squared = squared_distances(ab, colours)
    nearest, which = squared.topk(neighbours, dim=1, largest=False)
    return torch.zeros_like(squared).scatter(1, which, (-nearest / (2 * sigma**2)).softmax(1))


@full_precision
def rebalancing(shares: Tensor, uniform: float) -> Tensor:
    """Eq. 4: the weight of each colour from its share [Q] of all pixels; over these the mean weight is 1."""
    weights = 1 / ((1 - uniform) * shares + uniform / len(shares))
    return weights / (shares * weights).sum()


@full_precision
def classification(logits: Tensor, target: Tensor, weights: Tensor, coloured: Tensor) -> Tensor:
    """Eq. 2 as a mean: cross-entropy of [B, Q, h, w] each, every place weighted with its nearest colour's weight [Q]. Its sum of weights
    is taken to be the number of places, as it is on average, not what a batch happens to have. coloured: bool [B]."""
    error = -(target * logits.log_softmax(1)).sum(1)
    return (error * weights[target.argmax(1)] * coloured[:, None, None]).mean()


class Colorization(Method):
    paper = "arXiv:1603.08511"
    # The solver, the loss's layers, and the PyTorch port: on branches of one repository.
    source = "richzhang/colorization@94b2a53, richzhang/colorization@815b3f7, richzhang/colorization@4bda68f"
    family = "pretext"
    version = 2
    needs = "feature_map"
    search = {"crop_min": ("linear", 0.2, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        kind: Literal["classification", "regression"] = "classification",
        neighbours: Annotated[int, Interval(ge=1, le=309)] = 5,
        sigma: Positive = 5.0,
        uniform: Fraction = 0.5,
        crop_min: Fraction = 0.47,
    ):
        """kind: classification of colours, or regression of a and b (the paper's L2). neighbours: colours in a target, 5 (the authors'
        code: 10). sigma: of their Gaussian, 5. uniform: lambda, how much of the uniform distribution is mixed into that of the colours
        before they are weighted by its inverse, 0.5; at 1 all weigh the same. crop_min: smallest area of a crop, 0.47."""
        super().__init__()
        if data.channels == 1:
            raise ValueError("these images are grey: there is no colour to predict from their lightness; take a data set in colour")
        self.views = (View((ResizedCrop((crop_min, 1.0), ratio=(1.0, 1.0)), Flip())),)
        self.recipe = Recipe(
            "adam",  # the paper and the authors' train/solver.prototxt
            lr=1e-3,  # Adam's authors' (arXiv:1412.6980); solver.prototxt: 3e-5
            lr_per_batch=None,
            batch_size=256,  # the benchmark's default; models/colorization_train_val_v2.prototxt: 40
            betas=(0.9, 0.99),  # solver.prototxt, as the weight decay
            weight_decay=1e-3,
            exclude=(),  # Caffe decays every parameter
            warmup=0.05,  # not theirs: for ViTs at this learning rate
        )
        colours = colours_in_gamut()
        self.encoder = make_encoder(in_channels=1)
        self.head = nn.Conv2d(self.encoder.dim, len(colours) if kind == "classification" else 2, 1)
        self.register_buffer("colours", colours)
        self.register_buffer("shares", torch.full((len(colours),), 1 / len(colours)))
        self.register_buffer("counted", torch.zeros((), dtype=torch.bool))
        self.register_buffer("mean", torch.tensor(data.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(data.std).view(3, 1, 1))
        self.kind, self.neighbours, self.sigma, self.uniform = kind, neighbours, sigma, uniform

    def split(self, images):
        """Normalised images [B, 3, S, S] -> what the encoder sees of their lightness [B, 1, S, S], and a and b [B, 2, S, S]."""
        lightness, ab = lab_channels(images, self.mean, self.std)
        return (lightness - LIGHTNESS_CENTRE) / LIGHTNESS_SCALE, ab

    def histogram(self, images):
        """[B, 3, S, S] -> the share of each colour in each image [B, Q]."""
        ab = F.interpolate(self.split(images)[1], COUNTED_SIDE)
        return soft_encode(ab, self.colours, self.neighbours, self.sigma).mean((2, 3))

    def before_epoch(self, extract, generator):
        if self.kind == "classification" and not self.counted:
            self.shares.copy_(extract(self.histogram).mean(0))
            self.counted.fill_(True)
        return ()

    def chance_loss(self, batch_size):
        return math.log(len(self.colours)) if self.kind == "classification" else None

    def loss(self, batch, progress):
        lightness, ab = self.split(batch.views[0])
        batch.show("lightness", lambda: (lightness * LIGHTNESS_SCALE + LIGHTNESS_CENTRE) / 100)
        batch.show("a and b, to be predicted", lambda: 0.5 + 0.5 * ab[:, :, None] / COLOUR_SCALE)
        predicted = self.head(self.encoder.feature_map(lightness))
        # One pixel in so many, the top left one of its square, as the authors' data_ab_ss: a mean colour is greyer than any.
        ab = F.interpolate(ab, predicted.shape[2:])
        if self.kind == "regression":
            return mean_of_batch(half_squared_error(predicted, ab / COLOUR_SCALE), len(ab))
        target = soft_encode(ab, self.colours, self.neighbours, self.sigma)
        coloured = (ab.abs() > NOT_GREY).flatten(1).any(1)
        return mean_of_batch(classification(predicted, target, rebalancing(self.shares, self.uniform), coloured), len(ab))

    def encode(self, images):
        """The mean of the feature map, which is what the loss trains; of the lightness alone."""
        return upcast(self.encoder.feature_map(self.split(images)[0])).mean((2, 3))
