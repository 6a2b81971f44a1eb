"""I-JEPA (Assran et al. 2023, arXiv:2301.08243): from some patches of an image a narrow transformer predicts what a slowly moving copy of
the encoder, which sees the whole image, makes of the patches of several blocks; nothing is changed in colour, and no pixel is predicted.

Differs from the paper:
- Blocks have one size for the whole run, so that every step costs the same: the middle of the paper's ranges, 17.5 % of the image, as often
  tall as wide. The authors draw a size for each step.
- The context is as many patches for every image as are left where no two blocks overlap, at random of those in no block; the authors take
  what is left in a block of 85 to 100 % of the image, cut to the fewest of the batch, row by row. Blocks lie anywhere; theirs never reach
  the last row or column (torch.randint(0, height - h) in src/masks/multiblock.py).
- A predictor 32 wide and 2 deep instead of 384 and 6 (of a ViT-B) or 12, narrow beside a small encoder too; batches of 256, not 2048.
- The encoder is every method's ViT, with its class token, which the predictor does not see, and positions that are learned.
- Smooth L1 of targets after a LayerNorm, as src/train.py has it; section 3 of the paper has the average L2 distance, without a norm.
- Learning rate to 0, not 1e-6; warm-up from 0, not a fifth of the peak.
The copy's mean of patch tokens is evaluated (appendix A.1), the student's is recorded beside it.
B images in the global batch, L patches, K of them in the context, M blocks of T patches, D features, d of the predictor.
"""

import math
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge, Interval, MultipleOf
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction, Positive, Share
from bench.method import Method
from bench.parts import WithTeacher, among, choose, full_precision, grid_positions, mean_of_batch, patch_mean, show_patches
from bench.spec import Recipe
from bench.views import ResizedCrop, View

HEAD = 32
"""Features of each head of the predictor: 384 / 12, as of the paper's ViT-B (src/helper.py)."""


@full_precision
def prediction_error(predicted: Tensor, targets: Tensor) -> Tensor:
    """Mean smooth L1 distance to the targets, of which every patch's features have mean 0 and variance 1; both [B, M * T, D]."""
    return F.smooth_l1_loss(predicted, F.layer_norm(targets, targets.shape[-1:]))


