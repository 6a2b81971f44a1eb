"""Rotation prediction (Gidaris et al. 2018, arXiv:1803.07728): say by which multiple of 90 degrees an image was turned.

Differs from the paper: the harness's encoder with one linear layer instead of a four-block Network-in-Network, evaluated at its
last layer (the paper's best features come from its second block); a cosine instead of three drops of the learning rate;
256 images a batch instead of 128, the learning rate scaled with them after a short warm-up.
Rotation tells nothing where objects have no upright pose or look alike upside down (digits 0, 1, 8; 6 and 9).
B images in the global batch, D features.
"""

import math
from typing import Annotated

import torch
from annotated_types import doc
from torch import Tensor, nn

from bench.domains import CountOrZero
from bench.method import Method
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View

Angles = Annotated[str, doc("two or more of 0, 90, 180 and 270, in this order, with commas between them")]
"""Degrees that an image is turned by."""


def rotations(images: Tensor, quarters: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """[B, 3, S, S] -> the images turned by each of R numbers of quarters [R * B, 3, S, S], and by which of them: int64 [R * B].

    Counter-clockwise, as rotate_img in the authors' dataloader.py."""
    turned = torch.cat([torch.rot90(images, quarter, (2, 3)) for quarter in quarters])
    return turned, torch.arange(len(quarters), device=images.device).repeat_interleave(len(images))


def quarters_of(angles: str) -> tuple[int, ...]:
    """'0,90' -> (0, 1). A ValueError where it is not what `Angles` says: a set of angles is written in one way, so that it is one run."""
    known = [str(90 * quarter) for quarter in range(4)]
    given = angles.split(",")
    if len(given) < 2 or given != [angle for angle in known if angle in given]:
        raise ValueError(f"angles={angles!r}: expected two or more of {','.join(known)}, in this order, with commas between them")
    return tuple(known.index(angle) for angle in given)


class Rotation(Method):
    paper = "arXiv:1803.07728"
    source = "gidariss/FeatureLearningRotNet@edafaba"
    family = "pretext"
    added = {"angles": "0,90,180,270"}
    search = {"padding": ("linear", 0, 8)}

    def __init__(self, make_encoder, data, *, padding: CountOrZero = 4, angles: Angles = "0,90,180,270"):
        """padding: pixels of black border that the crop moves over, 4 on CIFAR-10 (dataloader.py). angles: what an image is turned by, in
        degrees, one class each; all four are the paper's best, 0,180 and 90,270 are in its table 2."""
        super().__init__()
        self.quarters = quarters_of(angles)
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
        self.classifier = nn.Linear(self.encoder.dim, len(self.quarters))

    def chance_loss(self, batch_size):
        return math.log(len(self.quarters))

    def loss(self, batch, progress):
        # All rotations of an image in one batch and one encoder call: section 3.1 of the paper finds it clearly better.
        images, target = rotations(batch.views[0], self.quarters)
        *first, last = (str(90 * quarter) for quarter in self.quarters)
        caption = f"rotated by {', '.join(first)} and {last} degrees"
        batch.show(caption, lambda: torch.stack(images.chunk(len(self.quarters)), dim=1))
        return mean_of_batch(classify(self.classifier(self.encoder(images)), target), len(target))
