"""ReSA (Weng et al. 2025, arXiv:2501.18452): an embedding is as like the others of its batch as the encoder's own features are, whose
likeness, shared out evenly (Sinkhorn), is the target. A slowly moving copy of the network makes what is compared with.

Differs from the paper:
- Numbers of the authors' code for CIFAR-10 (winci-ai/resa_cifar). Heads are 512 wide and end in 256 dimensions instead of 2048 and 512,
  which would outweigh a small encoder. 2 epochs of warm-up, as there, but of 100.
- The teacher's momentum starts at 0.99, as BYOL's and MoCo v3's for 100 epochs, instead of 0.996 for 1000: below some hundred steps such
  a teacher would stay near its start.
- The learning rate ends at 0, theirs at a tenth, since they see a slight drop where it becomes very small.
- No layer that a BatchNorm follows has a bias, which it would take out again.
- The teacher moves at the end of a step, in method/resa.py between a step's student and its teacher: the same targets.
- Of two views; small crops are an option of the authors' code.
B images in the global batch, D features, P projection.
"""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, Positive, Probability, Share
from bench.method import Method
from bench.parts import StudentAndTeacher, full_precision, gather, mlp, sinkhorn
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View

SMALLEST_EPSILON = 0.025
"""Cosines span 2, and float32 holds exp(-2 / 0.025)."""


@full_precision
def likeness(rows: Tensor, others: Tensor) -> Tensor:
    """Cosines of all rows [B, P] with all others [B, P]: [B, B]."""
    return F.normalize(rows, dim=1) @ F.normalize(others, dim=1).T


@full_precision
def as_assigned(scores: Tensor, assignment: Tensor) -> Tensor:
    """Cross-entropy of each row's softmax over scores [B, B] with its share of the assignment [B, B], mean over rows (method/base.py)."""
    return -(assignment * scores.log_softmax(1)).sum(1).mean()


class ReSA(StudentAndTeacher, Method):
    paper = "arXiv:2501.18452"
    source = "winci-ai/resa_cifar@bc5d70a, winci-ai/resa@e7869d1"
    family = "clustering"
    weights = "teacher"
    smallest_batch = 2
    added = {"half_life": 0.0}
    search = {"temperature": ("log", 0.1, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.4,
        epsilon: Annotated[float, Ge(SMALLEST_EPSILON)] = 0.05,
        iterations: Count = 3,
        momentum: Share = 0.99,
        momentum_end: Share = 1.0,
        hidden: Count = 512,
        projection: Count = 256,
        predictor: bool = False,
        weak: bool = True,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.0,
        half_life: Share = 0.0,
    ):
        """temperature: of the embeddings' softmax, 0.4. epsilon, iterations: of Sinkhorn, 0.05 and 3. momentum: of the teacher at the
        start, 0.996; to momentum_end, 1, along a cosine. hidden: width of the heads, 2048. projection: P, 512. predictor: whether the
        student has one, as on ImageNet; not on CIFAR-10. weak: whether the first view, whose features are clustered, is a crop and a
        mirror image alone; without, it is drawn as the second. crop_min: smallest area of a crop, 0.2. blur: probability in the second
        view, 0 (ImageNet: 0.5). half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # src/transform.py: weak_transform and VisionTransform.
        crop = ResizedCrop((crop_min, 1.0))
        blurred = (Blur(blur),) if blur else ()
        strong = (crop, ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2), *blurred, Solarize(0.2), Flip())
        self.views = (View((crop, Flip())), View(strong)) if weak else (View(strong, count=2),)
        self.recipe = Recipe(
            "sgd",  # main.py
            lr=0.3,  # for each 256 images: args.py
            batch_size=256,  # args.py
            momentum=0.9,  # main.py
            weight_decay=1e-4,  # args.py
            warmup=0.02,  # args.py: 2 epochs, here of 100
            exclude=(),  # main.py: every parameter decays
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=3, last_norm=True)  # src/model.py
        self.predictor = mlp(projection, hidden, projection) if predictor else torch.nn.Identity()
        self.build_teacher(momentum, momentum_end, half_life)  # main.py: momentum_schedule
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations

    def encode(self, images):
        """[B, 3, H, W] -> [B, D]: by the teacher's encoder, as eval/evaluate.py."""
        encoder, _ = self.teacher.network.children()
        return encoder(images)

    def encode_also(self):
        return {"student": self.encoder}

    def project(self, images):
        """[B, 3, H, W] -> [B, P]: by the teacher."""
        return self.teacher.network(images)

    def chance_loss(self, batch_size):
        return math.log(batch_size)

    def loss(self, batch, progress):
        # One call for each view, as in method/base.py: BatchNorm sees B images at a time.
        features = [self.encoder(images) for images in batch.views]
        first, second = (gather(self.predictor(self.projector(rows))) for rows in features)
        with torch.no_grad():
            encoder, projector = self.teacher.network.children()
            teacher_features = [encoder(images) for images in batch.views]
            first_target, second_target = (gather(projector(rows)) for rows in teacher_features)
            # Of the first view alone, for both directions.
            shared = likeness(gather(features[0]), gather(teacher_features[0]))
            assignment = sinkhorn(shared, self.epsilon, self.iterations)
        scores = likeness(first, second_target), likeness(second, first_target)
        return sum(as_assigned(each / self.temperature, assignment) for each in scores) / 2
