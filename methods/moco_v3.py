"""MoCo v3 (Chen et al. 2021, arXiv:2104.02057): a view's prediction must find its image's other view, as a slowly moving copy of the
network sees it, among those of the batch; no queue.

Differs from the paper:
- Batches of 256 instead of 4096, and of the two recipes that for a ResNet-50 and 100 epochs, LARS; a ViT had AdamW (CONFIG.md).
- A temperature of 0.2, the authors' for a ViT (for a ResNet 1) and solo-learn's for a ResNet-18 on CIFAR-10, whose crops of 8 % and more
  these are too (theirs for a ResNet-50: 20 %). No blur, as there and as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9).
- The heads are those for a ResNet: a projector of two layers, no BatchNorm after the predictor. A ViT had three, and one.
- A ViT learns its positions, and starts, as the harness's encoder does; in vits.py positions are fixed sines.
- The key encoder moves at the end of a step, in moco/builder.py at the start of the next: the same keys, since before the first step both
  encoders are equal.
- Colour jitter and crops differ from BYOL's, which the authors take, as methods/byol.py lists.
B images in the global batch, D features, P projection.
"""

import math

from torch import Tensor

from bench.domains import Count, Fraction, Positive, Share
from bench.method import Method
from bench.parts import StudentAndTeacher, find_own, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


def find_the_key(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Algorithm 1's ctr: each query [B, P] must find its own image's key among all keys [B, P], by the cosine; times twice the
    temperature, so that the gradient's size does not go with it."""
    return 2 * temperature * find_own(queries, keys, temperature)


class MoCoV3(StudentAndTeacher, Method):
    paper = "arXiv:2104.02057"
    source = "facebookresearch/moco-v3@c349e6e, vturrisi/solo-learn@9187ea3"
    family = "contrastive"
    smallest_batch = 2
    added = {"half_life": 0.0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.2,
        momentum: Share = 0.99,
        momentum_end: Share = 1.0,
        hidden: Count = 4096,
        projection: Count = 256,
        head_layers: Count = 2,
        predictor_norm: bool = False,
        frozen_patches: bool = True,
        crop_min: Fraction = 0.08,
        blur: bool = False,
        half_life: Share = 0.0,
    ):
        """temperature: of the softmax; 0.2 for a ViT, 1 for a ResNet. momentum: of the key encoder at the start; 0.99, 0.996 over 1000
        epochs. momentum_end: to which it goes along half a cosine, 1. hidden: width of the two heads, 4096. projection: P, 256.
        head_layers: of the projector; 2 for a ResNet, 3 for a ViT. predictor_norm: BatchNorm after the predictor; not for a ResNet, for a
        ViT. frozen_patches: whether a ViT's linear layer of patches stays as it began (--stop-grad-conv1), without which large batches
        are unstable; of other encoders nothing is frozen. crop_min: smallest area of a crop; 0.08 for a ViT, 0.2 for a ResNet.
        blur: whether the first view is always and the second sometimes blurred, as on ImageNet.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # augmentation1 and augmentation2 in main_moco.py.
        ops = (ResizedCrop((crop_min, 1.0)), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        first, second = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        self.views = (View((*ops, *first, Flip())), View((*ops, *second, Solarize(0.2), Flip())))
        self.recipe = Recipe(
            "lars",  # main_moco.py's default
            lr=0.6,  # for each 256 images: main_moco.py and CONFIG.md, ResNet-50, 100 epochs
            batch_size=256,  # the benchmark's and solo-learn's; main_moco.py: 4096
            momentum=0.9,  # main_moco.py
            weight_decay=1e-6,  # main_moco.py
            warmup=0.1,  # main_moco.py: 10 epochs, here of 100
            exclude=("bias", "norm"),  # moco/optimizer.py: every parameter of one dimension, from decay and from adaptation
            eta=0.001,  # moco/optimizer.py
        )
        self.encoder = make_encoder()
        patches = self.encoder.patch_projection()
        if frozen_patches and patches is not None:
            patches.requires_grad_(False)
        # moco/builder.py, _build_mlp: no layer has a bias, and the last BatchNorm no scale and no shift.
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=head_layers, last_norm=True, bias=False)
        self.predictor = mlp(projection, hidden, projection, last_norm=predictor_norm, bias=False)
        self.build_teacher(momentum, momentum_end, half_life)  # main_moco.py, adjust_moco_momentum
        self.temperature = temperature

    def chance_loss(self, batch_size):
        return 2 * 2 * self.temperature * math.log(batch_size)

    def loss(self, batch, progress):
        # One call for each view, as in moco/builder.py: BatchNorm sees B images at a time.
        first, second = (gather(self.predictor(self.project(images))) for images in batch.views)
        first_keys, second_keys = (gather(self.teacher(images)) for images in batch.views)
        return find_the_key(first, second_keys, self.temperature) + find_the_key(second, first_keys, self.temperature)
