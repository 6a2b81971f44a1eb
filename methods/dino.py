"""DINO (Caron et al. 2021, arXiv:2104.14294): a student sees small crops and predicts what its own moving average sees in large ones.

Differs from the paper: 4 local crops instead of 8, half as wide as the image instead of 96 of 224, and 4096 outputs instead of 65,536, for
small images (4096 as solo-learn on CIFAR, which has no local crops); a head 512 wide instead of 2048, which would outweigh a small encoder;
no blur up to 64 pixels, where its sigma is below 0.6 pixel; crops resized by an antialiased triangle filter, not bicubic; no stochastic
depth; learning rate to 0, not 1e-6; the teacher's temperature rises with every step, not every epoch; gradients clipped by their norm over
all parameters (the authors' utils.clip_gradients takes each parameter alone). One AdamW recipe for every encoder; for a ResNet the authors'
README suggests SGD, a constant decay of 1e-4 and area_split=0.14. Their linear probe of a ViT-S joins four blocks; here it is the last.
B images in the global batch, V views, D features, P bottleneck, K outputs.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, Positive, Several, Share
from bench.method import Method
from bench.parts import Teacher, along_cosine, encode_crops, full_precision, mean_of_batch, whole_patches
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def scores(rows: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every row [B, P] with every prototype [K, P]: [B, K]. In bfloat16, over 0.04, a logit would be off by 0.1."""
    return F.normalize(rows, dim=1) @ F.normalize(prototypes, dim=1).T


@full_precision
def cross_view_loss(student: Tensor, teacher: Tensor, centre: Tensor, student_temperature: float, teacher_temperature: float) -> Tensor:
    """Cross-entropy between the teacher's view [2, B, K] and the student's of every OTHER crop [V, B, K], mean over pairs of
    crops and images (arXiv:2104.14294, eq. 3). The first two crops are the teacher's."""
    target = ((teacher - centre) / teacher_temperature).softmax(-1)
    predicted = (student / student_temperature).log_softmax(-1)
    # The cross-entropy is linear in the prediction: for each target, sum the others first.
    total = sum(-(target[own] * torch.cat([predicted[:own], predicted[own + 1 :]]).sum(0)).sum() for own in range(len(target)))
    return total / (len(target) * (len(student) - 1) * student.shape[1])


class Head(nn.Module):
    """Three layers with GELU, then the cosine with K prototypes: the weight-normalised last layer, its gain fixed to 1. No BatchNorm."""

    def __init__(self, inputs: int, hidden: int, bottleneck: int, outputs: int):
        super().__init__()
        first, second, third = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, bottleneck)
        for layer in (first, second, third):  # as DINOHead in the authors' vision_transformer.py
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.mlp = nn.Sequential(first, nn.GELU(), second, nn.GELU(), third)
        self.last = nn.Linear(bottleneck, outputs, bias=False)

    def forward(self, features: Tensor, frozen: bool) -> Tensor:
        """[B, D] -> [B, K]. frozen: the last layer is held as it is."""
        return scores(self.mlp(features), self.last.weight.detach() if frozen else self.last.weight)


class MultiCrop(nn.Module):
    """An encoder and a head, for crops of several sizes."""

    def __init__(self, encoder: nn.Module, head: Head):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, crops: tuple[Tensor, ...], frozen: bool = False) -> Tensor:
        """V crops, each [B, 3, h, w] -> [V, B, K]. Crops of one size share an encoder call and all crops the head's, so that
        BatchNorm sees them together, as in the authors' MultiCropWrapper (utils.py)."""
        return self.head(encode_crops(self.encoder, crops), frozen).unflatten(0, (len(crops), -1))


