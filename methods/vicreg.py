"""VICReg (Bardes et al. 2022, arXiv:2105.04906): two views of an image agree, every dimension keeps its variance, no two dimensions covary.

Differs from the paper:
- An embedding of 1024 instead of 8192 dimensions, which would outweigh a small encoder; batches of 256 instead of 2048, and the learning
  rate of its 100 epochs with that batch (section C.4). No blur, as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9).
- The invariance term is a mean over dimensions too, as algorithm 1 and main_vicreg.py have it and eq. 5 has not.
- Colour jitter and crops differ from BYOL's, which the paper takes, as methods/byol.py lists.
Differs from the authors' code, not from the paper:
- The variance term is the sum of both views' (algorithm 1); main_vicreg.py halves it: its 25 is a variance of 12.5 here.
- The last BatchNorm of a residual block starts as the harness's encoder has it, at 1; theirs at 0 (zero_init_residual in main_vicreg.py).
- Both views are drawn alike (section C.1); augmentations.py blurs and solarizes them as BYOL, each in its way.
B images in the global batch, D features, P projection.
"""

from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Probability
from bench.method import Method
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


def too_narrow(centred: Tensor) -> Tensor:
    """v of eq. 1: by how much the standard deviation of a column of [B, P] falls short of 1, mean over columns."""
    deviation = (centred.square().sum(0) / (len(centred) - 1) + 1e-4).sqrt()
    return F.relu(1 - deviation).mean()


def covariance(centred: Tensor) -> Tensor:
    """c of eq. 4: squared covariances of different columns of [B, P], summed, over P."""
    matrix = centred.T @ centred / (len(centred) - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / len(matrix)


@full_precision
def three_terms(first: Tensor, second: Tensor, invariance: float, variance: float, decorrelation: float) -> Tensor:
    """Eq. 6 for two views [B, P] each, B at least 2, with the weights lambda, mu and nu of its terms."""
    loss = invariance * F.mse_loss(first, second)
    for rows in (first, second):
        centred = rows - rows.mean(0)
        loss = loss + variance * too_narrow(centred) + decorrelation * covariance(centred)
    return loss


class VICReg(Method):
    paper = "arXiv:2105.04906"
    source = "facebookresearch/vicreg@4e12602"
    family = "joint embedding"
    smallest_batch = 2
    search = {"decorrelation": ("log", 0.1, 10.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        invariance: NonNegative = 25.0,
        variance: NonNegative = 25.0,
        decorrelation: NonNegative = 1.0,
        projection: Count = 1024,
        crop_min: Fraction = 0.08,
        blur: Probability = 0.0,
        solarize: Probability = 0.1,
    ):
        """invariance, variance, decorrelation: weights of the three terms, 25, 25 and 1 on ImageNet, MNIST and CIFAR-10 (section D.4).
        projection: P, and the width of the projector (the expander), 8192. crop_min: smallest area of a crop, 0.08.
        blur: its probability, 0.5. solarize: its probability, 0.1."""
        super().__init__()
        # Section C.1.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        self.views = (View((*ops, *((Blur(blur),) if blur else ()), Solarize(solarize)), count=2),)
        self.recipe = Recipe(
            "lars",  # section 4.2
            lr=0.5,  # for each 256 images: section C.4, 100 epochs with batches of 256; 0.2 for 1000 epochs with 2048
            batch_size=256,  # table 13: hardly worse than 2048
            momentum=0.9,  # main_vicreg.py
            weight_decay=1e-6,  # section 4.2
            warmup=0.1,  # 10 of 100 epochs, sections 4.2 and C.4
            exclude=("bias", "norm"),  # main_vicreg.py, from decay and from adaptation
            eta=0.001,  # main_vicreg.py
        )
        self.encoder = make_encoder()
        # main_vicreg.py: no bias after the last layer; those before a BatchNorm have no effect.
        self.projector = mlp(self.encoder.dim, projection, projection, layers=3, bias=False)
        self.weights_of_terms = invariance, variance, decorrelation

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One call for each view, as in main_vicreg.py: BatchNorm sees B images at a time.
        first, second = (gather(self.project(images)) for images in batch.views)
        return three_terms(first, second, *self.weights_of_terms)
