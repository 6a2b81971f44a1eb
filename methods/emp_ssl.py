"""EMP-SSL (Tong et al. 2023, arXiv:2304.03977): many patches of one size of an image agree with their mean, and the patches of a batch take
up as many directions as they can (total coding rate); no teacher, no predictor, no stopped gradient. One epoch is to be enough.

Differs from the paper:
- Heads are 512 wide and end in 256 dimensions instead of 4096 and 1024, which would outweigh a small encoder.
- What is evaluated is the mean over a grid of patches that are not changed, 16 by default; in evaluate.py over 128 random ones, drawn and
  changed as in training. It is the output of the head's first layer, as there; `representation="encoder"` is what stands before it. An
  image's features cost as many passes of the encoder as it has patches, which no budget pays.
- The loss is multiplied by 0.005, one over lambda, and decay with it, as in methods/barlow_twins.py. Under LARS that changes no weight's
  step, but those of biases and BatchNorm, which are not adapted. At 1 these alone make a short training a matter of rounding: in float64
  the last bit of the first weights is 1e-6 of the loss after 20 steps of a narrow network, and stays a last bit with 0.005, or where
  their gradients alone are multiplied by it.
- LARS multiplies its trust ratio with the learning rate. Theirs has clip=True (recipe.clip_trust): a layer's step is its gradient
  times the smaller of the two.
- Of 2 epochs of a cosine they evaluate the first as well; here the learning rate goes to 0 over the budget.
- epsilon is what the code names so; the paper's is its square root.
B images in the global batch, V patches of an image, D features, H width of the head, P projection.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Positive, Probability, Several
from bench.method import Method
from bench.parts import full_precision, gather, mlp, upcast
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def coding_rate(rows: Tensor, epsilon: float) -> Tensor:
    """Total coding rate of each patch's rows [V, B, P], mean over patches: half of log det(I + P / (B epsilon) Z^T Z) (loss.py). Z Z^T has
    the same determinant, and the smaller of the two is taken."""
    _, count, dims = rows.shape
    products = rows @ rows.mT if count < dims else rows.mT @ rows
    identity = torch.eye(products.shape[-1], device=rows.device, dtype=rows.dtype)
    # Never singular. Without a check of its own, which would make the host wait for a GPU.
    factor, _ = torch.linalg.cholesky_ex(identity + dims / (count * epsilon) * products)
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1).mean()


@full_precision
def agreement(rows: Tensor) -> Tensor:
    """Cosine of each patch's row with the mean row of its image, mean over all; rows [V, B, P]. Nothing is taken as a constant."""
    return F.cosine_similarity(rows, rows.mean(0, keepdim=True), dim=-1).mean()


class EMPSSL(Method):
    paper = "arXiv:2304.03977"
    source = "tsb0601/EMP-SSL@8fc3758"
    family = "joint embedding"
    encodes_whole_images = False
    smallest_batch = 2
    search = {"invariance": ("log", 20.0, 2000.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        patches: Several = 20,
        area: Fraction = 0.25,
        invariance: NonNegative = 200.0,
        coding: NonNegative = 1.0,
        epsilon: Positive = 0.2,
        scale: Positive = 0.005,
        hidden: Count = 512,
        projection: Count = 256,
        grid: Several = 4,
        representation: Literal["head", "encoder"] = "head",
        blur: Probability = 0.1,
        blur_max: Positive = 14.0,
    ):
        """patches: V, in training, 20 to 200. area: of a patch, over the image's, 0.25. invariance: lambda, the weight of agreement, 200.
        coding: the weight of the coding rate, 1. epsilon: distortion of the coding rate, 0.2. scale: of the loss, 1. hidden: H, 4096.
        projection: P, 1024. grid: patches that an image is evaluated by, in rows of so many. representation: what is evaluated of them, the
        output of the head's first layer or that of the encoder. blur: its probability, 0.1. blur_max: its largest sigma, in pixels of a
        view of 224: 14 is 2 pixels of CIFAR-10's 32; 2 on ImageNet."""
        super().__init__()
        side = round(math.sqrt(area) * data.image_size)
        places = data.image_size - side + 1
        if not side:
            raise ValueError(
                f"area = {area:g} of an image {data.image_size} pixels wide is no pixel; expected {data.image_size**-2:.2g} or more"
            )
        if grid > places:
            raise ValueError(
                f"patches {side} pixels wide have {places} places in a row of {data.image_size}, and grid = {grid}; "
                f"expected a grid of {places} or fewer, or a smaller area than {area:g}"
            )
        # dataset/aug.py: patches are square, and as large as an image once they are cut out.
        colours = ColorJitter(0.4, 0.4, 0.4, 0.2, p=0.8), Grayscale(0.2)
        blurred = (Blur(blur, (blur_max / 20, blur_max)),) if blur else ()
        self.views = (View((ResizedCrop((area, area), (1.0, 1.0)), Flip(), *colours, *blurred, Solarize(0.1)), count=patches),)
        self.recipe = Recipe(
            "lars",  # main.py
            lr=0.3,  # README.md, for every data set
            lr_per_batch=None,
            batch_size=100,  # main.py
            momentum=0.9,  # main.py
            nesterov=True,  # main.py
            weight_decay=1e-4 * scale,  # main.py, see the top
            warmup=0.0,  # main.py
            exclude=("bias", "norm"),  # main.py and lars.py: exclude_bias_n_norm, from decay and from adaptation
            eta=0.005,  # main.py
        )
        self.encoder = make_encoder()
        self.head = mlp(self.encoder.dim, hidden, projection, layers=3)  # model/model.py
        self.area, self.grid, self.representation = area, grid, representation
        self.invariance, self.coding, self.epsilon, self.scale, self.dims = invariance, coding, epsilon, scale, projection

    def rows(self, patches: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, P] of unit length"""
        return F.normalize(self.head(self.encoder(patches)), dim=1)

    def mean_of_patches(self, function, images: Tensor) -> Tensor:
        """The mean of function(patches) over a grid of patches of images, both [B, 3, H, W], that reaches the borders."""
        size = images.shape[-1]
        side = max(1, round(math.sqrt(self.area) * size))
        places = [round(place * (size - side) / (self.grid - 1)) for place in range(self.grid)]
        cut = [images[..., top : top + side, left : left + side] for top in places for left in places]
        # One at a time, so that memory does not go with their number.
        return torch.stack([upcast(function(F.interpolate(patch, size=size, mode="bilinear"))) for patch in cut]).mean(0)

    def project(self, images):
        """[B, 3, H, W] -> [B, P]: the mean row of an image's patches, which each of them has to agree with."""
        return self.mean_of_patches(self.rows, images)

    def encode(self, images):
        """[B, 3, H, W] -> [B, H], or [B, D] of the encoder"""
        # evaluate.py and model/model.py: linear layer, BatchNorm and ReLU.
        first = self.head[:3] if self.representation == "head" else torch.nn.Identity()
        return self.mean_of_patches(lambda patches: first(self.encoder(patches)), images)

    def chance_loss(self, batch_size):
        """All rows one vector: they agree, and take up one direction."""
        return -self.scale * (self.invariance + self.coding * math.log1p(self.dims / self.epsilon) / 2)

    def loss(self, batch, progress):
        # One call for all patches, as in main.py: BatchNorm sees V B of them.
        rows = self.rows(torch.cat(batch.views)).unflatten(0, (len(batch.views), -1))
        rows = gather(rows.transpose(0, 1)).transpose(0, 1)
        return -self.scale * (self.invariance * agreement(rows) + self.coding * coding_rate(rows, self.epsilon))
