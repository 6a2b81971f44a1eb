"""MMCR (Yerxa et al. 2023, arXiv:2303.03307): the mean embeddings of images, each over its views, point in as many directions as they can,
which makes the views of an image agree and images differ.

Differs from the paper:
- Numbers of the authors' code for CIFAR-10 (pretrain_cifar_stl.py, mmcr/cifar_stl), but for 4 views of 256 images a step instead of 40 of
  32, 1,024 and not 1,280, so that a short run sees more images. Crops of 8 % and more, and colours, as there.
- Their code for ImageNet has a momentum teacher by default, whose embeddings are in the mean too; here is its form without
  (--objective MMCR).
B images in the global batch, V views, D features, P projection.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Probability, Several
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def manifold_capacity(rows: Tensor, compression: float) -> Tensor:
    """Minus the nuclear norm of the images' mean rows [B, P], and `compression` times that of an image's own rows, mean over images; rows
    [B, V, P], which get unit length. Without views that agree the means are short, and no nuclear norm is more than sqrt(B min(B, P))."""
    rows = F.normalize(rows, dim=-1)
    loss = -torch.linalg.svdvals(rows.mean(1)).sum()
    return loss + compression * torch.linalg.svdvals(rows).sum() / len(rows) if compression else loss


class MMCR(Method):
    paper = "arXiv:2303.03307"
    source = "ThomasYerxa/mmcr@287db45"
    family = "joint embedding"
    smallest_batch = 2
    search = {"crop_min": ("log", 0.03, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        views: Several = 4,
        compression: NonNegative = 0.0,
        projection: Count = 128,
        hidden: Count = 512,
        head_layers: Count = 2,
        crop_min: Fraction = 0.08,
        saturation: NonNegative = 0.4,
        blur: Probability = 0.0,
        solarize: Probability = 0.0,
    ):
        """views: V, of an image, 40 on CIFAR-10 and 8 on ImageNet; of one there is nothing that has to agree. compression: lambda, the
        weight of the views' own nuclear norm, 0. projection: P, 128 (ImageNet: 512). hidden: width of the projector, 512 (8192).
        head_layers: of the projector, 2 (3). crop_min: smallest area of a crop, 0.08. saturation: of the colour jitter, 0.4 (0.2).
        blur, solarize: probabilities, 0 and 0 (of every other view on ImageNet 1 and 0, of the others 0.1 and 0.2)."""
        super().__init__()
        # mmcr/cifar_stl/data.py
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, saturation, 0.1, p=0.8), Grayscale(0.2))
        rare = (*((Blur(blur),) if blur else ()), *((Solarize(solarize),) if solarize else ()))
        self.views = (View((*ops, *rare), count=views),)
        self.recipe = Recipe(
            "adam",  # mmcr/cifar_stl/train.py
            lr=1e-3,  # pretrain_cifar_stl.py
            batch_size=256,  # pretrain_cifar_stl.py: 32, of 40 views
            weight_decay=1e-6,  # mmcr/cifar_stl/train.py
            schedule="constant",  # mmcr/cifar_stl/train.py, without warm-up
            exclude=(),  # mmcr/cifar_stl/train.py decays every parameter
        )
        self.encoder = make_encoder()
        # mmcr/cifar_stl/models.py: no layer has a bias.
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=head_layers, bias=False)
        self.compression = compression

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        """One direction for all: the means have one singular value, sqrt(B), and an image's rows one, sqrt(V)."""
        return self.compression * self.views[0].count ** 0.5 - batch_size**0.5

    def loss(self, batch, progress):
        # One encoder call for all views, as in mmcr/cifar_stl/train.py.
        rows = self.project(torch.cat(batch.views)).unflatten(0, (len(batch.views), -1))
        return manifold_capacity(gather(rows.transpose(0, 1)), self.compression)
