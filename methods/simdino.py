"""SimDINO (Wu et al. 2025, arXiv:2502.10385): DINO without prototypes, temperatures and centring: a student's crops point where its own
moving average puts large ones, while the coding rate of the batch keeps directions from collapsing.

Differs from the paper:
- For small images: 4 local crops instead of 10, half as wide as the image instead of 96 of 224, no blur up to 64 pixels; a head 512 wide
  instead of 2048, which would outweigh a small encoder.
- The coding rate is of the global batch. The authors' is of the 64 images of a GPU, divided by the number of all (reduce_cov=0 in
  main_dino.py), so that epsilon is 8 times as large in README.md's run on 8 GPUs; here it is as it is. Its factor is of all images, too.
  Where rows are far apart this counts for more: theirs is at most 0.45, of 64 rows, and that of 256 is at most 1.25, beside an agreement of
  at most 1.
- A teacher's momentum of 0.99 at the start and not 0.996, which is too slow for a short run.
- No stochastic depth; learning rate to 0, not 1e-6; gradients are clipped by their norm over all parameters, theirs each alone. Crops are
  resized by an antialiased triangle filter, not bicubic. One AdamW recipe for every encoder; theirs is of a ViT.
Few steps may end in one vector for all: 41 of a resnet8 on CIFAR-10 did at a learning rate of 0.015 (a loss of -1.025, as of chance), and
nearly at 0.005 (-1.028). The head at its start tells them little apart: unit rows deviate by 0.33 of what they would if they pointed
everywhere, and by 0.91 with head_norm, with which they stayed apart at 0.005 (-1.152; deviation 0.47).
B images in the global batch, V views, D features, P projection.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Several, Share
from bench.method import Method
from bench.parts import MultiCrop, SelfDistillation, distillation_mlp, full_precision, gather, large_and_small_crops, upcast
from bench.spec import Recipe

LARGEST = 2.0**18
"""Of P / epsilon, the largest eigenvalue that is coded: float32 holds a 2 ** 24th of it, and the identity must count beside it."""


def balance(images: int, dims: int) -> float:
    """The factor of the coding rate: (P + B) / (P B) (main_dino.py, MCRLoss)."""
    return 1 / images + 1 / dims


@full_precision
def coding_rate(rows: Tensor, epsilon: float) -> Tensor:
    """Half the logarithm of the determinant of the identity plus P / (B epsilon) times the sum of a view's outer products, mean over views,
    of rows [G, B, P] (main_dino.py, MCRLoss)."""
    images, dims = rows.shape[1:]
    identity = torch.eye(dims, dtype=rows.dtype, device=rows.device)
    # Without a check of its own, which would make the host wait for a GPU: at least the identity, it has a factor.
    factors = torch.linalg.cholesky_ex(identity + dims / (images * epsilon) * (rows.transpose(1, 2) @ rows))[0]
    return factors.diagonal(dim1=1, dim2=2).log().sum(1).mean()


@full_precision
def other_cosines(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine of what the teacher says of a large crop, unit rows [2, B, P], with what the student says of every OTHER crop [V, B, P],
    over pairs of crops and images. The first two crops are the large ones."""
    pairs = torch.einsum("gbp,vbp->gv", teacher, student) / student.shape[1]
    return (pairs.sum() - pairs.diagonal().sum()) / (len(teacher) * (len(student) - 1))


class UnitHead(nn.Module):
    """Three layers with GELU, then unit length: [B, D] -> [B, P]."""

    def __init__(self, inputs: int, hidden: int, projection: int, norm: bool):
        super().__init__()
        self.mlp = distillation_mlp(inputs, hidden, projection, norm)

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(upcast(self.mlp(features)), dim=-1)


class SimDINO(SelfDistillation, Method):
    paper = "arXiv:2502.10385"
    source = "RobinWu218/SimDINO@8149fc4"
    family = "joint embedding"
    weights = "teacher"
    smallest_batch = 2
    added = {"head_norm": False, "half_life": 0.0}
    search = {"epsilon": ("log", 0.1, 2.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        local_crops: CountOrZero = 4,
        local_size: Fraction = 0.5,
        area_split: Fraction = 0.4,
        area_min: Fraction = 0.05,
        projection: Several = 256,
        hidden: Count = 512,
        coding: NonNegative = 1.0,
        agreement: NonNegative = 1.0,
        epsilon: Positive = 0.4,
        smooth: bool = True,
        momentum: Share = 0.99,
        momentum_end: Share = 1.0,
        head_norm: bool = False,
        half_life: Share = 0.0,
    ):
        """local_crops: small crops of an image, 10. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.4. area_min: of a small crop, 0.05.
        projection: P, 256. hidden: width of the head, 2048. coding, agreement: weights of the coding rate and of the cosine, 1 and 1.
        epsilon: 0.05 in README.md, which is 0.4 of the whole batch. smooth: whether the coding rate is of the mean of student and teacher
        (expa_type=1), or of the student's rows alone.
        momentum: of the teacher at the start, 0.996; to momentum_end, 1, along a cosine. head_norm: BatchNorm after the head's first two
        layers, False (use_bn_in_head of main_dino.py). half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        if projection / epsilon > LARGEST:
            raise ValueError(
                f"epsilon={epsilon:g} is too small for projection={projection}; expected {projection / LARGEST:.3g} or more, as float32 "
                f"holds no smaller one's coding rate"
            )
        encoder = make_encoder()
        self.build_networks(MultiCrop(encoder, UnitHead(encoder.dim, hidden, projection, head_norm)), momentum, momentum_end, half_life)
        self.projection, self.coding, self.agreement, self.epsilon, self.smooth = projection, coding, agreement, epsilon, smooth
        crops = {"count": local_crops, "size": local_size, "area_split": area_split, "area_min": area_min}
        self.views = large_and_small_crops(encoder, data, **crops)
        # Learning rate per 256 images, decays, 10 of 100 epochs of warm-up, clipping: defaults of main_dino.py. Batch: the benchmark's.
        self.recipe = Recipe("adamw", lr=5e-4, batch_size=256, weight_decay=0.04, weight_decay_end=0.4, warmup=0.1, clip_grad=3.0)

    def chance_loss(self, batch_size):
        """All rows one vector: they agree, and one direction is coded."""
        rate = math.log1p(self.projection / self.epsilon) / 2
        return -self.agreement - self.coding * balance(batch_size, self.projection) * rate

    def loss(self, batch, progress):
        student, teacher = (
            gather(rows.transpose(0, 1)).transpose(0, 1) for rows in (self.student(batch.views), self.teacher(batch.views[:2]))
        )
        coded = (student[:2] + teacher) / 2 if self.smooth else student[:2]
        rate = coding_rate(coded, self.epsilon)
        return -self.agreement * other_cosines(student, teacher) - self.coding * balance(student.shape[1], self.projection) * rate

    def project(self, images):  # [B, 3, H, W] -> unit rows [B, P]
        return self.teacher.network.head(self.encode(images))
