"""DINOv2 (Oquab et al. 2023, arXiv:2304.07193), at small scale: iBOT with a head for class tokens and another for patches, whose targets
Sinkhorn-Knopp shares out evenly in place of a centre, while KoLeo pushes an image's features away from the nearest other image's.

Differs from the paper:
- Its loss and its recipe, not its data nor its engineering: no 142 million images, no distillation from a larger model, no last phase at a
  higher resolution, no LayerScale, no SwiGLU, no stochastic depth.
- For small images: 4 local crops instead of 8, half as wide as the image instead of 96 of 224, and no blur up to 64 pixels; heads 256 wide,
  128 before their last layers, with 1024 outputs instead of 2048, 256 and 65,536: one sees every hidden patch. (The configurations with
  two heads, of ViT-L/14 and ViT-g/14, have 131,072 outputs each, and 384 before the last layer of that for class tokens.)
- How many patches are hidden is drawn for each crop by itself; theirs are spread evenly over a batch, of which exactly half have some.
- One learning rate for all layers; theirs falls by a tenth with every block from the last, and is a fifth of that for the patch embedding.
  It grows with the batch's root there, and is as it is here. Gradients are clipped over all parameters, theirs of encoder and heads apart.
- KoLeo and Sinkhorn-Knopp are of the global batch; their KoLeo is of each GPU's images.
- The last layers are normalised. Learning rate to 0, not 1e-6. Crops are resized by an antialiased triangle filter, not bicubic.
The teacher's class token is evaluated; their linear probe also joins the mean of patch tokens, and that of several blocks.
B images in the global batch (b of this device), V views, L patches, M of them hidden at most, D features, P bottleneck, K outputs.
"""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Probability, Several, Share
from bench.method import Method
from bench.parts import (
    HiddenPatches,
    MultiCrop,
    PrototypeHead,
    choose,
    cross_view_loss,
    full_precision,
    gather,
    hidden_patch_loss,
    large_and_small_crops,
    mean_of_batch,
    phases_from,
    shard,
    sinkhorn,
    warmed_up,
)
from bench.spec import Recipe

Temperature = Annotated[float, Ge(0.025)]
"""Cosines span 2, and float32 holds exp(-2 / 0.025), which Sinkhorn-Knopp takes."""


@full_precision
def koleo(rows: Tensor) -> Tensor:
    """Minus the logarithm of each unit row's distance from the nearest other one of [B, D], a mean: the estimator of differential entropy
    by Kozachenko and Leonenko (dinov2/loss/koleo_loss.py)."""
    rows = F.normalize(rows, dim=1, eps=1e-8)
    with torch.no_grad():
        nearest = (rows @ rows.T).fill_diagonal_(-2).argmax(1)
    return -(F.pairwise_distance(rows, rows[nearest], eps=1e-8) + 1e-8).log().mean()


