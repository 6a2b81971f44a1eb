"""VIbCReg (Lee & Aune 2021, arXiv:2109.00783): VICReg with correlations in the place of covariances, and an embedding that is whitened by
iterative normalisation before its views are compared.

Differs from the paper:
- Images instead of time series, on which the paper and its authors' code train: views, optimizer and decay are solo-learn's for CIFAR-10
  (scripts/pretrain/cifar/vibcreg.yaml), its crops of 20 % and more and no blur among them. 10 epochs of warm-up, as there, but of 100.
- An embedding of 1024 dimensions instead of 4096 (solo-learn: 2048), which would outweigh a small encoder; in 64 groups, as theirs.
- What a whitening layer learns is a scale alone: every term of the loss takes a shift out again. It is applied to the batch that the loss
  compares and keeps no running statistics, so what is evaluated as the projection is the embedding before it.
- ReLU in the projector as in the authors' code; solo-learn has GELU. No bias before the whitening, which takes it out again.
B images in the global batch, D features, P projection, G groups of d = P / G dimensions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Probability
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def whitened(rows: Tensor, groups: int, steps: int) -> Tensor:
    """Iterative normalisation (Huang et al. 2019, arXiv:1904.03441; vibcreg/normalization/iter_norm.py) of [B, P]: in each of G groups of
    columns rows are centred and multiplied by the inverse square root of their covariance [d, d], to which so many of Newton's steps go.
    A direction in which a batch hardly differs is not blown up: a step multiplies it by 1.5 at most. So d may be more than B."""
    centred = (rows - rows.mean(0)).unflatten(1, (groups, -1)).transpose(0, 1)
    same = torch.eye(centred.shape[2], dtype=centred.dtype, device=centred.device)
    covariance = centred.mT @ centred / len(rows) + 1e-5 * same
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    root = same.expand_as(covariance)
    for _ in range(steps):
        root = 1.5 * root - 0.5 * (root @ root @ root) @ (covariance / trace)
    return (centred @ root * trace.rsqrt()).transpose(0, 1).flatten(1)


@full_precision
def three_terms(first: Tensor, second: Tensor, invariance: float, variance: float, decorrelation: float) -> Tensor:
    """VIbCRegLoss of the authors' pypilib/vibcreg/losses.py, for two views [B, P] each, B at least 2: mean squared distance; how far each
    column's standard deviation falls short of 1, mean over columns; squared correlations of different columns, mean over all P x P. The
    last two are sums over the views."""
    loss = invariance * F.mse_loss(first, second)
    for rows in (first, second):
        centred = rows - rows.mean(0)
        short = F.relu(1 - (centred.square().sum(0) / (len(rows) - 1) + 1e-4).sqrt()).mean()
        unit = F.normalize(centred, dim=0)
        correlation = unit.T @ unit
        others = correlation.square().sum() - correlation.diagonal().square().sum()
        loss = loss + variance * short + decorrelation * others / correlation.numel()
    return loss


class VIbCReg(Method):
    paper = "arXiv:2109.00783"
    source = "ML4ITS/vibcreg@273c3a2, vturrisi/solo-learn@9187ea3"
    family = "joint embedding"
    smallest_batch = 2
    search = {"decorrelation": ("log", 20.0, 2000.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        invariance: NonNegative = 25.0,
        variance: NonNegative = 25.0,
        decorrelation: NonNegative = 200.0,
        projection: Count = 1024,
        groups: CountOrZero = 64,
        newton_steps: Count = 5,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.0,
        solarize: Probability = 0.1,
    ):
        """invariance, variance, decorrelation: weights of the three terms, 25, 25 and 200. projection: P, and the width of the projector,
        4096. groups: G, of dimensions that are whitened together, 64; with 0 nothing is whitened. newton_steps: 5.
        crop_min: smallest area of a crop, blur and solarize: probabilities; 0.2, 0 and 0.1 in solo-learn's recipe for CIFAR-10."""
        super().__init__()
        if groups and projection % groups:
            near = max(projection // groups, 1) * groups
            raise ValueError(f"projection = {projection} cannot be split into {groups} groups; expected a multiple, as {near}")
        # scripts/pretrain/cifar/vibcreg.yaml, in the order of solo-learn's pipeline.
        ops = (ResizedCrop((crop_min, 1.0)), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        self.views = (View((*ops, *((Blur(blur),) if blur else ()), Solarize(solarize), Flip()), count=2),)
        self.recipe = Recipe(
            "lars",  # scripts/pretrain/cifar/vibcreg.yaml, as all below
            lr=0.3,  # for each 256 images
            batch_size=256,
            momentum=0.9,  # solo-learn's default
            weight_decay=1e-4,
            warmup=0.1,  # 10 epochs, here of 100
            exclude=("bias", "norm"),
            eta=0.02,
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, projection, projection, layers=3, bias=False)
        self.scale = nn.Parameter(torch.ones(projection)) if groups else None
        self.groups, self.newton_steps = groups, newton_steps
        self.weights_of_terms = invariance, variance, decorrelation

    def project(self, images):
        """[B, 3, H, W] -> [B, P], before it is whitened"""
        return self.projector(self.encoder(images))

    def compared(self, rows):
        """What the loss compares of a global batch's projections [B, P]: the same, whitened and scaled."""
        return rows if self.scale is None else whitened(rows, self.groups, self.newton_steps) * self.scale

    def loss(self, batch, progress):
        # One call for each view, as in the authors' vibcreg/frameworks/vibcreg_.py: BatchNorm and whitening see B images at a time.
        first, second = (self.compared(gather(self.project(images))) for images in batch.views)
        return three_terms(first, second, *self.weights_of_terms)
