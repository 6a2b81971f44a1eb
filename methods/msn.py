"""MSN (Assran et al. 2022, arXiv:2204.07141): what an encoder makes of a crop of which patches are left out, and of small crops, belongs to
the same prototypes as what a slowly moving copy of it makes of another crop, whole; on average all prototypes are used alike.

Differs from the paper:
- 4 small crops instead of 10, a head 512 wide instead of 2048, which would outweigh a small encoder, and batches of 256 instead of 1024.
- No blur up to 64 pixels, where its sigma is below 0.6 pixel; crops are resized by an antialiased triangle filter.
- Learning rate and decay go to the end of their cosines, theirs four fifths of the way (1.25 in src/msn_train.py); warm-up from 0, not a
  fifth of the peak. The momentum ends where theirs does.
- Which patches are left out is drawn for each image, in src/deit.py for a batch.
- The gradient is clipped over all parameters, theirs without the prototypes.
The copy's class token is evaluated (appendix A.1), the student's is recorded beside it.
B images in the global batch, V anchors of each, D features, P projection, K prototypes.
"""

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Several, Share
from bench.method import Method
from bench.parts import StudentAndTeacher, along_line, among, full_precision, gather, show_patches, sinkhorn, whole_patches
from bench.spec import Group, Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def log_shares(rows: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """Logarithm of how much each row [..., P] belongs to each prototype [K, P], by the cosine: [..., K]."""
    return (F.normalize(rows, dim=-1) @ F.normalize(prototypes, dim=1).T / temperature).log_softmax(-1)


@full_precision
def masked_siamese(anchors: Tensor, targets: Tensor, mean_entropy: float) -> Tensor:
    """Cross-entropy of the anchors' shares, their logarithms [V, B, K], from the targets [B, K], and by how much the entropy of their mean
    over all anchors is below log K (src/losses.py)."""
    unevenness = math.log(anchors.shape[-1]) - torch.special.entr(anchors.exp().mean((0, 1))).sum()
    return -(targets * anchors).sum(-1).mean() + mean_entropy * unevenness


class MSN(StudentAndTeacher, Method):
    paper = "arXiv:2204.07141"
    source = "facebookresearch/msn@db0d572"
    family = "clustering"
    needs = "tokens"
    weights = "teacher"
    smallest_batch = 2
    momentum_at = staticmethod(along_line)
    added = {"half_life": 0.0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        patch_drop: Annotated[float, Interval(ge=0, lt=1)] = 0.15,
        focal_views: CountOrZero = 4,
        focal_size: Fraction = 0.43,
        crop_min: Fraction = 0.3,
        focal_min: Fraction = 0.05,
        prototypes: Several = 1024,
        hidden: Count = 512,
        projection: Count = 256,
        temperature: Positive = 0.1,
        sharpening: Positive = 0.25,
        mean_entropy: NonNegative = 1.0,
        sinkhorn_steps: CountOrZero = 3,
        momentum: Share = 0.996,
        momentum_end: Share = 0.9992,
        half_life: Share = 0.0,
    ):
        """patch_drop: part of the large anchor's patches that is left out, 0.15 for a ViT-S. focal_views: small crops, 10. focal_size:
        their width over the image's, 96 / 224, rounded to whole patches. crop_min: smallest area of a large crop and largest of a small
        one, 0.3. focal_min: smallest of a small one, 0.05. prototypes: K, 1024. hidden, projection: of the head, 2048 and 256.
        temperature: 0.1. sharpening: of targets, 0.25. mean_entropy: weight of the entropy of the mean, 1. sinkhorn_steps: by which
        targets are shared out evenly, 3; 0 is not. momentum: of the copy at the start, 0.996; to momentum_end, 1 at 1.25 times the run,
        along a line. half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        self.encoder = make_encoder()
        self.patches = self.encoder.side**2
        self.kept = int(self.patches * (1 - patch_drop))  # src/deit.py
        if self.kept < 1:
            raise ValueError(f"patch_drop={patch_drop:g} leaves none of {self.patches} patches")
        narrow = [nn.Linear(self.encoder.dim, hidden, bias=False), nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, projection)]
        for layer in narrow:  # src/msn_train.py, init_model
            nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(narrow[-1].bias)
        first, second = ((nn.BatchNorm1d(hidden), nn.GELU()) for _ in range(2))
        self.projector = nn.Sequential(narrow[0], *first, narrow[1], *second, narrow[2])
        self.prototypes = nn.Parameter(torch.empty(prototypes, projection).uniform_(-(projection**-0.5), projection**-0.5))
        self.build_teacher(momentum, momentum_end, half_life)
        self.temperature, self.sharpening, self.mean_entropy = temperature, sharpening, mean_entropy
        self.sinkhorn_steps = sinkhorn_steps

        def crop(low, high, **view):  # src/data_manager.py, color_jitter_strength 0.5
            blurred = (Blur(0.5),) if data.image_size > 64 else ()
            return View((ResizedCrop((low, high)), Flip(), ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2), *blurred), **view)

        size = whole_patches(self.encoder, data.image_size, focal_size)
        focal = (crop(focal_min, crop_min, count=focal_views, size=size),) if focal_views else ()
        self.views = (crop(crop_min, 1.0, count=2), *focal)
        self.recipe = Recipe(
            "adamw",  # src/msn_train.py
            lr=1e-3,  # configs/pretrain/msn_vits16.yaml
            lr_per_batch=1024,  # the same yaml: 64 on each of README.md's 16 GPUs
            batch_size=256,  # the benchmark's
            weight_decay=0.04,  # the same yaml
            weight_decay_end=0.4,  # the same yaml
            warmup=0.01875,  # the same yaml: 15 of 800 epochs
            exclude=("bias", "norm"),  # src/msn_train.py, from decay
            clip_grad=3.0,  # the same yaml
            groups=(Group("prototypes", weight_decay=0.0),),  # src/msn_train.py
        )

    def chance_loss(self, batch_size):
        """Equal anchors get equal targets, which are shared out evenly; without that one prototype may have them all."""
        return math.log(len(self.prototypes)) if self.sinkhorn_steps else None

    def anchors(self, batch) -> Tensor:
        """Rows [V, B, P] of the global batch. The large crop and the small ones have a call each, as in src/deit.py."""
        _, large, *small = batch.views
        keep = batch.rand(self.patches).argsort(1)[:, : self.kept]
        batch.show("visible patches", lambda: show_patches(large, among(keep, self.patches), self.encoder.patch_size))
        rows = [self.projector(self.encoder.tokens(large, keep=keep)[:, 0])]
        if small:
            rows += self.projector(self.encoder(torch.cat(small))).chunk(len(small))
        return gather(torch.stack(rows, dim=1)).transpose(0, 1)

    def loss(self, batch, progress):
        anchors = log_shares(self.anchors(batch), self.prototypes, self.temperature)
        with torch.no_grad():
            whole = gather(self.teacher(batch.views[0]))
            targets = log_shares(whole, self.prototypes, self.temperature * self.sharpening)
            targets = sinkhorn(targets, 1.0, self.sinkhorn_steps) if self.sinkhorn_steps else targets.exp()
        return masked_siamese(anchors, targets, self.mean_entropy)

    def project(self, images):  # [B, 3, H, W] -> [B, P], before the prototypes
        return self.teacher.network(images)

    def encode(self, images):
        return self.teacher.network[0](images)

    def encode_also(self):
        return {"student": self.encoder}
