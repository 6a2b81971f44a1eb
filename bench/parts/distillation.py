"""What DINO (arXiv:2104.14294) and those that build on it share: large and small crops, a head whose last layer are prototypes, student and
teacher, and where patches are hidden from the student.

B images of the global batch (b of this device), V crops of an image, of which the first two are large, D features, P bottleneck, K
prototypes.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.parts.budgets import Needed
from bench.parts.heads import encode_crops, whole_patches
from bench.parts.losses import full_precision
from bench.parts.teachers import Teacher, along_cosine
from bench.spec import DatasetInfo
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def cosines(rows: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every row [..., P] with every prototype [K, P]: [..., K]. In bfloat16, over 0.04, a logit would be off by 0.1."""
    return F.normalize(rows, dim=-1) @ F.normalize(prototypes, dim=1).T


def distillation_mlp(inputs: int, hidden: int, bottleneck: int) -> nn.Sequential:
    """Three layers with GELU between them, [..., D] -> [..., P]; no BatchNorm."""
    layers = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, bottleneck)
    for layer in layers:  # as DINOHead in vision_transformer.py of facebookresearch/dino@7c446df
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.GELU(), layers[1], nn.GELU(), layers[2])


class PrototypeHead(nn.Module):
    """Three layers with GELU, then the cosine with K prototypes: the weight-normalised last layer, its gain fixed to 1. No BatchNorm."""

    def __init__(self, inputs: int, hidden: int, bottleneck: int, outputs: int):
        super().__init__()
        self.mlp = distillation_mlp(inputs, hidden, bottleneck)
        self.last = nn.Linear(bottleneck, outputs, bias=False)

    def forward(self, features: Tensor, frozen: bool = False) -> Tensor:
        """[..., D] -> [..., K]. frozen: the last layer is held as it is."""
        return cosines(self.mlp(features), self.last.weight.detach() if frozen else self.last.weight)


class MultiCrop(nn.Module):
    """An encoder and a head, for crops of several sizes."""

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


class SelfDistillation(nn.Module):
    """A base beside Method, named before it: a student and its moving average, encoder and head each. A method calls `build_networks`."""

    def build_networks(self, student: MultiCrop, momentum: float, momentum_end: float) -> None:
        """Momentum of the teacher at the start and at the end."""
        self.student = student
        self.teacher = Teacher(student)
        self.momentum, self.momentum_end = momentum, momentum_end

    def needed(self, batch_size: int) -> tuple[Needed, ...]:
        return (self.teacher.left(self.momentum, rising=True, end=self.momentum_end),)

    def after_step(self, progress: float) -> None:
        self.teacher.follow(self.student, along_cosine(progress, self.momentum, self.momentum_end))

    def project(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, P], before prototypes."""
        return self.teacher.network.head.mlp(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        return self.teacher.network.encoder(images)

    def encode_also(self) -> dict:
        return {"student": self.student.encoder}
