"""E-SSL (Dangovski et al. 2022, arXiv:2111.00899), of SimCLR: two views of an image find each other in the batch, whatever was done to
them; of a third, small view the same encoder must say by which multiple of 90 degrees it was turned.

Differs from the paper:
- Batches of 256 instead of 512, its learning rate for each 256 images; 10 epochs of warm-up, of 100 and not of 800.
- Heads 512 wide instead of 2048, and an embedding of 128 dimensions, as SimCLR's, instead of 2048, which would outweigh a small encoder.
- Crops as methods/simclr.py says. What repels a view is the other view of each other image, as in the authors' code; SimCLR's eq. 1 has
  views of its own kind as well.
The paper's E-SimSiam is left out. Rotation tells nothing of what looks alike upside down (methods/rotation.py).
B images in the global batch, D features, P projection.
"""

import math

import torch
from torch import nn

from bench.domains import Count, Fraction, NonNegative, Positive, Probability
from bench.method import Method
from bench.parts import classify, find_own, gather, mean_of_batch, mlp, whole_patches
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View

QUARTERS = 0, 1, 2, 3
"""Of a full turn, counter-clockwise, one class each."""


def layer_norm_mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Three linear layers with LayerNorm and ReLU between them: predictor2 in cifar10/main.py."""
    first, second = ((nn.Linear(size, hidden), nn.LayerNorm(hidden), nn.ReLU()) for size in (inputs, hidden))
    return nn.Sequential(*first, *second, nn.Linear(hidden, outputs))


class ESSL(Method):
    paper = "arXiv:2111.00899"
    source = "rdangovs/essl@70b2cd0"
    family = "contrastive"
    smallest_batch = 2
    search = {"temperature": ("log", 0.05, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        rotation: NonNegative = 0.4,
        temperature: Positive = 0.5,
        projection: Count = 128,
        hidden: Count = 512,
        head_layers: Count = 2,
        crop_min: Fraction = 0.2,
        saturation: NonNegative = 0.4,
        rotated_size: Fraction = 0.5,
        rotated_min: Fraction = 0.2,
        rotated_max: Fraction = 1.0,
        blur: bool = False,
        solarize: Probability = 0.0,
    ):
        """rotation: lambda, the weight of predicting it, 0.4. temperature: of the softmax; 0.5 on CIFAR-10, 0.2 on ImageNet. projection:
        P, 2048 (ImageNet: 128). hidden: width of the two heads, 2048. head_layers: of the projector, 2 (3). crop_min: smallest area of a
        view's crop, 0.2 (0.08). saturation: of the colour jitter, 0.4 (0.2). rotated_size: width of the view that is turned over the
        image's, 16 / 32 (96 / 224), rounded to whole patches. rotated_min, rotated_max: area of its crop, 0.2 to 1 (0.05 to 0.14). blur:
        whether the first view is always and the others sometimes blurred, as on ImageNet. solarize: probability in the second view, 0
        (0.2)."""
        super().__init__()
        if rotated_min > rotated_max:
            raise ValueError(f"rotated_min = {rotated_min:g} is more than rotated_max = {rotated_max:g}; expected the smaller area first")
        self.encoder = make_encoder()
        # cifar10/main.py, ContrastiveLearningTransform.
        ops = (Flip(), ColorJitter(0.4, 0.4, saturation, 0.1, p=0.8), Grayscale(0.2))
        first, other = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        crop, turned = ResizedCrop((crop_min, 1.0)), ResizedCrop((rotated_min, rotated_max))
        second = (crop, *ops, *other, *((Solarize(solarize),) if solarize else ()))
        size = whole_patches(self.encoder, data.image_size, rotated_size)
        self.views = (View((crop, *ops, *first)), View(second), View((turned, *ops, *other), size=size))
        self.recipe = Recipe(
            "sgd",  # cifar10/main.py
            lr=0.06,  # for each 256 images: cifar10/README.md, E-SimCLR
            batch_size=256,  # the benchmark's; cifar10/main.py: 512
            momentum=0.9,  # cifar10/main.py
            weight_decay=5e-4,  # cifar10/main.py
            warmup=0.1,  # cifar10/main.py: 10 epochs, here of 100
            exclude=(),  # cifar10/main.py: every parameter decays
        )
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=head_layers, last_norm=True, bias=False)
        self.classifier = layer_norm_mlp(self.encoder.dim, hidden, len(QUARTERS))
        self.temperature, self.rotation = temperature, rotation

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        return math.log(batch_size) + self.rotation * math.log(len(QUARTERS))

    def loss(self, batch, progress):
        # One call for each view, and one for all that is turned, as in cifar10/main.py: BatchNorm sees B or 4 B images.
        first, second = (gather(self.project(images)) for images in batch.views[:2])
        contrast = (find_own(first, second, self.temperature) + find_own(second, first, self.temperature)) / 2
        if not self.rotation:
            return contrast
        turned = torch.cat([torch.rot90(batch.views[2], quarter, (2, 3)) for quarter in QUARTERS])
        target = torch.arange(len(QUARTERS), device=turned.device).repeat_interleave(len(batch.views[2]))
        batch.show("rotated by 0, 90, 180 and 270 degrees", lambda: torch.stack(turned.chunk(len(QUARTERS)), dim=1))
        told = classify(self.classifier(self.encoder(turned)), target)
        return contrast + self.rotation * mean_of_batch(told, len(target))
