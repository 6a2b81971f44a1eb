"""SimMIM (Xie et al. 2021, arXiv:2111.09886): an encoder sees an image of which random squares are replaced by one learned token, and a
single linear layer says the pixels of these from its output.

Differs from the paper:
- Of its two encoders the ViT, which is every method's here: learned positions, where theirs has biases of relative position; no scale of
  residual branches and no stochastic depth.
- The learning rate falls along a cosine, not to a tenth at 700 of 800 epochs; warm-up is as long a part of the training.
- Positions and the class token decay, theirs do not.
- Squares at the right and lower edge are cut where they do not tile the image; the loss is the mean over all hidden pixels of the batch.
The mean of the patch tokens is evaluated, which the authors fine-tune (USE_MEAN_POOLING), theirs before the last norm; the class token is
recorded beside it, which the loss reaches through what patches take from it alone.
B images in the global batch, L patches of S x S pixels, D features.
"""

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from bench.domains import Fraction
from bench.method import Method
from bench.parts import full_precision, mean_where, patch_mean, patchify, show_patches, whole_patches
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


@full_precision
def absolute_error(predicted: Tensor, patches: Tensor, hidden: Tensor) -> Tensor:
    """Mean absolute difference over the pixels and channels of hidden patches; both [B, L, S * S * 3], hidden: bool [B, L]."""
    return mean_where((predicted - patches).abs().mean(2), hidden)


class SimMIM(Method):
    paper = "arXiv:2111.09886"
    source = "microsoft/SimMIM@0e71746"
    family = "pretext"
    needs = "tokens"
    search = {"mask_ratio": ("linear", 0.3, 0.9)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        mask_ratio: Annotated[float, Interval(gt=0, lt=1)] = 0.6,
        mask_size: Fraction = 0.143,
        crop_min: Fraction = 0.67,
    ):
        """mask_ratio: part of the squares that is hidden, 0.6. mask_size: side of a square over the image's, 32 / 224, rounded to whole
        patches: 2 of 14, and 1 of 8. crop_min: smallest area of a crop, 0.67."""
        super().__init__()
        self.encoder = make_encoder()
        side, pixels = self.encoder.side, self.encoder.patch_size
        self.square = min(side, round(whole_patches(self.encoder, data.image_size, mask_size) * data.image_size / pixels))
        self.squares = math.ceil(side / self.square)
        self.hidden = math.ceil(self.squares**2 * mask_ratio)  # data/data_simmim.py
        if self.hidden == self.squares**2:
            raise ValueError(
                f"mask_ratio={mask_ratio:g} hides {self.hidden} of {self.squares**2} squares of {self.square} x {self.square} patches; "
                f"some must be visible: a smaller ratio, or a smaller mask_size"
            )
        self.mask_token = nn.Parameter(torch.empty(1, 1, self.encoder.dim))
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)  # models/simmim.py
        self.decoder = nn.Linear(self.encoder.dim, 3 * pixels**2)
        self.views = (View((ResizedCrop((crop_min, 1.0)), Flip())),)  # data/data_simmim.py
        self.recipe = Recipe(
            "adamw",  # config.py
            lr=1e-4,  # simmim_pretrain__vit_base__img224__800ep.yaml
            lr_per_batch=512,  # main_simmim.py
            batch_size=256,  # the benchmark's; README.md: 2048
            weight_decay=0.05,  # the same yaml
            warmup=0.0125,  # the same yaml: 10 of 800 epochs
            exclude=("bias", "norm"),  # optimizer.py, from decay
            clip_grad=5.0,  # config.py
        )

    def draw_hidden(self, batch) -> Tensor:
        """Which patches are hidden, as many squares of each image: bool [B, L]."""
        rank = batch.rand(self.squares**2).argsort(1).argsort(1)
        grid = (rank < self.hidden).unflatten(1, (self.squares, self.squares))
        grid = grid.repeat_interleave(self.square, 1).repeat_interleave(self.square, 2)
        return grid[:, : self.encoder.side, : self.encoder.side].flatten(1)

    def loss(self, batch, progress):
        (images,) = batch.views
        hidden = self.draw_hidden(batch)
        batch.show("visible patches", lambda: show_patches(images, ~hidden, self.encoder.patch_size))
        tokens = self.encoder.tokens(images, replace=hidden, mask_token=self.mask_token)
        return absolute_error(self.decoder(tokens[:, 1:]), patchify(images, self.encoder.patch_size), hidden)

    def encode(self, images):
        return patch_mean(self.encoder, images)

    def encode_also(self):
        return {"class_token": self.encoder}
