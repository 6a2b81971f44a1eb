"""W-MSE (Ermolov et al. 2021, arXiv:2007.06346): views of an image agree once each batch is whitened, which spreads it out and lets no two
dimensions say the same; nothing repels.

Differs from the paper:
- A cosine instead of two drops of the learning rate, to a fifth each, 50 and 25 epochs before the end; warm-up is a part of the budget,
  theirs 500 steps.
- Two views (W-MSE 2, README.md); `samples=4` is the paper's W-MSE 4. Batches of 256, theirs of 512 for two views.
- Crops come first and are resized linearly, theirs after colours and bicubic (datasets/transforms.py).
- A batch is split into as many parts of `whiten` images as there are in it, as equal as can be; theirs must divide it. Covariances are
  inverted in float64, which costs nothing at this size: in float32 a part of 128 images in 64 dimensions loses digits.
B images in the global batch, D features, P projection, V views.
"""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Probability, Several
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


@full_precision
def whitened(rows: Tensor) -> Tensor:
    """Rows [B, P], more than P, with mean 0 and the identity as their covariance (whitening.py of the authors): the triangular
    factor of the covariance's inverse, by Cholesky. Not a number where they have fewer directions than P, so that a run ends there."""
    centred = rows.double() - rows.double().mean(0)
    # Without a check of its own, which would make the host wait for a GPU.
    factor, failed = torch.linalg.cholesky_ex(centred.T @ centred / (len(rows) - 1))
    factor = torch.where(failed > 0, float("nan"), factor)
    identity = torch.eye(rows.shape[1], dtype=factor.dtype, device=rows.device)
    return (centred @ torch.linalg.solve_triangular(factor, identity, upper=False).T).to(rows.dtype)


@full_precision
def distance(first: Tensor, second: Tensor, normalise: bool) -> Tensor:
    """Mean squared distance of two [B, P]: of rows of unit length, which is 2 - 2 cos, or of the numbers as they are (--no_norm)."""
    return 2 - 2 * F.cosine_similarity(first, second, dim=1).mean() if normalise else F.mse_loss(first, second)


class WMSE(Method):
    paper = "arXiv:2007.06346"
    source = "htdt/self-supervised@d9662c8"
    family = "joint embedding"
    smallest_batch = 128
    search = {"crop_min": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        projection: Count = 64,
        hidden: Count = 1024,
        whiten: Several = 128,
        iterations: Count = 1,
        samples: Several = 2,
        normalise: bool = True,
        crop_min: Fraction = 0.2,
        color_strength: NonNegative = 0.5,
        grey: Probability = 0.1,
        blur: Probability = 0.0,
    ):
        """projection: P, 64 on CIFAR-10. hidden: width of the head, 1024. whiten: images that are whitened together, 128: more than P, and
        twice P in every command of README.md. iterations: how often a batch is split anew, 1 on CIFAR-10. samples: V, 2 or 4.
        normalise: whether whitened rows are compared by their cosine, or by their numbers. crop_min: smallest area of a crop, 0.2.
        color_strength: of the colour distortion, 0.5. grey: probability of a grey image, 0.1. blur: its probability, 0 but on ImageNet,
        0.5."""
        super().__init__()
        if whiten <= projection:
            raise ValueError(
                f"whitening {projection} dimensions takes {projection + 1} images or more, and whiten = {whiten}; "
                f"expected whiten = {2 * projection}, or a projection below {whiten}"
            )
        self.smallest_batch = whiten
        # datasets/transforms.py and cfg.py.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), color_distortion(color_strength), *((Grayscale(grey),) if grey else ()))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=samples),)
        self.recipe = Recipe(
            "adam",  # train.py
            lr=3e-3,  # README.md, CIFAR-10, for every batch size
            lr_per_batch=None,
            batch_size=256,  # README.md for four views; for two 512
            weight_decay=1e-6,  # cfg.py, adam_l2
            warmup=0.005,  # train.py: 500 steps, of 97,000
            exclude=(),  # train.py: every parameter decays
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection)  # model.py, get_head
        self.whiten, self.iterations, self.normalise = whiten, iterations, normalise

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # As their w_mse.py: an encoder call for each view and one of the head for all, so that its BatchNorm sees V B images.
        features = torch.cat([self.encoder(images) for images in batch.views])
        views = [gather(rows) for rows in self.projector(features).chunk(len(batch.views))]
        total = 0.0
        for _ in range(self.iterations):
            # The same parts of every view, each whitened by itself.
            order = batch.permutation(len(views[0]))
            parts = order.tensor_split(max(1, len(order) // self.whiten))
            white = [torch.cat([whitened(rows[part]) for part in parts]) for rows in views]
            total = total + sum(distance(first, second, self.normalise) for first, second in itertools.combinations(white, 2))
        return total / (self.iterations * len(views) * (len(views) - 1) / 2)
