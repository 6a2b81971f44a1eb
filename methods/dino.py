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

from bench.domains import Count, CountOrZero, Fraction, Positive, Several, Share
from bench.method import Method
from bench.parts import (
    MultiCrop,
    PrototypeHead,
    SelfDistillation,
    centred_targets,
    cross_view_loss,
    large_and_small_crops,
    mean_of_batch,
    phases_from,
    warmed_up,
)
from bench.spec import Recipe


class DINO(SelfDistillation, Method):
    paper = "arXiv:2104.14294"
    source = "facebookresearch/dino@7c446df"
    family = "joint embedding"
    weights = "teacher"
    added = {"momentum_end": 1.0, "head_norm": False, "half_life": 0.0}
    search = {"half_life": ("choice", 0.0, 0.01, 0.2, 0.5)}

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
        head_norm: bool = False,
        half_life: Share = 0.0,
    ):
        """local_crops: small crops of an image, 8. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.4. area_min: of a small crop, 0.05. outputs:
        K, 65,536. hidden, bottleneck: of the head, 2048 and 256. student_temperature: 0.1. teacher_temperature: 0.07, reached from
        teacher_temperature_start, 0.04, in the part teacher_temperature_warmup of progress, 30 of 300 epochs. momentum: of the teacher at
        the start, 0.996 (main_dino.py advises 0.9995 at a batch of 256, too slow for a short run); to momentum_end, 1, along a cosine (0,0:
        the student's copy of figure 6). centre_momentum: 0.9. frozen: part of progress in which the last layer stays, 1 of 100 epochs.
        head_norm: BatchNorm after the head's first two layers, False (use_bn_in_head of main_dino.py).
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        encoder = make_encoder()
        head = PrototypeHead(encoder.dim, hidden, bottleneck, outputs, head_norm)
        self.build_networks(MultiCrop(encoder, head), momentum, momentum_end, half_life)
        self.register_buffer("centre", torch.zeros(outputs))
        self.batch_mean = None  # of the teacher's outputs, on its way from loss to after_step; never part of the state
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.teacher_temperature_start, self.teacher_temperature_warmup = teacher_temperature_start, teacher_temperature_warmup
        self.centre_momentum, self.frozen = centre_momentum, frozen
        # Where the last layer begins to move, and where the teacher's temperature stops.
        self.phases = phases_from(frozen, teacher_temperature_warmup)
        crops = {"count": local_crops, "size": local_size, "area_split": area_split, "area_min": area_min}
        self.views = large_and_small_crops(encoder, data, **crops)
        # Learning rate per 256 images, decays, 10 of 100 epochs of warm-up, clipping: defaults of main_dino.py. Batch: the benchmark's.
        self.recipe = Recipe("adamw", lr=5e-4, batch_size=256, weight_decay=0.04, weight_decay_end=0.4, warmup=0.1, clip_grad=3.0)

    def teacher_temperature_at(self, progress):
        return warmed_up(progress, self.teacher_temperature_start, self.teacher_temperature, self.teacher_temperature_warmup)

    def chance_loss(self, batch_size):
        return math.log(len(self.centre))

    def loss(self, batch, progress):
        student = self.student(batch.views, frozen=progress < self.frozen)
        teacher = self.teacher(batch.views[:2])
        self.batch_mean = mean_of_batch(teacher.flatten(0, 1).mean(0), len(batch.index))
        targets = centred_targets(teacher, self.centre, self.teacher_temperature_at(progress))
        return mean_of_batch(cross_view_loss(student, targets, self.student_temperature), len(batch.index))

    def after_step(self, progress):
        self.centre.lerp_(self.batch_mean, 1 - self.centre_momentum)
        self.batch_mean = None
        super().after_step(progress)