class DINO(Method):
    paper = "arXiv:2104.14294"
    source = "facebookresearch/dino@7c446df"
    family = "joint embedding"
    weights = "teacher"
    added = {"momentum_end": 1.0}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        local_crops: CountOrZero = 4,
        local_size: Fraction = 0.5,
        area_split: Fraction = 0.4,
        area_min: Fraction = 0.05,
        outputs: Several = 4096,
        hidden: Count = 512,
        bottleneck: Count = 256,
        student_temperature: Positive = 0.1,
        teacher_temperature: Positive = 0.07,
        teacher_temperature_start: Positive = 0.04,
        teacher_temperature_warmup: Share = 0.1,
        momentum: Share = 0.996,
        centre_momentum: Share = 0.9,
        frozen: Share = 0.01,
        momentum_end: Share = 1.0,
    ):
        """local_crops: small crops of an image, 8. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.4. area_min: of a small crop, 0.05. outputs:
        K, 65,536. hidden, bottleneck: of the head, 2048 and 256. student_temperature: 0.1. teacher_temperature: 0.07, reached from
        teacher_temperature_start, 0.04, in the part teacher_temperature_warmup of progress, 30 of 300 epochs. momentum: of the teacher at
        the start, 0.996 (main_dino.py advises 0.9995 at a batch of 256, too slow for a short run); to momentum_end, 1, along a cosine (0,0:
        the student's copy of figure 6). centre_momentum: 0.9. frozen: part of progress in which the last layer stays, 1 of 100 epochs."""
        super().__init__()
        encoder = make_encoder()
        self.student = MultiCrop(encoder, Head(encoder.dim, hidden, bottleneck, outputs))
        self.teacher = Teacher(self.student)
        self.register_buffer("centre", torch.zeros(outputs))
        self.batch_mean = None  # of the teacher's outputs, on its way from loss to after_step; never part of the state
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.teacher_temperature_start, self.teacher_temperature_warmup = teacher_temperature_start, teacher_temperature_warmup
        self.momentum, self.momentum_end, self.centre_momentum, self.frozen = momentum, momentum_end, centre_momentum, frozen
        # Where the last layer begins to move, and where the teacher's temperature stops.
        self.phases = tuple(sorted({part for part in (frozen, teacher_temperature_warmup) if 0 < part < 1}))

        def crop(low, high, blur, *last, **view):  # DataAugmentationDINO in the authors' main_dino.py, with their saturation of 0.2
            blurred = (Blur(blur),) if data.image_size > 64 else ()
            return View((ResizedCrop((low, high)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2), *blurred, *last), **view)

        local_size = whole_patches(encoder, data.image_size, local_size)
        local = (crop(area_min, area_split, 0.5, count=local_crops, size=local_size),) if local_crops else ()
        self.views = (crop(area_split, 1.0, 1.0), crop(area_split, 1.0, 0.1, Solarize(0.2)), *local)
        # Learning rate per 256 images, decays, 10 of 100 epochs of warm-up, clipping: defaults of main_dino.py. Batch: the benchmark's.
        self.recipe = Recipe("adamw", lr=5e-4, batch_size=256, weight_decay=0.04, weight_decay_end=0.4, warmup=0.1, clip_grad=3.0)

    def teacher_temperature_at(self, progress):
        """Linear from its start, then constant: a soft target at the beginning is unstable."""
        if progress >= self.teacher_temperature_warmup:
            return self.teacher_temperature
        start = self.teacher_temperature_start
        return start + (self.teacher_temperature - start) * progress / self.teacher_temperature_warmup

    def chance_loss(self, batch_size):
        return math.log(len(self.centre))

    def needed(self, batch_size):
        return (self.teacher.left(self.momentum, rising=True, end=self.momentum_end),)

    def loss(self, batch, progress):
        student = self.student(batch.views, progress < self.frozen)
        teacher = self.teacher(batch.views[:2])
        self.batch_mean = mean_of_batch(teacher.flatten(0, 1).mean(0), len(batch.index))
        temperatures = self.student_temperature, self.teacher_temperature_at(progress)
        return mean_of_batch(cross_view_loss(student, teacher, self.centre, *temperatures), len(batch.index))

    def after_step(self, progress):
        self.centre.lerp_(self.batch_mean, 1 - self.centre_momentum)
        self.batch_mean = None
        self.teacher.follow(self.student, along_cosine(progress, self.momentum, self.momentum_end))

    def project(self, images):  # [B, 3, H, W] -> [B, P], before the prototypes
        return self.teacher.network.head.mlp(self.encode(images))

    def encode(self, images):
        return self.teacher.network.encoder(images)

    def encode_also(self):
        return {"student": self.student.encoder}
