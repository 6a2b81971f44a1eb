"""Jigsaw puzzles (Noroozi & Favaro 2016, arXiv:1603.09246): nine patches of an image are shuffled; say which of a fixed set of
permutations was used.

Differs from the paper:
- The harness's encoder instead of an AlexNet column; a head of 128 and 512 features with BatchNorm instead of 512 (the authors' file:
  1024) and 4096 with dropout; 100 permutations, as in the authors' code, where the paper's best set has 1000.
- Algorithm 1 starts from the unshuffled order and takes the first of equals, where the paper starts from a random permutation: the same
  set in every run.
- A patch is a quarter of the image wide, as 64 of the authors' 255 pixels. At 32 pixels that is 8 in a cell of 10: jitter of 2 pixels and
  gaps of 2 on average, where the authors have 21 and 21. One in nine pairs of neighbours touches at 32 pixels, one in 36 at 64.
- Colour channels are not shifted against each other: the paper's 2 of 255 pixels are a quarter of a pixel at 32. On larger images this
  leaves the network chromatic aberration to tell places by. Nor are colours projected, as in the authors' data_transformer.cpp.
- Three in ten images are grey, as the paper says; in data_transformer.cpp it is one in two.
- No flips and no crops, as in the authors' train_val_cfn_jps.prototxt; their image is cut by one pixel each way.
- A cosine with warm-up instead of steps, and the learning rate of ResNets, not of AlexNet.
- What is evaluated is a whole image, and the encoder has only seen patches, each normalised by itself. So BatchNorm's statistics are taken
  anew on 500 whole training images at the end: on CIFAR-10 (resnet8, 3 TFLOP) a linear probe has 41.3, 42.2 and 42.7 on val (three seeds)
  instead of 39.5, 42.6 and 41.4; on 2,000 images 41.1 and 42.8 (seeds 0 and 2). AlexNet has no BatchNorm.

The paper's known failure: without `normalise`, neighbours are told by what is the same in both, brightness and contrast, and less is
learnt. results/tiny_imagenet50 has it: 2.7 points less at the best stage.

B images in the global batch, D features, s pixels a side of a patch, N permutations.
"""

import functools
import itertools
import math
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from torch import nn

from bench.domains import Count, Fraction, Probability
from bench.method import Method
from bench.parts import classify, mean_of_batch, mlp
from bench.patches import cut, jittered_grid, patch_side, standardised
from bench.spec import Recipe
from bench.views import Grayscale, View

SIDE = 3
PATCHES = SIDE**2


@functools.cache
def distant_permutations(count: int) -> np.ndarray:
    """Algorithm 1: permutations of nine, each the one of greatest total Hamming distance to all before it: int64 [N, 9]."""
    everything = np.fromiter(itertools.chain.from_iterable(itertools.permutations(range(PATCHES))), np.uint8).reshape(-1, PATCHES)
    columns = np.ascontiguousarray(everything.T)
    distance = np.zeros(len(everything), np.int32)
    chosen = [0]
    while len(chosen) < count:
        distance += (columns != columns[:, chosen[-1:]]).sum(0, dtype=np.int32)
        distance[chosen] = -1  # never twice
        chosen.append(int(distance.argmax()))
    return everything[chosen].astype(np.int64)


class Jigsaw(Method):
    paper = "arXiv:1603.09246"
    source = "MehdiNoroozi/JigsawPuzzleSolver@8c7ec09, facebookresearch/vissl@09270ed"
    family = "pretext"
    smallest_batch = 2
    version = 2
    sees_whole_images = False
    search = {"permutations": ("log", 20, 500)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        permutations: Annotated[int, Interval(ge=2, le=1000)] = 100,
        patch: Fraction = 0.25,
        normalise: bool = True,
        grey: Probability = 0.3,
        projection: Count = 128,
        hidden: Count = 512,
    ):
        """permutations: N, 1000 at most; 100 in the authors' code, 1000 in the paper's best. patch: its side as a fraction of the
        image's, 64 / 255. normalise: whether every patch is normalised by itself, as in the paper. grey: probability of a grey image,
        0.3. projection: features of a patch that the head gets, 512. hidden: width of the head, 4096."""
        super().__init__()
        self.encoder = make_encoder()
        # One pixel of jitter at least: patches that always touch are put together by their edges.
        self.side = patch_side(self.encoder, data.image_size, patch, data.image_size // SIDE - 1)
        self.normalise = normalise
        self.views = (View((Grayscale(grey),)),)
        self.recipe = Recipe(
            "sgd",
            lr=0.1,  # for each 256 images: vissl's jigsaw_8gpu_resnet.yaml for a ResNet-50; solver_cfn_jps.prototxt for AlexNet: 0.01
            batch_size=256,  # both
            momentum=0.9,  # both
            weight_decay=1e-4,  # vissl; solver_cfn_jps.prototxt: 5e-4
            warmup=0.05,  # vissl: 5 of 105 epochs
            exclude=("norm",),  # vissl: regularize_bn false, regularize_bias true
        )
        self.projector = nn.Sequential(nn.Linear(self.encoder.dim, projection), nn.ReLU())
        self.classifier = mlp(PATCHES * projection, hidden, permutations)
        self.register_buffer("permutations", torch.tensor(distant_permutations(permutations)))

    def chance_loss(self, batch_size):
        return math.log(len(self.permutations))

    def loss(self, batch, progress):
        target = batch.randint(len(self.permutations))
        order = self.permutations[target]
        corners = jittered_grid(batch, batch.views[0], SIDE, self.side).gather(1, order[..., None].expand(-1, -1, 2))
        patches = cut(batch.views[0], corners, self.side)
        if self.normalise:
            patches = standardised(patches)
        batch.show("nine patches in a shuffled order", lambda: patches)
        # All patches of all images in one encoder call; the head sees those of one image in their shuffled order.
        features = self.projector(self.encoder(patches.flatten(0, 1)))
        logits = self.classifier(features.unflatten(0, (-1, PATCHES)).flatten(1))
        return mean_of_batch(classify(logits, target), len(target))
