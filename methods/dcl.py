"""DCL (Yeh et al. 2021, arXiv:2110.06848): SimCLR, in whose loss an image's other view attracts and is not among what repels.

InfoNCE has the positive pair in its denominator too, where it scales every gradient down, the more the smaller the batch.

Differs from the paper:
- The paper's text was not at hand, and no code by the authors. The loss is that of raminnakhli's code and of lightly's DCLLoss and
  DCLWLoss (eq. 6); the mean over the 2B rows, as lightly's, where raminnakhli's code adds the two views' means.
- Optimizer, head and views are SimCLR's on small images, as methods/simclr.py says: DCL is SimCLR with another loss, in lightly's words
  (dcl.rst of its examples). raminnakhli's SimCLR for CIFAR has Adam, a rate of 1e-3 and a head that is 512 wide and ends without
  BatchNorm (experiment/simclr/main.py and model.py).
- The weight of DCLW has no gradient, as in lightly; in raminnakhli's code it has one.
B images in the global batch, D features, P projection.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Positive, Probability
from bench.method import Method
from bench.parts import full_precision, gather, mlp, scale_norm
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


def pair_weights(similarity: Tensor, sigma: float) -> Tensor:
    """DCLW's weight of each pair, from the cosines of the pairs [B]: the less alike its views, the more it counts, 1 in the mean
    (2 minus a von Mises-Fisher density over its mean); without gradient."""
    return 2 - len(similarity) * (similarity.detach() / sigma).softmax(0)


@full_precision
def decoupled(first: Tensor, second: Tensor, temperature: float, sigma: float | None = None) -> Tensor:
    """Eq. 6 for two views [B, P] each, B at least 2: minus the pair's similarity, and the logarithm of the summed exponentials of those to
    both views of all other images; mean over the 2B rows. sigma: of the pairs' weights, None where each counts alike."""
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    similarity = (first * second).sum(1)
    attracted = -similarity / temperature
    if sigma is not None:
        attracted = attracted * pair_weights(similarity, sigma)
    rows = torch.cat([first, second])
    own = torch.eye(len(first), dtype=torch.bool, device=rows.device).repeat(2, 2)
    repelled = (rows @ rows.T / temperature).masked_fill(own, float("-inf")).logsumexp(1)
    return attracted.mean() + repelled.mean()


class DCL(Method):
    paper = "arXiv:2110.06848"
    source = "raminnakhli/Decoupled-Contrastive-Learning@0b9b76d, lightly-ai/lightly@e8d317f"
    family = "contrastive"
    smallest_batch = 2
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        weighted: bool = False,
        sigma: Positive = 0.5,
        projection: Count = 128,
        color_strength: NonNegative = 0.5,
        crop_min: Fraction = 0.08,
        blur: Probability = 0.0,
    ):
        """temperature: of the similarities, 0.1 on CIFAR-10 (README.md of raminnakhli's code). weighted: whether pairs are weighted, which
        is the paper's DCLW. sigma: of these weights, 0.5 (the same README.md). projection: P, 128.
        color_strength: of the colour distortion, 0.5 on CIFAR-10. crop_min: smallest area of a crop, 0.08. blur: its probability, 0 on
        CIFAR-10."""
        super().__init__()
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), color_distortion(color_strength), Grayscale(0.2))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=2),)
        # SimCLR's on CIFAR-10, as methods/simclr.py says: see the top.
        self.recipe = Recipe(
            "lars",
            lr=1.0,  # for each 256 images
            batch_size=256,  # the largest of the README's table, in which DCL loses nothing down to 32
            momentum=0.9,
            weight_decay=1e-4,
            warmup=0.1,
            exclude=("bias", "norm"),
            eta=0.001,
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, last_norm=True)
        self.projector[-1] = scale_norm(projection)
        self.temperature, self.sigma = temperature, sigma if weighted else None

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        return math.log(2 * batch_size - 2) if batch_size > 1 else None

    def loss(self, batch, progress):
        # One encoder call for both views, as in lightly's resnet50/dcl.py (its CIFAR-10 benchmark has two): BatchNorm sees 2B images.
        first, second = self.project(torch.cat(batch.views)).chunk(2)
        return decoupled(gather(first), gather(second), self.temperature, self.sigma)