class Predictor(nn.Module):
    """From what the encoder made of the context to what the copy made of the blocks, each block by itself."""

    def __init__(self, features: int, dim: int, depth: int, side: int):
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.enter, self.leave = nn.Linear(features, dim), nn.Linear(dim, features)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 1, dim))
        self.register_buffer("positions", grid_positions(side, dim)[1:])
        self.blocks = nn.Sequential(*[Block(dim, dim // HEAD, qkv_bias=True, norm_layer=norm) for _ in range(depth)])
        self.norm = norm(dim)
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        for layer in self.modules():  # src/helper.py, after all else
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, context: Tensor, targets: Tensor) -> Tensor:
        """-> [B, M * T, D]. tokens: [B, K, D] of the patches context, int64 [B, K]. targets: int64 [B, M, T]."""
        count, length = targets.shape[1:]
        seen = self.enter(tokens) + self.positions[context]
        wanted = self.mask_token + self.positions[targets]
        rows = torch.cat([seen[:, None].expand(-1, count, -1, -1), wanted], dim=2).flatten(0, 1)
        return self.leave(self.norm(self.blocks(rows))[:, -length:]).unflatten(0, (-1, count)).flatten(1, 2)


class IJEPA(WithTeacher, Method):
    paper = "arXiv:2301.08243"
    source = "facebookresearch/ijepa@52c1ae9"
    family = "joint embedding"
    needs = "tokens"
    weights = "teacher"
    added = {"half_life": 0.0}
    search = {"half_life": ("choice", 0.0, 0.01, 0.2, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        blocks: Count = 4,
        block_area: Annotated[float, Interval(gt=0, lt=1)] = 0.175,
        block_aspect: Positive = 1.125,
        predictor_dim: Annotated[int, Ge(1), MultipleOf(HEAD)] = 32,
        predictor_depth: Count = 2,
        momentum: Share = 0.996,
        momentum_end: Share = 1.0,
        crop_min: Fraction = 0.3,
        half_life: Share = 0.0,
    ):
        """blocks: M, 4. block_area: of a block, part of the image, 0.15 to 0.2. block_aspect: one side of it over the other, 0.75 to 1.5.
        predictor_dim, predictor_depth: d and blocks of the predictor, 384 and 12 (6 for a ViT-B); 32 features to a head. momentum: of the
        copy at the start, 0.996; to momentum_end, 1, along a line. crop_min: smallest area of a crop, 0.3.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        self.encoder = make_encoder()
        side = self.encoder.side
        area = int(side**2 * block_area)  # src/masks/multiblock.py
        self.height, self.width = (round(math.sqrt(area * ratio)) for ratio in (block_aspect, 1 / block_aspect))
        if not all(1 <= long <= side for long in (self.height, self.width)):
            raise ValueError(
                f"block_area={block_area:g} with block_aspect={block_aspect:g} makes blocks of {self.height} x {self.width} patches; "
                f"expected 1 to {side} on a side"
            )
        self.targets, self.kept = (blocks, self.height * self.width), side**2 - blocks * self.height * self.width
        if self.kept < 1:
            raise ValueError(
                f"{blocks} blocks of {self.height} x {self.width} patches leave none of {side**2} for the context where they do not "
                f"overlap: fewer blocks, or a smaller block_area"
            )
        self.predictor = Predictor(self.encoder.dim, predictor_dim, predictor_depth, side)
        self.build_teacher(momentum, momentum_end, half_life)
        self.views = (View((ResizedCrop((crop_min, 1.0)),)),)  # in1k_vith14_ep300.yaml
        self.recipe = Recipe(
            "adamw",  # src/helper.py
            lr=1e-3,  # in1k_vith14_ep300.yaml
            lr_per_batch=2048,  # README.md
            batch_size=256,  # the benchmark's; README.md: 2048
            weight_decay=0.04,  # the same yaml
            weight_decay_end=0.4,  # the same yaml
            warmup=0.133,  # the same yaml: 40 of 300 epochs
            exclude=("bias", "norm"),  # src/helper.py, from decay
        )

    def draw(self, batch) -> tuple[Tensor, Tensor]:
        """Of each image the patches of the context, int64 [B, K], and those of its blocks, int64 [B, M, T], row by row."""
        side, (count, length) = self.encoder.side, self.targets
        heights = torch.where(batch.rand(count) < 0.5, self.height, self.width)
        widths = self.height + self.width - heights
        top, left = ((batch.rand(count) * (side - long + 1)).long() for long in (heights, widths))
        cell = torch.arange(length, device=top.device)
        rows, columns = (top[..., None] + cell // widths[..., None], left[..., None] + cell % widths[..., None])
        targets = rows * side + columns
        free = batch.rand(side**2)
        taken = torch.zeros_like(free).scatter(1, targets.flatten(1), 1.0)
        return (free + taken).argsort(1)[:, : self.kept], targets

    def loss(self, batch, progress):
        (images,) = batch.views
        context, targets = self.draw(batch)
        patches, size = self.encoder.side**2, self.encoder.patch_size
        batch.show("visible patches", lambda: show_patches(images, among(context, patches), size))
        predicted = self.predictor(self.encoder.tokens(images, keep=context)[:, 1:], context, targets)
        with torch.no_grad():
            whole = self.teacher.network.tokens(images)[:, 1:]
        return mean_of_batch(prediction_error(predicted, choose(whole, targets.flatten(1))), len(images))

    def encode(self, images):
        return patch_mean(self.teacher.network, images)

    def encode_also(self):
        return {"student": partial(patch_mean, self.encoder)}
