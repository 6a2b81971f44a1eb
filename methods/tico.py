"""TiCo (Zhu et al. 2022, arXiv:2206.10698): a view agrees with what a slowly moving copy of the network makes of the other, and avoids the
directions in which the embeddings of all images, remembered as their moving second moment, are long.

Read in lightly's code, and in sayannag's, which it follows: the authors published none, and no text of the paper was at hand. What is said
of the paper here is what these two say of it.
Differs from the paper: recipe of lightly's benchmark on ImageNet, which has the rates of BYOL's authors for 100 epochs; batches of 256
instead of 4096. No blur, as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9); solarization of the second view stays. Colour jitter and crops
differ from BYOL's, which the paper takes, as methods/byol.py lists.
The first view is the student's and the second the teacher's, as in lightly's benchmark (resnet50/tico.py), in its examples and in
sayannag's code. The teacher moves at the end of a step, theirs at the start of the next: the same targets.
Differs from sayannag's code: the new batch's part of the second moment is a constant, as in lightly's; rho of 8 instead of 20.
B images in the global batch, D features, P projection.
"""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Share
from bench.method import Method
from bench.parts import Needed, StudentAndTeacher, full_precision, gather, mlp, upcast
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def second_moment(rows: Tensor, before: Tensor, forgetting: float) -> Tensor:
    """[P, P]: the moving mean of the outer products of unit rows [B, P]; nothing flows back through it."""
    rows = rows.detach()
    return forgetting * before + (1 - forgetting) * rows.T @ rows / len(rows)


@full_precision
def agreement_and_contrast(rows: Tensor, targets: Tensor, moment: Tensor, contrast: float) -> Tensor:
    """1 - cos of unit rows [B, P] with unit targets [B, P], and `contrast` times z^T C z with the second moment C [P, P]: means."""
    return 1 - (rows * targets).sum(1).mean() + contrast * ((rows @ moment) * rows).sum(1).mean()


class TiCo(StudentAndTeacher, Method):
    paper = "arXiv:2206.10698"
    source = "lightly-ai/lightly@e8d317f, sayannag/TiCo-pytorch@2259b83"
    family = "joint embedding"
    smallest_batch = 2
    added = {"half_life": 0.0}
    search = {"contrast": ("log", 1.0, 64.0)}

    moment: Tensor
    """[P, P], zeros before the first step."""

    def __init__(
        self,
        make_encoder,
        data,
        *,
        contrast: NonNegative = 8.0,
        forgetting: Annotated[float, Interval(ge=0, lt=1)] = 0.9,
        momentum: Share = 0.99,
        hidden: Count = 4096,
        projection: Count = 256,
        crop_min: Fraction = 0.08,
        blur: bool = False,
        half_life: Share = 0.0,
    ):
        """contrast: rho, the weight of the covariance term, 8. forgetting: beta, of the moving second moment, 0.9. momentum: of the teacher
        at the start, 0.99; to 1 along half a cosine. hidden: width of the projector, 4096. projection: P, 256. crop_min: smallest area of a
        crop, 0.08. blur: whether the first view is always and the second sometimes blurred, as on ImageNet.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # lightly/transforms/byol_transform.py
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        first, second = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        self.views = (View((*ops, *first)), View((*ops, *second, Solarize(0.2))))
        self.recipe = Recipe(
            "lars",  # this and all but the batch: lightly's benchmark
            lr=0.2,  # for each 256 images
            batch_size=256,
            momentum=0.9,
            weight_decay=1.5e-6,
            warmup=0.1,  # 10 epochs, here of 100
            exclude=("bias", "norm"),
            eta=0.001,
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection)
        self.build_teacher(momentum, half_life=half_life)
        self.register_buffer("moment", torch.zeros(projection, projection))
        # The second moment of a step on its way from `loss` to `after_step`. Between steps there is none, so it is no state.
        self.new_moment = None
        self.contrast, self.forgetting = contrast, forgetting

    def chance_loss(self, batch_size):
        """One direction for all, once it is all that the second moment holds."""
        return self.contrast or None

    def needed(self, batch_size):
        steps = self.teacher.left(self.forgetting).steps  # as of a teacher with this momentum
        return *super().needed(batch_size), Needed(steps, "the second moment is to less than 5 % the zeros that it began as")

    def loss(self, batch, progress):
        first, second = batch.views
        rows, targets = (F.normalize(upcast(gather(each)), dim=1) for each in (self.project(first), self.teacher(second)))
        self.new_moment = second_moment(rows, self.moment, self.forgetting)
        return agreement_and_contrast(rows, targets, self.new_moment, self.contrast)

    def after_step(self, progress):
        if self.new_moment is not None:
            self.moment.copy_(self.new_moment)
        self.new_moment = None
        super().after_step(progress)
