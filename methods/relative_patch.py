"""Context prediction (Doersch et al. 2015, arXiv:1505.05192): of two patches of an image, say in which of eight directions the second
lies from the first.

Differs from the paper:
- The harness's encoder instead of an AlexNet column, whose BatchNorm has scale and shift; a head of 512 features on pooled ones, not of
  4096 on each patch's own layer of 4096. What is evaluated is a whole image, in colour, of which it has only seen such patches.
- An image has 4 pairs, each at a random place where both fit, in every direction as often; the authors' train.py pairs all neighbours
  in 4 random grids of an image, in both orders. A patch at the border is not shifted inwards: it lies where its jitter has room.
- A patch is a fifth of the image wide; theirs are 96 of 390 to 670 pixels. At 32 pixels that is 6, with gaps of 3 and jitter of 1, and
  the fewest pixels that a patch is reduced to are 1, which leave nothing but a colour. Where the first patch lies tells 31 % of the
  directions at 32 pixels and 33 % at 64 (at a quarter, which leaves no room for three in a row, 49 %); in a grid of 3 x 3, 23 %.
- The learning rate, weight decay and momentum of a later study of ResNets on this task, with a cosine; train.py: 1e-5 on the sum of the
  losses without momentum, for the AlexNet. One weight decay: patch_utils.py has 5e-4 on the head.
BatchNorm's statistics stay those of patches: taken anew on whole images they are worse (37.8, 36.4 and 37.6 on val of CIFAR-10 by a linear
probe instead of 38.2, 37.5 and 38.1; resnet8, 3 TFLOP, three seeds).
As in the authors' code, not the paper: patches are normalised by their own standard deviation, and all share one encoder call.
On grey images colours are left as they are.
B images in the global batch, D features, P pairs, s pixels a side of a patch.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from bench.domains import Count, Fraction, NonNegative, Probability
from bench.method import Method
from bench.parts import classify, full_precision, mean_of_batch, mlp
from bench.patches import cut, drop_colours, grid, patch_side
from bench.spec import Recipe
from bench.views import View, resize_matrix, separable

GREEN_MAGENTA = (-1.0, 2.0, -1.0)
"""The axis along which lenses shift colours, in RGB."""

FEWEST = 10 / 96
"""Side that a patch is reduced to at least: 100 of 96 x 96 pixels."""


def pixelation(side: int) -> Tensor:
    """[s, s, s]: the matrix at r - 1 reduces s pixels to r and makes s of these; that at s - 1 changes nothing."""
    none = torch.zeros(1)
    return torch.cat(
        [resize_matrix(none, none + few, few, side) @ resize_matrix(none, none + side, side, few) for few in range(1, side + 1)]
    )


def projection(std: tuple[float, ...]) -> Tensor:
    """[3, 3]: takes a colour's part along the green-magenta axis away; for colours that were divided by std."""
    axis, scale = torch.tensor(GREEN_MAGENTA), torch.tensor(std)
    return (torch.eye(3) - torch.outer(axis, axis) / axis.square().sum()) * scale / scale[:, None]


