"""VISReg (Wu et al. 2026, arXiv:2606.02572): crops of an image agree, every dimension has mean 0 and deviation 1, and what shape is left
must look Gaussian on random directions, by the sliced Wasserstein distance.

Differs from the paper:
- Numbers of the authors' configuration for small images (configs/imagenette.yaml: 128 pixels, a ViT-S/8), but for 256 directions instead of
  4096, whose sorting would outweigh a small encoder, and batches of 256 instead of 64. A projector 512 wide instead of 2048, likewise.
- Colours of their configuration for ImageNet, but for a hue of 0.1 instead of 0.05; for small images they have 0.8 for brightness, contrast
  and saturation, here 0.4, 0.4 and 0.2. No blur up to 64 pixels, where its sigma is below 0.6 pixel.
- Crops are solarized with probability 0.2, as LeJEPA's; their code tosses twice, which makes 0.1.
- Learning rate to 0, not a thousandth; no stochastic depth. Their probe of a ViT joins the last two layers; here it is the last.
- All devices have the same directions, and the statistics are those of the global batch; theirs have each its own directions.
B images in the global batch, V crops, D features, P projection, M directions.
"""

import math
from statistics import NormalDist

import torch
from torch import Tensor

from bench.domains import Count, CountOrZero, Fraction, Several, Share
from bench.method import Method
from bench.parts import SketchedCrops, distance_to_centre, full_precision
from bench.spec import Recipe

NORMAL = NormalDist()


def normal_quantiles(count: int, like: Tensor) -> Tensor:
    """Of N(0, 1) at i / (count + 1), i from 1 to count: [count], of the type and on the device of `like`."""
    places = torch.arange(1, count + 1, device=like.device, dtype=like.dtype) / (count + 1)
    return math.sqrt(2) * torch.erfinv(2 * places - 1)


@full_precision
def centre_scale_shape(rows: Tensor, directions: Tensor) -> Tensor:
    """The sum of three terms, each a mean over crops, of rows [V, B, P] and unit directions [P, M]: the squared mean of a dimension, the
    squared distance of its deviation from 1 (eq. 1), and, of rows brought to mean 0 and deviation 1 by a deviation taken as a constant
    (eq. 2), the squared distance of what is sorted on a direction from the quantiles of N(0, 1) (eq. 5)."""
    mean = rows.mean(1, keepdim=True)
    centred = rows - mean
    # As a length: torch has 0 for its gradient where all rows are one, and no number for that of a root.
    deviation = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / math.sqrt(rows.shape[1]) + 1e-6
    sketched = (centred / deviation.detach() @ directions).sort(dim=1).values
    shape = (sketched - normal_quantiles(rows.shape[1], rows)[:, None]).square().mean()
    return mean.square().mean() + (deviation - 1).square().mean() + shape


class VISReg(SketchedCrops, Method):
    paper = "arXiv:2606.02572"
    source = "HaiyuWu/visreg@074fb51"
    family = "joint embedding"
    smallest_batch = 2
    search = {"regularization": ("linear", 0.2, 0.9)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        regularization: Share = 0.6,
        slices: Count = 256,
        projection: Count = 128,
        hidden: Count = 512,
        global_crops: Several = 4,
        local_crops: CountOrZero = 0,
        local_size: Fraction = 0.43,
        crop_min: Fraction = 0.08,
        local_max: Fraction = 0.3,
        local_min: Fraction = 0.05,
    ):
        """regularization: lambda, the weight of the three terms, and what agreement lacks of 1; 0.9 on ImageNet, 0.6 on small sets.
        slices: M, 4096. projection: P, 256 (small sets: 128). hidden: width of the projector, 2048. global_crops, local_crops: large and
        small crops of an image, 4 and 6 (4 and 0). local_size: width of a small crop over the image's, 96 / 224, rounded to whole patches.
        crop_min: smallest area of a large crop, 0.3 (0.08). local_max, local_min: area of a small crop, 0.05 to 0.3."""
        super().__init__()
        crops = {"global_crops": global_crops, "local_crops": local_crops, "local_size": local_size, "crop_min": crop_min}
        widths = {"local_max": local_max, "local_min": local_min, "hidden": hidden, "projection": projection, "slices": slices}
        self.build_crops(make_encoder, data, **crops, **widths)
        self.recipe = Recipe(
            "adamw",  # train.py
            lr=1e-3,  # configs/imagenette.yaml, at 64 images
            lr_per_batch=None,  # train.py: whatever the batch
            batch_size=256,  # configs/imagenette.yaml: 64; default.yaml: 16 on each GPU
            weight_decay=0.05,  # train.py
            warmup=0.01,  # configs/imagenette.yaml: 1 epoch, here of 100
            clip_grad=1.0,  # configs/imagenette.yaml
            exclude=("bias", "norm"),  # visreg/utils.py, get_parameter_groups
        )
        self.regularization = regularization

    def chance_loss(self, batch_size):
        """All embeddings in 0: no deviation, and every sorted value in the place of its quantile is 0."""
        if not self.regularization:
            return None
        quantiles = [NORMAL.inv_cdf(number / (batch_size + 1)) for number in range(1, batch_size + 1)]
        return self.regularization * (1 + sum(value**2 for value in quantiles) / batch_size)

    def loss(self, batch, progress):
        rows, directions = self.sketch(batch)
        regular = centre_scale_shape(rows, directions)
        return self.regularization * regular + (1 - self.regularization) * distance_to_centre(rows, self.global_crops)
