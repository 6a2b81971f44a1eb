"""Learning to count (Noroozi et al. 2017, arXiv:1708.06734): what is counted in the four quarters of an image sums up to what is counted
in the whole, and not to what is counted in another image.

Differs from the paper:
- The harness's encoder, with BatchNorm, and a head of one hidden layer of 512 instead of an AlexNet with two of 4096.
- Pixels are normalised over the data set, as everywhere here; the paper takes their mean and standard deviation for it too.
- At 32 pixels the encoder sees images of 16, the size of the whole reduced by 2 and of a quarter of it; the paper's is 114. What is
  evaluated are whole images of 32. Crops are of varying size and resized; the paper cuts 224 of 256 pixels.
- Three ways to reduce by 2 (area, bicubic, Lanczos), drawn for each image; the paper has OpenCV's bilinear too, which by 2 is the area's.
- A cosine instead of a tenth off every 10,000 steps. Which optimizer the paper used was not found; Adam is that of a later
  reimplementation (ahmdtaha/tf_learning_to_count).
BatchNorm's statistics stay those of half the size: taken anew on whole images they are no better (37.2, 33.9 and 35.8 on val of CIFAR-10 by
a linear probe instead of 38.2, 33.9 and 36.4; resnet8, 3 TFLOP, three seeds).
The other image is the next one of the global batch, which is in random order.
B images in the global batch, D features, K counts, s pixels a side of a quarter.
"""

import math

import torch
from torch import Tensor, nn

from bench.domains import Count, Fraction, Positive, Probability
from bench.method import Method
from bench.parts import full_precision, gather, mlp, upcast
from bench.patches import cut, grid, patch_side
from bench.spec import Recipe
from bench.views import Grayscale, ResizedCrop, View, separable


def lanczos(x: float) -> float:
    """The windowed sine of OpenCV's INTER_LANCZOS4, over eight pixels."""
    return 4 * math.sin(math.pi * x) * math.sin(math.pi * x / 4) / (math.pi * x) ** 2


def bicubic(x: float) -> float:
    """The cubic of OpenCV's INTER_CUBIC, with a = -0.75, over four pixels."""
    x = abs(x)
    return 1.25 * x**3 - 2.25 * x**2 + 1 if x < 1 else -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)


def halvings(side: int) -> Tensor:
    """Three ways to make s pixels of 2 s: [3, s, 2 s]. A pixel of the half lies between two of the whole: area, the mean of these;
    bicubic and Lanczos, weights of the four and eight around it. Beyond the border is the border's pixel."""
    matrices = torch.zeros(3, side, 2 * side)
    weights = ((0.5, 0.5), [bicubic(at + 0.5) for at in range(-2, 2)], [lanczos(at + 0.5) for at in range(-4, 4)])
    for matrix, row in zip(matrices, weights, strict=True):
        for half in range(side):
            for number, weight in enumerate(row):
                pixel = min(max(2 * half + 1 - len(row) // 2 + number, 0), 2 * side - 1)
                matrix[half, pixel] += weight / sum(row)
    return matrices


@full_precision
def count_loss(whole: Tensor, parts: Tensor, margin: float) -> Tensor:
    """Eq. 4. whole: the counts of each image [B, K]; parts: of its quarters, summed [B, K]."""
    same = (whole - parts).square().sum(1)
    other = (whole.roll(-1, 0) - parts).square().sum(1)
    return (same + (margin - other).relu()).mean()


class Counting(Method):
    paper = "arXiv:1708.06734"
    source = "ahmdtaha/tf_learning_to_count@916ed75"
    family = "pretext"
    smallest_batch = 2
    search = {"margin": ("log", 1.0, 100.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        counts: Count = 1000,
        margin: Positive = 10.0,
        hidden: Count = 512,
        grey: Probability = 0.67,
        crop_min: Fraction = 0.77,
    ):
        """counts: K, 1000; the paper finds little difference to 20. margin: M, 10. hidden: width of the head, 4096. grey: probability
        of a grey image, 0.67. crop_min: smallest area of a crop; the paper cuts 224 of 256 pixels, which is 0.77."""
        super().__init__()
        self.encoder = make_encoder()
        self.side = patch_side(self.encoder, data.image_size, 0.5, data.image_size)
        # Twice the side of a quarter: the image's own, or the next that a ViT can halve.
        crop = ResizedCrop((crop_min, 1.0), ratio=(1.0, 1.0))
        self.views = (View((crop, Grayscale(grey)), size=2 * self.side / data.image_size),)
        self.recipe = Recipe(
            "adam",  # the reimplementation's README, as the learning rate, which is also the paper's
            lr=1e-4,
            lr_per_batch=None,
            batch_size=256,  # the same README
            weight_decay=0.0,  # not said
        )
        # Counts are not negative.
        self.head = nn.Sequential(mlp(self.encoder.dim, hidden, counts, norm=False), nn.ReLU())
        self.register_buffer("halvings", halvings(self.side))
        self.margin = margin

    def project(self, images):
        """[B, 3, H, W] -> counts [B, K]"""
        return self.head(self.encoder(images))

    def chance_loss(self, batch_size):
        return self.margin  # of counts that are all 0

    def loss(self, batch, progress):
        (images,) = batch.views
        matrix = self.halvings[batch.randint(len(self.halvings))]
        corners = grid(2, self.side, images.device).expand(len(images), -1, -1)
        seen = torch.cat([separable(images, matrix, matrix)[:, None], cut(images, corners, self.side)], dim=1)
        batch.show("the whole at half its size", lambda: seen[:, 0])
        batch.show("its four quarters", lambda: seen[:, 1:])
        # All five in one encoder call: they must be counted by the same function, BatchNorm's statistics included.
        counts = upcast(self.project(seen.flatten(0, 1))).unflatten(0, (-1, 5))
        whole, parts = gather(counts[:, 0]), gather(counts[:, 1:].sum(1))
        return count_loss(whole, parts, self.margin)
