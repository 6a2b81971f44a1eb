"""FastSiam (Pototzky et al. 2022, doi:10.1007/978-3-031-16788-1_4): SimSiam whose target is the mean of several views' projections, which
is steadier than one.

Differs from the paper:
- The paper's text was not at hand beyond its abstract, and there is no code by the authors: the loss, and three target views, are lightly's
  (FastSiamModel in cifar10_benchmark.py, lightly/transforms/fast_siam_transform.py). The mean is of projections as the projector's last
  BatchNorm gives them, before they are normalised.
- Everything else is SimSiam's on CIFAR-10 (arXiv:2011.10566, appendix D), as in that benchmark, with what methods/simsiam.py lists. The
  predictor's learning rate does not decay, as SimSiam's authors command and lightly's benchmark does not.
- Batches of 256; the abstract's claim is of batches of 32.
B images in the global batch, V views, D features, P projection.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, Probability, Several
from bench.method import Method
from bench.parts import full_precision, mean_of_batch, mlp
from bench.spec import Group, Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def distance_to_the_others(predictions: Tensor, projections: Tensor) -> Tensor:
    """-cosine of each view's prediction, of [V, B, P], with the mean projection of all other views, a constant; mean over views and
    images. With two views it is SimSiam's loss."""
    targets = projections.detach()
    others = (targets.sum(0) - targets) / (len(targets) - 1)
    return -F.cosine_similarity(predictions, others, dim=2).mean()


class FastSiam(Method):
    paper = "doi:10.1007/978-3-031-16788-1_4"
    source = "lightly-ai/lightly@e8d317f, facebookresearch/simsiam@a7bc177"
    family = "joint embedding"
    smallest_batch = 2
    search = {"crop_min": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        crops: Several = 4,
        projection: Count = 2048,
        hidden: Count = 512,
        head_layers: Count = 2,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.0,
    ):
        """crops: V, views of an image: one and its 3 targets, each in turn. projection: P, 2048. hidden: of the predictor, a quarter of P.
        head_layers: of the projector; SimSiam's, 2 on CIFAR-10 and 3 on ImageNet. crop_min: smallest area of a crop, 0.2. blur: its
        probability; 0 on CIFAR-10, 0.5 on ImageNet."""
        super().__init__()
        # SimSiam's, main_simsiam.py; lightly's has the same.
        ops = (ResizedCrop((crop_min, 1.0)), ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2))
        self.views = (View((*ops, *((Blur(blur),) if blur else ()), Flip()), count=crops),)
        self.recipe = Recipe(
            "sgd",  # SimSiam's, as all below: appendix D of arXiv:2011.10566, and lightly's benchmark
            lr=0.03,  # for each 256 images; lightly: 0.06 at a batch of 512, and of 128
            batch_size=256,  # the benchmark's default
            momentum=0.9,
            weight_decay=5e-4,
            warmup=0.0,
            schedule="cosine",
            exclude=(),
            groups=(Group("predictor.", schedule="constant"),),  # --fix-pred-lr of SimSiam's README
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, layers=head_layers, last_norm=True)
        self.predictor = mlp(projection, hidden, projection)

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One call for each view, as SimSiam's simsiam/builder.py and lightly's: BatchNorm sees B images at a time.
        projections = [self.project(images) for images in batch.views]
        predictions = [self.predictor(rows) for rows in projections]
        return mean_of_batch(distance_to_the_others(torch.stack(predictions), torch.stack(projections)), len(batch.index))
