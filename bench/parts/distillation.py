"""What DINO (arXiv:2104.14294) and those that build on it share: large and small crops, a head whose last layer are prototypes, student and
teacher; and what iBOT (arXiv:2111.07832) adds: patches of the large crops that are hidden from the student.

B images of the global batch (b of this device), V crops of an image, of which the first two are large, L patches of a large crop, M of them
hidden at most, D features, P bottleneck, K prototypes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.parts.heads import encode_crops, whole_patches
from bench.parts.losses import full_precision
from bench.parts.teachers import WithTeacher, along_cosine
from bench.parts.tokens import block_mask, show_patches
from bench.spec import DatasetInfo
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def cosines(rows: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every row [..., P] with every prototype [K, P]: [..., K]. In bfloat16, over 0.04, a logit would be off by 0.1."""
    return F.normalize(rows, dim=-1) @ F.normalize(prototypes, dim=1).T


@full_precision
def centred_targets(outputs: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """What a teacher says, [..., K], as shares of the K prototypes."""
    return ((outputs - centre) / temperature).softmax(-1)


@full_precision
def hidden_patch_loss(scores: Tensor, targets: Tensor, hidden: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between a patch's targets and what is said of it, both [b, M, K], mean over a crop's hidden patches, bool [b, M], then
    over crops; 0 for a crop without (arXiv:2111.07832, eq. 2, as main_ibot.py of bytedance/ibot@da316d8 has it)."""
    error = -(targets * (scores / temperature).log_softmax(-1)).sum(-1)
    return ((error * hidden).sum(1) / hidden.sum(1).clamp(min=1)).mean()


def distillation_mlp(inputs: int, hidden: int, bottleneck: int, norm: bool = False) -> nn.Sequential:
    """Three layers with GELU between them, [..., D] -> [..., P]. norm: BatchNorm after the first two, of rows [B, D] alone; their biases
    stay (`use_bn` of the authors' DINOHead)."""
    layers = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, bottleneck)
    for layer in layers:  # as DINOHead in vision_transformer.py of facebookresearch/dino@7c446df
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    between = [[nn.BatchNorm1d(hidden), nn.GELU()] if norm else [nn.GELU()] for _ in range(2)]
    return nn.Sequential(layers[0], *between[0], layers[1], *between[1], layers[2])


class PrototypeHead(nn.Module):
    """Three layers with GELU, then the cosine with K prototypes: the weight-normalised last layer, its gain fixed to 1."""

    def __init__(self, inputs: int, hidden: int, bottleneck: int, outputs: int, norm: bool = False):
        super().__init__()
        self.mlp = distillation_mlp(inputs, hidden, bottleneck, norm)
        self.last = nn.Linear(bottleneck, outputs, bias=False)

    def forward(self, features: Tensor, frozen: bool = False) -> Tensor:
        """[..., D] -> [..., K]. frozen: the last layer is held as it is."""
        return cosines(self.mlp(features), self.last.weight.detach() if frozen else self.last.weight)


class MultiCrop(nn.Module):
    """An encoder and a head, for crops of several sizes."""

    encoder: Any
    head: Any

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, crops: tuple[Tensor, ...], **options) -> Tensor:
        """V crops, each [b, 3, h, w] -> [V, b, K]. Crops of one size share an encoder call and all crops the head's, which gets the
        options, so that BatchNorm sees them together, as in MultiCropWrapper (utils.py of facebookresearch/dino@7c446df)."""
        return self.head(encode_crops(self.encoder, crops), **options).unflatten(0, (len(crops), -1))


def warmed_up(progress: float, start: float, end: float, warmup: float) -> float:
    """A teacher's temperature, which rises along a line in this part of progress, then stays: at the start a soft target is unstable."""
    return end if progress >= warmup else start + (end - start) * progress / warmup


def phases_from(*parts: float) -> tuple[float, ...]:
    """A method's `phases`, where its step changes at these parts of progress: each once, in their order, without 0 and 1."""
    return tuple(sorted({float(part) for part in parts if 0 < part < 1}))


def large_and_small_crops(encoder, data: DatasetInfo, *, count: int, size: float, area_split: float, area_min: float) -> tuple[View, ...]:
    """Two large crops and so many small ones, this part of the image wide (DataAugmentationDINO in main_dino.py of
    facebookresearch/dino@7c446df, with its saturation of 0.2). area_split: large crops cover at least this part of the image and small
    ones at most; area_min: small ones at least. No blur up to 64 pixels, where its sigma is below 0.6 pixel."""

    def crop(low, high, blur, *last, **view):
        blurred = (Blur(blur),) if data.image_size > 64 else ()
        return View((ResizedCrop((low, high)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2), *blurred, *last), **view)

    size = whole_patches(encoder, data.image_size, size)
    small = (crop(area_min, area_split, 0.5, count=count, size=size),) if count else ()
    return (crop(area_split, 1.0, 1.0), crop(area_split, 1.0, 0.1, Solarize(0.2)), *small)


class SelfDistillation(WithTeacher):
    """A base beside Method, named before it: a student and its moving average, encoder and head each. A method calls `build_networks`."""

    momentum_at = staticmethod(along_cosine)

    def build_networks(self, student: MultiCrop, momentum: float, momentum_end: float, half_life: float) -> None:
        """Momentum of the teacher at the start and at the end, and its half-life."""
        self.student = student
        self.build_teacher(momentum, momentum_end, half_life)

    def followed(self) -> nn.Module:
        return self.student

    def project(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, P], before prototypes."""
        return self.teacher.network.head.mlp(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        return self.teacher.network.encoder(images)

    def encode_also(self) -> dict:
        return {"student": self.student.encoder}


class HiddenPatches(SelfDistillation):
    """A base beside Method for encoders with tokens: of some large crops patches are hidden from the student, by a learned token, and it
    says what the teacher makes of these. A method calls `build_networks`, then `build_masks`."""

    def build_masks(self, probability: float, low: float, high: float, least: int) -> None:
        """probability: of a large crop having hidden patches. low, high: part of its patches that are. least: in one rectangle of them.
        A ValueError where none would be."""
        encoder = self.student.encoder
        self.most, self.mask_draws = int(encoder.side**2 * high), (probability, low, high, least)
        if not low <= high or not self.most:
            raise ValueError(
                f"mask_min={low:g} to mask_max={high:g} hides {int(low * encoder.side**2)} to {self.most} of {encoder.side**2} patches; "
                f"expected 1 or more, and mask_max not below mask_min"
            )
        self.mask_token = nn.Parameter(torch.zeros(1, 1, encoder.dim))  # as the authors' masked_embed; the teacher has none

    def draw_hidden(self, batch) -> Tensor:
        """Which patches of one large crop are hidden, in rectangles: bool [b, L]."""
        probability, low, high, least = self.mask_draws
        side = self.student.encoder.side
        part = torch.where(batch.rand() < probability, low + (high - low) * batch.rand(), 0.0)
        return block_mask(batch, side, (part * side**2).floor().clamp(max=self.most), least)

    def large_crops(self, batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tokens [2b, 1 + L, D] of the large crops, the first of all images and then the second, class token first: what the teacher makes
        of them whole, and the student of them with patches hidden. Then the hidden ones and others, int64 [2b, M], as many of every crop so
        that every step costs the same, and which of the M are hidden: bool [2b, M]."""
        images, hidden = torch.cat(batch.views[:2]), torch.cat([self.draw_hidden(batch) for _ in range(2)])
        own = self.student.encoder
        batch.show("visible patches", lambda: show_patches(batch.views[0], ~hidden[: len(batch.index)], own.patch_size))
        with torch.no_grad():
            whole = self.teacher.network.encoder.tokens(images)
        which = torch.argsort(hidden.byte(), stable=True, dim=1, descending=True)[:, : self.most]
        return whole, own.tokens(images, replace=hidden, mask_token=self.mask_token), which, hidden.gather(1, which)

    def classes(self, batch, tokens: Tensor, **options) -> Tensor:
        """What the student's head says of all crops' class tokens: [V, b, K]. tokens: of the large ones, [2b, 1 + L, D]."""
        rows = [tokens[:, 0], *([encode_crops(self.student.encoder, batch.views[2:])] if batch.views[2:] else ())]
        return self.student.head(torch.cat(rows), **options).unflatten(0, (len(batch.views), -1))
