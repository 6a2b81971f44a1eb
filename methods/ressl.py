"""ReSSL (Zheng et al. 2021, arXiv:2107.09282): an image must be as like each of the past images as a slowly moving encoder says, which saw
a weakly changed view of it, and whose answer is sharpened.

Differs from the paper:
- For small images the authors follow MoCo's CIFAR-10 demo (issue 5 of their repository) and have code behind a link (README.md) that was
  not at hand: queue, momentum, learning rate and head are those of pc-cp/MSVQ, which has issue 5's strong augmentation line by line (its
  weak view is mirrored with probability 0.9, here 0.5); the decay is the paper's, as issue 11 cites it. One crop of each kind;
  ressl_multi.py has five of the strong one.
- Blur's sigma of 0.1 to 2 is in pixels of a view of 224, as in every method here: on CIFAR-10 below 0.3 pixel, which is next to none. Issue
  5 has it in pixels of the 32.
- The key encoder moves at the end of a step, in the authors' code at the start of the next; BatchNorm groups are runs of consecutive
  images: as methods/moco.py says.
- The queue begins empty, and what is empty is in no relation; the authors' begins with random vectors.
B images in the global batch, D features, P projection, Q queue length.
"""

import math

import torch
from torch import Tensor

from bench.domains import Count, Fraction, Positive, Probability, Share
from bench.method import Method
from bench.parts import MomentumContrast, full_precision, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def relations(rows: Tensor, queue: Tensor, empty: Tensor, temperature: float) -> Tensor:
    """Logarithms of how an image's likeness is shared out among those of the queue: rows [B, P] and queue [Q, P] of unit
    length -> [B, Q]. empty: bool [Q], places of the queue that have no share."""
    logits = rows @ queue.to(rows.dtype).T / temperature
    # A finite number: where all places are empty, as in the first step, there still is a softmax, and it has no gradient.
    return logits.masked_fill(empty, torch.finfo(logits.dtype).min).log_softmax(1)


@full_precision
def relational_loss(queries: Tensor, keys: Tensor, queue: Tensor, empty: Tensor, temperature: float, teacher_temperature: float) -> Tensor:
    """Cross-entropy between the keys' relations to the queue and the queries', all unit rows: [B, P], [B, P], [Q, P] (ressl.py)."""
    asked = relations(keys, queue, empty, teacher_temperature).exp()
    return -(asked * relations(queries, queue, empty, temperature)).masked_fill(empty, 0).sum(1).mean()


class ReSSL(MomentumContrast, Method):
    paper = "arXiv:2107.09282"
    source = "KyleZheng1997/ReSSL@4d67daa, pc-cp/MSVQ@8a23a3f"
    family = "joint embedding"
    added = {"half_life": 0.0}
    search = {"teacher_temperature": ("log", 0.02, 0.08)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        teacher_temperature: Positive = 0.04,
        momentum: Share = 0.99,
        queue: Count = 4096,
        projection: Count = 128,
        hidden: Count = 2048,
        bn_groups: Count = 8,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.5,
        weak: bool = True,
        half_life: Share = 0.0,
    ):
        """temperature: of the student, 0.1. teacher_temperature: 0.04; lower than the student's, so that its answer is sharper.
        momentum: of the teacher; 0.99 on CIFAR-10, 0.999 on ImageNet. queue: Q; 4096 on CIFAR-10, 131,072 on ImageNet.
        projection: P; 128 on CIFAR-10, 512 on ImageNet. hidden: width of the head; 2048 on CIFAR-10, 4096 on ImageNet. bn_groups: groups of
        the batch over which BatchNorm's statistics are taken, 8. crop_min: smallest area of a crop, 0.2. blur: probability, 0.5.
        weak: whether the teacher's view is a crop and a mirror image alone; without, it is drawn as the student's.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # data/augmentation.py: moco_aug and target_aug; on CIFAR-10 too (issue 5).
        plain = (ResizedCrop((crop_min, 1.0)), Flip())
        strong = (*plain, ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2), *((Blur(blur),) if blur else ()))
        self.views = (View(strong), View(plain)) if weak else (View(strong, count=2),)
        self.recipe = Recipe(
            "sgd",  # paper and ressl.py
            lr=0.06,  # main.py of MSVQ; ressl.py for ImageNet: 0.05
            batch_size=256,  # main.py of MSVQ, and README.md for ImageNet
            momentum=0.9,  # both
            weight_decay=5e-4,  # the paper's for small images (issue 11), and main.py of MSVQ; ressl.py: 1e-4
            warmup=0.025,  # both: 5 of 200 epochs
            exclude=(),  # main.py of MSVQ decays every parameter; ressl.py neither biases nor BatchNorm's
        )
        encoder = make_encoder(bn_groups=bn_groups)
        # network/head.py: no BatchNorm.
        projector = mlp(encoder.dim, hidden, projection, norm=False)
        self.build_contrast(
            encoder, projector, queue=queue, projection=projection, momentum=momentum, half_life=half_life, temperature=temperature
        )
        self.teacher_temperature = teacher_temperature

    def chance_loss(self, batch_size):
        return math.log(len(self.queue.rows))

    def loss(self, batch, progress):
        queries, keys = self.pairs(*batch.views, batch.permutation)
        temperatures = self.temperature, self.teacher_temperature
        return relational_loss(queries, keys, self.queue.rows, self.queue.empty, *temperatures)
