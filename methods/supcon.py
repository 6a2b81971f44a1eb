"""SupCon (Khosla et al. 2020, arXiv:2004.11362): two views of an image attract, and so do all images of its class; all others repel.

A ceiling, not a competitor: it is given what the others must do without. Where every image is a class of its own it is SimCLR.
Differs from the paper:
- Batches of 256 (README.md of SupContrast for CIFAR-10: 1024; on ImageNet 6144), the learning rate scaled with them.
- The learning rate ends at 0; theirs at a thousandth. It warms up at every batch size, theirs above 256 (main_supcon.py).
- The encoder's output goes into the head as it is, as in the authors' code for CIFAR; on ImageNet it is normalised first (section 3.1).
B images in the global batch, D features, P projection.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Positive, Probability
from bench.method import Reference
from bench.parts import full_precision, gather, mlp
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


@full_precision
def supervised_contrast(first: Tensor, second: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Eq. 2 for two views [B, P] each with the labels int64 [B]: each of the 2B rows must find every other row of its class among the
    2B - 1 others, by cosine similarity; the mean over these, and over the rows."""
    rows, labels = F.normalize(torch.cat([first, second]), dim=1), labels.repeat(2)
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    logits = (rows @ rows.T / temperature).masked_fill(itself, float("-inf"))
    same = (labels[:, None] == labels) & ~itself
    # The other view is always of the same class, so no row is without.
    return -(logits.log_softmax(1).masked_fill(~same, 0).sum(1) / same.sum(1)).mean()


class SupCon(Reference):
    paper = "arXiv:2004.11362"
    source = "HobbitLong/SupContrast@66a8fe5, google-research/google-research@0c1bbe5"
    smallest_batch = 2
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        num_classes,
        *,
        temperature: Positive = 0.1,
        base_temperature: Positive = 0.07,
        projection: Count = 128,
        color_strength: NonNegative = 0.5,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.0,
    ):
        """temperature: of the softmax, 0.1 (section 4.5). base_temperature: the loss is multiplied by temperature / base_temperature, which
        takes the temperature's part out of the gradient's size: 0.07 in SupContrast's losses.py, 1 on ImageNet (section 4.5, and
        scale_by_temperature in supcon/losses.py). projection: P, 128. color_strength: of the colour distortion, 0.5 on CIFAR-10.
        crop_min: smallest area of a crop, 0.2 on CIFAR-10. blur: its probability, 0 on CIFAR-10."""
        super().__init__()
        # main_supcon.py, train_transform.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), color_distortion(color_strength), Grayscale(0.2))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=2),)
        self.recipe = Recipe(
            "sgd",  # section 4.5: best on CIFAR-10
            lr=0.5,  # for each 1024 images: README.md, its command for CIFAR-10
            lr_per_batch=1024,
            batch_size=256,  # the default of main_supcon.py; README.md: 1024
            momentum=0.9,  # main_supcon.py
            weight_decay=1e-4,  # main_supcon.py
            warmup=0.01,  # main_supcon.py: 10 of 1000 epochs
            exclude=(),  # util.py, set_optimizer: every parameter decays
        )
        self.encoder = make_encoder()
        # networks/resnet_big.py, SupConResNet: no BatchNorm.
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, norm=False)
        self.temperature, self.scale = temperature, temperature / base_temperature

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        return self.scale * math.log(2 * batch_size - 1) if batch_size > 1 else None

    def loss(self, batch, progress):
        # One encoder call for both views, so BatchNorm sees 2B images: main_supcon.py, train.
        first, second = (gather(rows) for rows in self.project(torch.cat(batch.views)).chunk(2))
        return self.scale * supervised_contrast(first, second, gather(batch.labels), self.temperature)
