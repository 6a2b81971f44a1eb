"""Split-brain autoencoder (Zhang et al. 2017, arXiv:1611.09842): half a network says colour from lightness, half lightness from colour.

Side by side, the halves have seen the whole image.

Differs from the paper:
- Two encoders of the harness at half the width, where the paper splits AlexNet's channels, and one 1x1 convolution on each feature map
  where it has fc6 to fc8 as convolutions.
- 309 colours, not 313: the corners of every square of the ab grid that holds a colour of sRGB (see methods/colorization.py).
- Crops of 49 % and more of the area, resized; the paper cuts 180 of 256 pixels, which is 49 %, without resizing.
- Adam and batches of 256, as this benchmark's colorization: neither the paper nor its code says how it was trained.
As the paper, and other than colorization: a target is one colour, and all weigh the same (appendix B).
B images in the global batch, D features of both halves, S height and width of the view, h of the feature map, Q colours.
"""

import math
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from bench.domains import Fraction
from bench.method import Method
from bench.parts import classify, mean_of_batch, upcast
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

BIN, BINS = 2, 50
"""Size and number of the steps of lightness, 0 to 100 (section 4.1)."""


class SplitBrain(Method):
    paper = "arXiv:1611.09842"
    source = "richzhang/splitbrainauto@79c1349"
    family = "pretext"
    needs = "feature_map"
    search = {"crop_min": ("linear", 0.2, 1.0)}

    def __init__(self, make_encoder, data, *, kind: Literal["classification", "regression"] = "classification", crop_min: Fraction = 0.49):
        """kind: classification of colours and of lightness, or regression: the paper's (cl, cl) and (reg, reg). crop_min: smallest area
        of a crop, 0.49 on ImageNet."""
        super().__init__()
        if data.channels == 1:
            raise ValueError("these images are grey: they have no colour to predict or to predict from; take a data set in colour")
        self.views = (View((ResizedCrop((crop_min, 1.0), ratio=(1.0, 1.0)), Flip())),)
        self.recipe = Recipe(
            "adam",  # as methods/colorization.py, this line and all below
            lr=1e-3,
            lr_per_batch=None,
            batch_size=256,
            betas=(0.9, 0.99),
            weight_decay=1e-3,
            exclude=(),
            warmup=0.05,
        )
        colours = colours_in_gamut()
        self.sees_lightness = make_encoder(in_channels=1, width=0.5)
        self.sees_colour = make_encoder(in_channels=2, width=0.5)
        many = kind == "classification"
        self.says_colour = nn.Conv2d(self.sees_lightness.dim, len(colours) if many else 2, 1)
        self.says_lightness = nn.Conv2d(self.sees_colour.dim, BINS if many else 1, 1)
        self.register_buffer("colours", colours)
        self.register_buffer("mean", torch.tensor(data.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(data.std).view(3, 1, 1))
        self.kind = kind

    def split(self, images):
        """Normalised images [B, 3, S, S] -> what each half sees: lightness [B, 1, S, S], and a and b [B, 2, S, S], of about unit size."""
        lightness, ab = lab_channels(images, self.mean, self.std)
        return (lightness - LIGHTNESS_CENTRE) / LIGHTNESS_SCALE, ab / COLOUR_SCALE

    def error(self, predicted, target, classes):
        """Of one half's prediction [B, C, h, h]; target: what the other half sees; classes: from the target to its class at each place."""
        # One pixel in so many, as colorization: a mean colour is greyer than any.
        target = F.interpolate(target, predicted.shape[2:])
        return half_squared_error(predicted, target) if self.kind == "regression" else classify(predicted, classes(target))

    def colour_of(self, ab):
        """[B, 2, h, h] as `split` gives it -> number of the colour, int64 [B, h, h]."""
        return squared_distances(ab * COLOUR_SCALE, self.colours).argmin(1)

    def bin_of(self, lightness):
        """[B, 1, h, h] as `split` gives it -> number of the step, int64 [B, h, h]."""
        return ((lightness[:, 0] * LIGHTNESS_SCALE + LIGHTNESS_CENTRE) / BIN).long().clamp(0, BINS - 1)

    def chance_loss(self, batch_size):
        return math.log(len(self.colours)) + math.log(BINS) if self.kind == "classification" else None

    def loss(self, batch, progress):
        lightness, ab = self.split(batch.views[0])
        batch.show("lightness, seen by one half", lambda: (lightness * LIGHTNESS_SCALE + LIGHTNESS_CENTRE) / 100)
        batch.show("a and b, seen by the other", lambda: 0.5 + 0.5 * ab[:, :, None])
        # Eq. 3: each half has a loss of its own, so their sum trains each as if it were alone.
        colour = self.error(self.says_colour(self.sees_lightness.feature_map(lightness)), ab, self.colour_of)
        light = self.error(self.says_lightness(self.sees_colour.feature_map(ab)), lightness, self.bin_of)
        return mean_of_batch(colour + light, len(ab))

    def encode(self, images):
        """The mean of both halves' feature maps, which is what the loss trains, side by side."""
        lightness, ab = self.split(images)
        maps = self.sees_lightness.feature_map(lightness), self.sees_colour.feature_map(ab)
        return torch.cat([upcast(each).mean((2, 3)) for each in maps], dim=1)