class RelativePatch(Method):
    paper = "arXiv:1505.05192"
    source = "cdoersch/deepcontext@5307282, google/revisiting-self-supervised@b530e3b"
    family = "pretext"
    version = 2
    search = {"pixelate": ("linear", 0.0, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        patch: Fraction = 0.2,
        gap: NonNegative = 0.5,
        jitter: NonNegative = 7 / 96,
        pairs: Count = 4,
        colour: Literal["drop", "project", "keep"] = "drop",
        pixelate: Probability = 0.33,
        normalise: bool = True,
        hidden: Count = 512,
    ):
        """patch: its side as a fraction of the image's, 0.14 to 0.25. gap, jitter: between two patches, and of each in either
        direction, as fractions of the patch's side; 48 and 7 of 96. pairs: P. colour: drop two of a patch's three channels, project the
        colours off the green-magenta axis, or keep them; the paper drops or projects. pixelate: probability that a patch is reduced to
        fewer pixels and enlarged again; 0.33 in train.py. normalise: whether every patch is divided by its standard deviation.
        hidden: width of the head, 4096."""
        super().__init__()
        self.encoder = make_encoder()
        self.side = patch_side(self.encoder, data.image_size, patch, data.image_size // 2)
        self.pitch, self.jitter = self.side + round(gap * self.side), max(1, round(jitter * self.side))
        need = self.pitch + self.side + 2 * self.jitter
        if need > data.image_size:
            raise ValueError(
                f"two patches of {self.side} pixels with their gap and jitter take {need} pixels, and an image has {data.image_size}: take "
                "larger images, or a smaller `patch` or `gap`"
            )
        self.views = (View(()),)
        self.recipe = Recipe(
            "sgd",
            lr=0.1,  # for each 256 images: config/relative_patch_location/imagenet.sh of google/revisiting-self-supervised, for ResNet-50
            batch_size=256,  # the benchmark's default; imagenet.sh: 128
            momentum=0.9,  # its trainer.py
            weight_decay=1e-4,  # its patch_utils.py; train.py: 0
            warmup=0.14,  # imagenet.sh: 5 of 35 epochs
        )
        self.classifier = mlp(2 * self.encoder.dim, hidden, 8, layers=3)
        around = grid(3, 1) - 1
        # Row by row without the middle, as pos2lbl in train.py.
        self.register_buffer("directions", torch.cat([around[:4], around[5:]]))
        self.register_buffer("pixelation", pixelation(self.side))
        self.register_buffer("projection", projection(data.std))
        self.pairs, self.colour, self.pixelate, self.normalise = pairs, "keep" if data.channels == 1 else colour, pixelate, normalise

    def place(self, batch):
        """-> corners of P pairs [B, P, 2, 2], and the direction of each pair's second patch from its first: int64 [B, P]."""
        target = batch.randint(8, self.pairs)
        step = self.pitch * self.directions[target]
        low = self.jitter - step.clamp(max=0)
        high = batch.views[0].shape[-1] - self.side - self.jitter - step.clamp(min=0)
        first = low + (batch.rand(self.pairs, 2) * (high - low + 1)).long().minimum(high - low)
        jitter = batch.randint(2 * self.jitter + 1, self.pairs, 2, 2) - self.jitter
        return torch.stack([first, first + step], dim=2) + jitter, target

    @full_precision  # in bfloat16 a patch of little contrast would be off by half of itself once it is divided by that
    def prepare(self, patches, batch):
        """[B, K, 3, s, s] -> the same, without what tells places by the lens or the pixels alone."""
        count = patches.shape[1]
        chance, area = batch.rand(2, count).unbind(1)
        side = ((area * (1 - FEWEST**2) + FEWEST**2).sqrt() * self.side).long().clamp(1, self.side - 1)
        which = torch.where(chance < self.pixelate, side, self.side).flatten() - 1
        matrix = self.pixelation[which]
        patches = separable(patches.flatten(0, 1), matrix, matrix).unflatten(0, (-1, count))
        patches = patches - patches.mean((3, 4), keepdim=True)
        if self.colour == "drop":
            patches = drop_colours(batch, patches)
        elif self.colour == "project":
            patches = torch.einsum("dc,bkcij->bkdij", self.projection, patches)
        return patches * (patches.square().mean((2, 3, 4), keepdim=True) + 1e-5).rsqrt() if self.normalise else patches

    def chance_loss(self, batch_size):
        return math.log(8)

    def loss(self, batch, progress):
        corners, target = self.place(batch)
        patches = self.prepare(cut(batch.views[0], corners.flatten(1, 2), self.side), batch)
        batch.show("two neighbours", lambda: patches[:, :2])
        pairs = self.encoder(patches.flatten(0, 1)).unflatten(0, (-1, 2)).flatten(1)
        return mean_of_batch(classify(self.classifier(pairs), target.flatten()), len(target))
