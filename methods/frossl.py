"""FroSSL (Skean et al. 2023, arXiv:2310.02903): views of an image agree, and each view's covariance has a small Frobenius norm, so that no
direction has more of the variance than others; no eigenvalue is computed.

Differs from the paper:
- Views are those of a SimCLR of full strength, without blur, as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9); the authors' file for
  CIFAR-10 blurs half of them, and has random crops turned off, which its files for other data sets have not: here they are on.
- Optimizer and decay are the authors' for CIFAR-10, without clip_lr of their LARS (recipe.clip_trust): there a layer's step is never more
  than the learning rate times its gradient. 10 epochs of warm-up, as there, but of 100.
- The loss is the one that they call for any number of views (multiview_frossl_loss_func in solo/losses/frossl.py); of the first version
  of the paper is another, of two views, whose rows are standardised first, and which the authors' code calls deprecated.
- The trace is not detached: of columns of unit length it is P, whatever they are.
B images in the global batch, V views, D features, P projection.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Probability, Several
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


@full_precision
def frobenius(views: Tensor, invariance: float) -> Tensor:
    """The loss of [V, B, P], whose columns are divided by their length: of each view the logarithm of the squared Frobenius norm of its
    covariance, of trace 1 (eq. 6), and V P times its mean squared distance from the views' mean (eq. 3), summed over views."""
    columns = F.normalize(views, dim=1)
    # Both products have the same eigenvalues but zeros; the smaller one costs less.
    small = columns.mT @ columns if columns.shape[1] > columns.shape[2] else columns @ columns.mT
    squared_norms = small.square().sum((1, 2)) / small.diagonal(dim1=1, dim2=2).sum(1).square()
    apart = (columns - columns.mean(0)).square().mean((1, 2))
    return (squared_norms.log() + invariance * len(views) * views.shape[2] * apart).sum()


class FroSSL(Method):
    paper = "arXiv:2310.02903"
    source = "OFSkean/FroSSL@e841c57"
    family = "joint embedding"
    smallest_batch = 2
    search = {"invariance": ("log", 0.2, 5.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        crops: Several = 2,
        invariance: NonNegative = 1.0,
        hidden: Count = 2048,
        projection: Count = 1024,
        color_strength: NonNegative = 1.0,
        crop_min: Fraction = 0.08,
        blur: Probability = 0.0,
    ):
        """crops: V, views of an image, 2 to 8; of one there is nothing that must agree. invariance: weight of the agreement; 1 on CIFAR-10,
        1.4 on STL-10, 2 on ImageNet. hidden, projection: width of the projector, 2048, and P, 1024. color_strength: of the colour
        distortion, 1. crop_min: smallest area of a crop, 0.08. blur: its probability, 0.5."""
        super().__init__()
        # scripts/pretrain/cifar/augmentations/symmetric.yaml.
        ops = (ResizedCrop((crop_min, 1.0)), color_distortion(color_strength), Grayscale(0.2))
        self.views = (View((*ops, *((Blur(blur),) if blur else ()), Flip()), count=crops),)
        self.recipe = Recipe(
            "lars",  # scripts/pretrain/cifar/frossl.yaml, as all below
            lr=0.3,  # for each 256 images
            batch_size=256,
            momentum=0.9,  # the default of solo-learn, on which the code is built
            weight_decay=1e-4,
            warmup=0.1,  # 10 epochs, here of 100
            exclude=("bias", "norm"),
            eta=0.02,
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=3)
        self.invariance = invariance

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        # All variance is in one direction, so each norm is 1, and the views agree.
        return 0.0

    def loss(self, batch, progress):
        # One call for each view, as in base.py of the methods in solo/: BatchNorm sees B images at a time.
        return frobenius(torch.stack([gather(self.project(images)) for images in batch.views]), self.invariance)
