"""Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230): each dimension agrees between two views, and no two dimensions correlate.

Differs from the paper:
- An embedding of 1024 instead of 8192 dimensions, which would outweigh a small encoder; batches of 256 instead of 2048, within the
  paper's range (section 2.2). No blur, as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9); solarization of the second view stays.
- The loss is multiplied by 0.024 instead of giving biases and BatchNorm a learning rate of their own, 0.0048 instead of 0.2. Under LARS
  the two are the same: weights are adapted, which takes any factor of gradient and decay out again, and biases are not. So decay is
  0.024 of the paper's too. VISSL does it in this way (scale_loss of its barlow_twins_loss).
- Columns are standardised with the epsilon of BatchNorm, as in main.py.
- Colour jitter and crops differ from BYOL's, which the paper takes, as methods/byol.py lists.
- The last BatchNorm of a residual block starts as the harness's encoder has it, at 1; theirs at 0 (zero_init_residual in main.py).
B images in the global batch, D features, P projection.
"""

import torch
from torch import Tensor

from bench.domains import Count, Fraction, NonNegative, Positive
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


def standardised(rows: Tensor) -> Tensor:
    """[B, P] -> each column with mean 0 and variance 1 over the batch, as BatchNorm's."""
    centred = rows - rows.mean(0)
    return centred * (centred.square().mean(0) + 1e-5).rsqrt()


@full_precision
def redundancy(first: Tensor, second: Tensor, off_diagonal: float) -> Tensor:
    """Eq. 1 for two views [B, P] each: squared distance of their cross-correlation matrix (eq. 2) from the identity, where what is
    off the diagonal counts `off_diagonal` (lambda)."""
    correlation = standardised(first).T @ standardised(second) / len(first)
    same = torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
    return (correlation.diagonal() - 1).square().sum() + off_diagonal * correlation.masked_fill(same, 0).square().sum()


class BarlowTwins(Method):
    paper = "arXiv:2103.03230"
    source = "facebookresearch/barlowtwins@8e8d284"
    family = "joint embedding"
    smallest_batch = 2
    search = {"off_diagonal": ("log", 0.0005, 0.05)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        off_diagonal: NonNegative = 0.005,
        scale: Positive = 0.024,
        projection: Count = 1024,
        crop_min: Fraction = 0.08,
        blur: bool = False,
    ):
        """off_diagonal: lambda, 0.005. scale: of the loss, the learning rate of biases over that of weights, 0.0048 / 0.2.
        projection: P, and the width of the projector, 8192. crop_min: smallest area of a crop, 0.08.
        blur: whether the first view is always and the second sometimes blurred, as on ImageNet."""
        super().__init__()
        # Transform in main.py.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        first, second = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        self.views = (View((*ops, *first)), View((*ops, *second, Solarize(0.2))))
        self.recipe = Recipe(
            "lars",  # section 2.2
            lr=0.2,  # for each 256 images: section 2.2
            batch_size=256,  # section 2.2: "works well with batches as small as 256"; 2048
            momentum=0.9,  # main.py
            weight_decay=1.5e-6 * scale,  # section 2.2 (main.py: 1e-6), see the top
            warmup=0.1,  # section 2.2: 10 epochs, here of 100
            exclude=("bias", "norm"),  # section 2.2, from decay and from adaptation
            eta=0.001,  # main.py
        )
        self.encoder = make_encoder()
        # main.py: no layer has a bias.
        self.projector = mlp(self.encoder.dim, projection, projection, layers=3, bias=False)
        self.off_diagonal, self.scale = off_diagonal, scale

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One call for each view, as in main.py: BatchNorm sees B images at a time.
        first, second = (gather(self.project(images)) for images in batch.views)
        return self.scale * redundancy(first, second, self.off_diagonal)
