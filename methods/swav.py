"""SwAV (Caron et al. 2020, arXiv:2006.09882): images are shared out evenly among prototypes, and every crop of an image must predict
the share that another crop of it got.

Differs from the paper:
- For small images: 512 prototypes instead of 3000 (as lightly's benchmark on CIFAR-10, which has no small crops) and a head 512 wide, not
  2048, which would outweigh a small encoder; no blur up to 64 pixels, where its sigma is below 0.6 pixel.
- The queue fills from the first step on, so that it holds features of images when it is switched on; the authors' begins empty then, and is
  used 15 steps later, once it is full. Here a place that is still empty takes no part: a queue that is not full is a shorter one.
- Prototypes get unit length at the end of a step, in the authors' code at the start of the next: the same.
- Any batch up to the queue's length; the authors shorten the queue to whole batches. Learning rate to 0, not to a thousandth.
- One recipe for every encoder, the authors' for a ResNet-50; they have none for a ViT.
B images in the global batch (b of this device), V crops, P projection, K prototypes, Q queue length.
"""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Several, Share
from bench.method import Method
from bench.parts import (
    Queue,
    cross_view_loss,
    encode_crops,
    full_precision,
    gather,
    mean_of_batch,
    mlp,
    shard,
    sinkhorn,
    upcast,
    whole_patches,
)
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion

LARGE = 2
"""Large crops of an image; they come first, and only they are assigned."""

SMALLEST_EPSILON = 0.025
"""Cosines span 2, and float32 holds exp(-2 / 0.025). The authors' README goes down to 0.03."""


@full_precision
def similarity(rows: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every unit row [..., P] with every unit prototype [K, P]: [..., K]. In bfloat16, over 0.05, it would be off by 0.08."""
    return rows @ prototypes.T


class SwAV(Method):
    paper = "arXiv:2006.09882"
    source = "facebookresearch/swav@06b1b7c"
    family = "clustering"
    smallest_batch = 2
    version = 2
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        local_crops: CountOrZero = 6,
        local_size: Fraction = 0.43,
        area_split: Fraction = 0.14,
        area_min: Fraction = 0.05,
        color_strength: NonNegative = 1.0,
        prototypes: Several = 512,
        projection: Count = 128,
        hidden: Count = 512,
        temperature: Positive = 0.1,
        epsilon: Annotated[float, Ge(SMALLEST_EPSILON)] = 0.05,
        iterations: Count = 3,
        frozen: Share = 0.01,
        queue: CountOrZero = 3840,
        queue_from: Share = 0.0375,
    ):
        """local_crops: small crops of an image, 6. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.14. area_min: of a small crop, 0.05.
        color_strength: of the colour distortion, 1. prototypes: K, 3000. projection: P, 128. hidden: of the head, 2048. temperature: of the
        prediction, 0.1. epsilon, iterations: of Sinkhorn's algorithm, 0.05 and 3. frozen: the part of progress in which the prototypes stay
        as they are, 1 of 100 epochs (of 400 with a queue). queue: Q, features of each large crop from earlier batches that are shared out
        too, 3840 for a batch of 256; none (0) for batches of 4096. queue_from: the part of progress after which it is used, 15 of 400."""
        super().__init__()
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection)  # with BatchNorm, as src/resnet50.py
        self.prototypes = nn.Linear(projection, prototypes, bias=False)
        self.queues = nn.ModuleList(Queue(queue, projection) for _ in range(LARGE))
        self.normalise_prototypes()
        # The large crops' features of a step on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_rows = None
        self.temperature, self.epsilon, self.iterations, self.frozen, self.queue_from = temperature, epsilon, iterations, frozen, queue_from
        self.phases = tuple(sorted(float(change) for change in {frozen, queue_from if queue else frozen} if 0 < change < 1))

        def crop(low, high, **view):  # src/multicropdataset.py
            blurred = (Blur(0.5),) if data.image_size > 64 else ()
            return View((ResizedCrop((low, high)), Flip(), color_distortion(color_strength), Grayscale(0.2), *blurred), **view)

        small = {"count": local_crops, "size": whole_patches(self.encoder, data.image_size, local_size)}
        self.views = (crop(area_split, 1.0, count=LARGE), *((crop(area_min, area_split, **small),) if local_crops else ()))
        self.recipe = Recipe(
            "lars",  # main_swav.py: LARC with clip=False
            lr=0.6,  # scripts/swav_400ep_bs256_pretrain.sh, and 4.8 for 4096 in the others, which is less than linear
            batch_size=256,  # the script with a queue; the others: 4096
            momentum=0.9,  # main_swav.py
            weight_decay=1e-6,  # every script
            warmup=0.0,  # the script with a queue; the others: 10 epochs
            exclude=(),  # main_swav.py hands all parameters to LARC alike
            eta=0.001,  # main_swav.py
        )

    def project(self, images):
        """[B, 3, H, W] -> unit rows [B, P], float32"""
        return self.embed((images,))[0]

    def embed(self, crops) -> Tensor:
        """V crops, each [b, 3, h, w] -> unit rows [V, b, P]. Crops of one size share an encoder call and all crops the head's, so that
        BatchNorm sees them together, as in src/resnet50.py."""
        rows = self.projector(encode_crops(self.encoder, crops))
        return F.normalize(upcast(rows), dim=1).unflatten(0, (len(crops), -1))

    @torch.no_grad()
    def assign(self, rows: list[Tensor], progress: float) -> Tensor:
        """Features of the global batch, [B, P] of each large crop -> what this device's images are assigned: [2, b, K]."""
        targets = []
        for new, queue in zip(rows, self.queues, strict=True):
            scores = similarity(new, self.prototypes.weight)
            if progress >= self.queue_from:
                old = similarity(queue.rows, self.prototypes.weight).masked_fill(queue.empty[:, None], float("-inf"))
                scores = torch.cat([scores, old])
            targets.append(shard(sinkhorn(scores, self.epsilon, self.iterations)[: len(new)]))
        return torch.stack(targets)

    def chance_loss(self, batch_size):
        return math.log(len(self.prototypes.weight))

    def needed(self, batch_size):
        return (self.queues[0].full(batch_size, by=self.queue_from),) if len(self.queues[0].rows) and 0 < self.queue_from < 1 else ()

    def loss(self, batch, progress):
        rows = self.embed(batch.views)
        self.new_rows = [gather(large.detach()) for large in rows[:LARGE]]
        prototypes = self.prototypes.weight.detach() if progress < self.frozen else self.prototypes.weight
        targets = self.assign(self.new_rows, progress)
        return mean_of_batch(cross_view_loss(similarity(rows, prototypes), targets, self.temperature), len(batch.index))

    @torch.no_grad()
    def normalise_prototypes(self):
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=1))

    def after_step(self, progress):
        self.normalise_prototypes()
        for queue, rows in zip(self.queues, self.new_rows or (), strict=False):
            if len(queue.rows):
                queue.enqueue(rows)
        self.new_rows = None
