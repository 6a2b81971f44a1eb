"""Rotation prediction (Gidaris et al. 2018, arXiv:1803.07728): say by which multiple of 90 degrees an image was turned.

Differs from the paper: the harness's encoder with one linear layer instead of a four-block Network-in-Network, evaluated at its
last layer (the paper's best features come from its second block); a cosine instead of three drops of the learning rate;
256 images a batch instead of 128, the learning rate scaled with them after a short warm-up.
Rotation tells nothing where objects have no upright pose or look alike upside down (digits 0, 1, 8; 6 and 9).
B images in the global batch, D features.
"""

import math

import torch
from torch import Tensor, nn

from bench.domains import CountOrZero
from bench.method import Method
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View


def four_rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """[B, 3, S, S] -> the images turned by 0, 90, 180 and 270 degrees [4B, 3, S, S], and which of the four: int64 [4B].

    Counter-clockwise, as rotate_img in the authors' dataloader.py."""
    turned = torch.cat([torch.rot90(images, quarters, (2, 3)) for quarters in range(4)])
    return turned, torch.arange(4, device=images.device).repeat_interleave(len(images))


class Rotation(Method):
    paper = "arXiv:1803.07728"
    source = "gidariss/FeatureLearningRotNet@edafaba"
    family = "pretext"

    def __init__(self, make_encoder, data, *, padding: CountOrZero = 4):
        """padding: pixels of black border that the crop moves over, 4 on CIFAR-10 (dataloader.py)."""
        super().__init__()
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe(
            "sgd",
            lr=0.1,  # per 128 images, which are 512 rotated ones: config/CIFAR10_RotNet_NIN4blocks.py
            lr_per_batch=128,
            batch_size=256,  # the benchmark's default
            momentum=0.9,  # the same file, as nesterov and weight decay
            nesterov=True,
            weight_decay=5e-4,
            exclude=(),  # their SGD decays every parameter: init_optimizer in algorithms/Algorithm.py
            warmup=0.05,  # not theirs: for the learning rate of 0.2 at this batch size, as Goyal et al. 2017
        )
        self.encoder = make_encoder()
        self.classifier = nn.Linear(self.encoder.dim, 4)

    def chance_loss(self, batch_size):
        return math.log(4)

    def loss(self, batch, progress):
        # All four rotations of an image in one batch and one encoder call: section 3.1 of the paper finds it clearly better.
        images, target = four_rotations(batch.views[0])
        batch.show("rotated by 0, 90, 180 and 270 degrees", lambda: torch.stack(images.chunk(4), dim=1))
        return mean_of_batch(classify(self.classifier(self.encoder(images)), target), len(target))
