"""data2vec (Baevski et al. 2022, arXiv:2202.03555): an encoder that sees an image with blocks of its patches hidden says what a slowly
moving copy of it, which sees all of it, makes of these: the average of the upper half of its blocks.

Differs from the paper:
- A momentum of 0.99 and not 0.9998, which would need 15,000 steps to leave its start; batches of 256 instead of 2048.
- The encoder is every method's ViT: learned positions, where theirs has biases of relative position; no scale of residual branches, no
  stochastic depth, no dropout of attention.
- Positions and the class token decay, theirs do not. Learning rate to 0, not 1e-5. Crops are resized by an antialiased triangle filter, not
  bicubic.
- Blocks are drawn as BEiT's, 16 tries for each image (bench/parts/tokens.py).
The mean of the student's patch tokens is evaluated, which the authors fine-tune (use_mean_pooling), theirs before the last norm; the
copy's and the class token are recorded beside it.
B images in the global batch, L patches, N blocks that are averaged, D features.
"""

from functools import partial
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Fraction, Positive, Share
from bench.method import Method
from bench.parts import WithTeacher, block_mask, full_precision, mean_where, patch_mean, show_patches
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, ResizedCrop, View


@full_precision
def averaged(outputs: Tensor) -> Tensor:
    """Targets [B, L, D] of the blocks' outputs [N, B, L, D]: each normalised over its features, their mean, normalised again
    (beit/engine_for_cyclical.py, with the options of beit/README.md)."""
    shape = outputs.shape[-1:]
    return F.layer_norm(F.layer_norm(outputs, shape).mean(0), shape)


@full_precision
def masked_error(predicted: Tensor, targets: Tensor, hidden: Tensor, beta: float) -> Tensor:
    """Smooth L1, squared below beta, over the features of hidden patches; both [B, L, D], hidden: bool [B, L]."""
    return mean_where(F.smooth_l1_loss(predicted, targets, beta=beta, reduction="none").mean(2), hidden)


class Data2Vec(WithTeacher, Method):
    paper = "arXiv:2202.03555"
    source = "facebookresearch/data2vec_vision@6146726"
    family = "joint embedding"
    needs = "tokens"
    added = {"half_life": 0.0}
    search = {"mask_ratio": ("linear", 0.3, 0.9)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        mask_ratio: Annotated[float, Interval(gt=0, lt=1)] = 0.6,
        block_min: Fraction = 0.082,
        layers: Fraction = 0.5,
        beta: Positive = 2.0,
        momentum: Share = 0.99,
        momentum_end: Share = 0.99,
        crop_min: Fraction = 0.08,
        half_life: Share = 0.0,
    ):
        """mask_ratio: part of the patches that is hidden, 0.6. block_min: smallest area of a block of them, 16 of 196 patches. layers: part
        of the encoder's blocks, from the last, that are averaged, 6 of 12. beta: where the loss changes from a square to a line, 2.
        momentum: of the copy at the start, 0.9998; to momentum_end along a line, which for images is the same. crop_min: smallest area of
        a crop, 0.08. half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        self.encoder = make_encoder()
        if not hasattr(self.encoder, "block_tokens"):
            raise ValueError(f"{type(self.encoder).__name__} does not say what each of its blocks makes (block_tokens); vit_nano does")
        patches, dim = self.encoder.side**2, self.encoder.dim
        self.hidden, self.least = round(patches * mask_ratio), max(1, round(patches * block_min))
        if not self.least <= self.hidden < patches:
            raise ValueError(
                f"mask_ratio={mask_ratio:g} hides {self.hidden} of {patches} patches; expected {self.least} (block_min) or more"
            )
        self.mask_token = nn.Parameter(torch.empty(1, 1, dim))
        self.head = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)  # beit/modeling_cyclical.py
        nn.init.trunc_normal_(self.head.weight, std=0.02, a=-0.02, b=0.02)
        nn.init.zeros_(self.head.bias)
        self.layers, self.beta = layers, beta
        self.build_teacher(momentum, momentum_end, half_life)
        self.views = (View((ColorJitter(0.4, 0.4, 0.4, 0.0, p=1.0), Flip(), ResizedCrop((crop_min, 1.0)))),)  # beit/datasets.py
        self.recipe = Recipe(
            "adamw",  # beit/run_cyclical.py
            lr=2e-3,  # beit/README.md, ViT-B
            lr_per_batch=2048,  # beit/README.md: 128 on each of 16 GPUs
            batch_size=256,  # the benchmark's
            weight_decay=0.05,  # beit/README.md
            warmup=0.0125,  # beit/README.md: 10 of 800 epochs
            exclude=("bias", "norm"),  # beit/optim_factory.py, from decay
            clip_grad=3.0,  # beit/README.md
        )

    def targets(self, images) -> Tensor:
        """[B, L, D], of the whole images, without gradient."""
        with torch.no_grad():
            outputs = self.teacher.network.block_tokens(images)
            last = max(1, round(len(outputs) * self.layers))
            return averaged(torch.stack(outputs[-last:])[:, :, 1:])

    def loss(self, batch, progress):
        (images,) = batch.views
        hidden = block_mask(batch, self.encoder.side, self.hidden, self.least)
        batch.show("visible patches", lambda: show_patches(images, ~hidden, self.encoder.patch_size))
        predicted = self.head(self.encoder.tokens(images, replace=hidden, mask_token=self.mask_token)[:, 1:])
        return masked_error(predicted, self.targets(images), hidden, self.beta)

    def encode(self, images):
        return patch_mean(self.encoder, images)

    def encode_also(self):
        return {"teacher": partial(patch_mean, self.teacher.network), "class_token": self.encoder}