class DINOv2(HiddenPatches, Method):
    paper = "arXiv:2304.07193"
    source = "facebookresearch/dinov2@b8931f7"
    family = "joint embedding"
    needs = "tokens"
    weights = "teacher"
    added = {"half_life": 0.0}
    search = {"half_life": ("choice", 0.0, 0.01, 0.2, 0.5)}
    smallest_batch = 2

    def __init__(
        self,
        make_encoder,
        data,
        *,
        local_crops: CountOrZero = 4,
        local_size: Fraction = 0.5,
        area_split: Fraction = 0.32,
        area_min: Fraction = 0.05,
        mask_probability: Probability = 0.5,
        mask_min: Share = 0.1,
        mask_max: Fraction = 0.5,
        class_weight: NonNegative = 1.0,
        patch_weight: NonNegative = 1.0,
        koleo_weight: NonNegative = 0.1,
        outputs: Several = 1024,
        hidden: Count = 256,
        bottleneck: Count = 128,
        student_temperature: Positive = 0.1,
        teacher_temperature: Temperature = 0.07,
        teacher_temperature_start: Temperature = 0.04,
        teacher_temperature_warmup: Share = 0.3,
        sinkhorn_steps: Count = 3,
        momentum: Share = 0.992,
        momentum_end: Share = 1.0,
        frozen: Share = 0.01,
        half_life: Share = 0.0,
    ):
        """local_crops: small crops of an image, 8. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.32. area_min: of a small crop, 0.05.
        mask_probability: of a large crop having hidden patches, 0.5. mask_min, mask_max: part of its patches that is hidden, 0.1 to 0.5.
        class_weight, patch_weight, koleo_weight: of the three losses, 1, 1 and 0.1, the last for each large crop. outputs: K, 65,536,
        or 131,072 of two heads. hidden, bottleneck: of each head, 2048 and 256. student_temperature: 0.1. teacher_temperature: 0.07,
        reached from teacher_temperature_start, 0.04, in the part teacher_temperature_warmup of progress, 30 of 100 epochs.
        sinkhorn_steps: 3. momentum: of the teacher at the start, 0.992; to momentum_end, 1, along a cosine. frozen: part of progress in
        which the last layers stay, 1 of 100 epochs. half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        encoder = make_encoder()
        widths = encoder.dim, hidden, bottleneck, outputs
        student = MultiCrop(encoder, PrototypeHead(*widths))
        student.patch_head = PrototypeHead(*widths)
        self.build_networks(student, momentum, momentum_end, half_life)
        self.build_masks(mask_probability, mask_min, mask_max, least=4)  # dinov2/data/masking.py
        self.class_weight, self.patch_weight, self.koleo_weight = class_weight, patch_weight, koleo_weight
        self.mask_probability, self.outputs, self.frozen = mask_probability, outputs, frozen
        self.student_temperature, self.sinkhorn_steps = student_temperature, sinkhorn_steps
        self.temperatures = teacher_temperature_start, teacher_temperature, teacher_temperature_warmup
        # Where the last layers begin to move, and where the teacher's temperature stops.
        self.phases = phases_from(frozen, teacher_temperature_warmup)
        self.views = large_and_small_crops(encoder, data, count=local_crops, size=local_size, area_split=area_split, area_min=area_min)
        self.recipe = Recipe(
            "adamw",  # dinov2/train/train.py
            lr=2e-3,  # dinov2/configs/ssl_default_config.yaml: 0.004 at 1024 images, by the root of the batch
            lr_per_batch=None,
            batch_size=256,  # the benchmark's
            weight_decay=0.04,  # the same yaml
            weight_decay_end=0.4,  # the same yaml
            warmup=0.1,  # the same yaml: 10 of 100 epochs
            clip_grad=3.0,  # the same yaml
        )

    def chance_loss(self, batch_size):
        """A crop without hidden patches has no loss of them. What KoLeo is then, the features decide."""
        chance = (self.class_weight + self.patch_weight * self.mask_probability) * math.log(self.outputs)
        return None if self.koleo_weight else chance

    def shares(self, scores: Tensor, temperature: float) -> Tensor:
        """Scores of both large crops [2b, ..., K], shared out over those of the global batch."""
        rows = gather(scores.unflatten(0, (2, -1)).transpose(0, 1))
        found = sinkhorn(rows.flatten(0, -2), temperature, self.sinkhorn_steps).view(rows.shape)
        return shard(found).transpose(0, 1).flatten(0, 1)

    def loss(self, batch, progress):
        frozen, temperature = progress < self.frozen, warmed_up(progress, *self.temperatures)
        whole, tokens, which, hidden = self.large_crops(batch)
        with torch.no_grad():
            teacher = self.teacher.network
            targets = self.shares(teacher.head(whole[:, 0]), temperature).unflatten(0, (2, -1))
            # A row of -inf takes no part.
            said = teacher.patch_head(choose(whole[:, 1:], which)).masked_fill(~hidden[..., None], float("-inf"))
            patch_targets = self.shares(said, temperature)
        classes = self.classes(batch, tokens, frozen=frozen)
        patches = self.student.patch_head(choose(tokens[:, 1:], which), frozen=frozen)
        loss = self.class_weight * cross_view_loss(classes, targets, self.student_temperature)
        loss = loss + self.patch_weight * hidden_patch_loss(patches, patch_targets, hidden, self.student_temperature)
        loss = mean_of_batch(loss, len(batch.index))
        if self.koleo_weight:
            views = gather(tokens[:, 0].unflatten(0, (2, -1)).transpose(0, 1)).transpose(0, 1)
            loss = loss + self.koleo_weight * (koleo(views[0]) + koleo(views[1]))
        return loss
