"""LeJEPA (Balestriero and LeCun 2025, arXiv:2511.08544): crops of an image agree, and on random directions the embeddings of a batch must
look Gaussian; no teacher, no predictor, no stopped gradient.

Differs from the paper:
- Numbers of the authors' recipe for small images (MINIMAL.md: 128 pixels, a ViT-S/8) where it has them: four large crops and no small
  ones, which section 5.1 has for networks that are no ViT, lambda of 0.02, 256 directions, 16 dimensions; 2 and 8 crops, 0.05 and 1024 on
  ImageNet. A projector 512 wide instead of 2048, which would outweigh a small encoder.
- Colours, grey and solarization as README.md's recipe; MINIMAL.md has 0.8, 0.8, 0.8 and 0.2 in the place of 0.4, 0.4, 0.2 and 0.1, and
  solarizes every tenth crop, since it tosses twice. No blur up to 64 pixels, where its sigma is below 0.6 pixel.
- Weight decay of 0.05 for a ViT and 5e-4 for other encoders, as README.md. The learning rate goes to 0; in README.md to a thousandth, in
  MINIMAL.md, whose 2e-3 this is, to 1e-3 (eta_min), the half. No stochastic depth.
- The integral is taken to 3, as the authors' code does; section 6.1 advises 5 and says that it makes no difference.
- Directions are one draw for all crops of a step, as in the authors' code.
The paper's linear probe joins the last two layers; here it is the last. Weight averaging, an option of the paper, is left out.
B images in the global batch, V crops, D features, P projection, M directions, T knots of the integral.
"""

import math

import torch
from torch import Tensor

from bench.domains import Count, CountOrZero, Fraction, Positive, Several, Share
from bench.method import Method
from bench.parts import SketchedCrops, distance_to_centre, full_precision
from bench.spec import Recipe


@full_precision
def sigreg(rows: Tensor, directions: Tensor, knots: int, reach: float) -> Tensor:
    """Epps and Pulley's statistic of each crop's rows [V, B, P] on each direction [P, M], mean over both: B times the integral of
    |characteristic function of the batch - that of N(0, 1)|^2 exp(-t^2 / 2) over -reach to reach (section 4.2.3, algorithm 1). The
    integrand is even: the trapezoidal rule with T knots from 0 on, twice."""
    t = torch.linspace(0, reach, knots, device=rows.device, dtype=rows.dtype)
    gaussian = (-t.square() / 2).exp()
    angles = (rows @ directions)[..., None] * t
    off = (angles.cos().mean(1) - gaussian).square() + angles.sin().mean(1).square()
    return 2 * len(rows[0]) * torch.trapezoid(off * gaussian, dx=reach / (knots - 1)).mean()


class LeJEPA(SketchedCrops, Method):
    paper = "arXiv:2511.08544"
    source = "rbalestr-lab/lejepa@eddffdd"
    family = "joint embedding"
    smallest_batch = 2
    search = {"regularization": ("log", 0.005, 0.2)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        regularization: Share = 0.02,
        slices: Count = 256,
        knots: Several = 17,
        reach: Positive = 3.0,
        projection: Count = 16,
        hidden: Count = 512,
        global_crops: Several = 4,
        local_crops: CountOrZero = 0,
        local_size: Fraction = 0.44,
        crop_min: Fraction = 0.08,
        local_max: Fraction = 0.3,
        local_min: Fraction = 0.05,
    ):
        """regularization: lambda, the weight of SIGReg, and what agreement lacks of 1; 0.05 (MINIMAL.md: 0.02). slices: M, 1024 (256).
        knots, reach: T and the end of the integral, 17 and 5 (the code: 3). projection: P, 16 in MINIMAL.md. hidden: of the projector,
        2048. global_crops, local_crops: large and small crops of an image, 2 and 8 (4 and 0). local_size: width of a small crop over the
        image's, 98 / 224, rounded to whole patches. crop_min: smallest area of a large crop, 0.3 (0.08). local_max, local_min: area of a
        small crop, 0.05 to 0.3."""
        super().__init__()
        crops = {"global_crops": global_crops, "local_crops": local_crops, "local_size": local_size, "crop_min": crop_min}
        widths = {"local_max": local_max, "local_min": local_min, "hidden": hidden, "projection": projection, "slices": slices}
        self.build_crops(make_encoder, data, **crops, **widths)
        self.recipe = Recipe(
            "adamw",  # README.md, for all models and data sets
            lr=2e-3,  # MINIMAL.md, at 256 images; README.md: 5e-4
            batch_size=256,  # MINIMAL.md
            weight_decay=0.05 if self.encoder.patch_size > 1 else 5e-4,  # README.md: ViT, ResNet
            warmup=0.01,  # MINIMAL.md: 1 epoch, here of 100
            exclude=(),  # MINIMAL.md decays every parameter
        )
        self.regularization, self.knots, self.reach = regularization, knots, reach

    def chance_loss(self, batch_size):
        """All embeddings in 0, which of all single points is the nearest to a Gaussian."""
        step = self.reach / (self.knots - 1)
        gaussian = [math.exp(-((step * knot) ** 2) / 2) for knot in range(self.knots)]
        error = [value * (1 - value) ** 2 for value in gaussian]
        return self.regularization * batch_size * 2 * step * (sum(error) - error[-1] / 2) if self.regularization else None

    def loss(self, batch, progress):
        rows, directions = self.sketch(batch)
        gaussian = sigreg(rows, directions, self.knots, self.reach)
        return self.regularization * gaussian + (1 - self.regularization) * distance_to_centre(rows, self.global_crops)
