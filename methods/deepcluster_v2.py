"""DeepCluster-v2 (Caron et al. 2020, arXiv:2006.09882): cluster what crops of all images looked like last time, tell the clusters apart.

Differs from the authors' code (main_deepclusterv2.py of SwAV's repository, whose README gives the paper's appendix for details):
- For small images: N / 100 clusters, on CIFAR-10 about SwAV's prototypes, instead of N / 427 on ImageNet; a head 512 wide instead of
  2048, which would outweigh a small encoder; no blur up to 64 pixels, where its sigma is below 0.6 pixel. Batches of 256 instead of 4096.
- The first clustering is of whole images in eval mode; theirs is of crops in training mode, in a pass of its own. In a run of less than
  an epoch it is the only one.
- An image that an epoch's end left out keeps its last embedding and has clusters; theirs has none in the next epoch.
- k-means by FAISS: an empty cluster takes a part of a large one; theirs keeps its centroid.
- Learning rate to 0, not to a thousandth; warm-up from a hundredth, not a sixteenth. One recipe for every encoder, theirs for a ResNet-50.
B images in the global batch (b of this device), V crops, P projection, N images of the pretraining split, H heads of K clusters each.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive
from bench.method import Method
from bench.parts import (
    Memory,
    classify,
    encode_crops,
    full_precision,
    gather,
    images_seen,
    kmeans,
    mean_of_batch,
    mlp,
    upcast,
    whole_patches,
)
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion

LARGE = 2
"""Large crops of an image; they come first, and each of them has a memory. Small ones are not clustered."""


@full_precision
def tell_apart(rows: Tensor, centroids: Tensor, own: Tensor, temperature: float) -> Tensor:
    """Every unit row [V, b, P] must find its image's cluster, at `own` [H, b], among a head's centroids [H, K, P], by cosine: the mean
    over heads, crops and images."""
    logits = torch.einsum("vbp,hkp->hvbk", rows, centroids.to(rows.dtype)) / temperature
    return classify(logits.flatten(0, 2), own[:, None].expand(-1, len(rows), -1).flatten())


class DeepClusterV2(Method):
    paper = "arXiv:2006.09882"
    source = "facebookresearch/swav@06b1b7c"
    family = "clustering"
    version = 2
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        images_per_cluster: Count = 100,
        heads: Count = 3,
        iterations: Count = 10,
        temperature: Positive = 0.1,
        projection: Count = 128,
        hidden: Count = 512,
        local_crops: CountOrZero = 4,
        local_size: Fraction = 0.6,
        crop_min: Fraction = 0.08,
        local_min: Fraction = 0.05,
        local_max: Fraction = 0.14,
        color_strength: NonNegative = 1.0,
    ):
        """images_per_cluster: N / K, 427 on ImageNet, where K is 3000. heads: H, clusterings at a time, 3. iterations: of k-means, 10.
        temperature: of the softmax, 0.1. projection: P, 128. hidden: of the head, 2048. local_crops: small crops of an image, 4.
        local_size: their width over that of the large ones, 96 / 160, rounded to whole patches. crop_min: smallest area of a large
        crop, 0.08. local_min, local_max: areas of a small one, 0.05 and 0.14. color_strength: of the colour distortion, 1."""
        super().__init__()
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection)  # with BatchNorm, as src/resnet50.py
        clusters = max(2, data.num_images // images_per_cluster)
        self.memories = nn.ModuleList(Memory(data.num_images, projection) for _ in range(LARGE))
        self.register_buffer("filled", torch.zeros((), dtype=torch.bool))
        # Never trained: --freeze_prototypes_niters is more steps than any of the scripts makes.
        self.register_buffer("centroids", F.normalize(torch.randn(heads, clusters, projection), dim=2))
        self.register_buffer("assignments", torch.zeros(heads, data.num_images, dtype=torch.long))
        self.temperature, self.iterations = temperature, iterations
        # Index and large crops' rows of a step on their way from `loss` to `after_step`. Between steps there are none: no state.
        self.new_rows = None

        def crop(low, high, **view):  # src/multicropdataset.py
            jitter = color_distortion(color_strength)
            blurred = (Blur(0.5),) if data.image_size > 64 else ()
            return View((ResizedCrop((low, high)), Flip(), jitter, Grayscale(0.2), *blurred), **view)

        # Numbers of crops, sizes and areas: scripts/deepclusterv2_400ep_pretrain.sh.
        local_size = whole_patches(self.encoder, data.image_size, local_size)
        local = (crop(local_min, local_max, count=local_crops, size=local_size),) if local_crops else ()
        self.views = (crop(crop_min, 1.0, count=LARGE), *local)
        self.recipe = Recipe(
            "lars",  # main_deepclusterv2.py: LARC with clip=False
            lr=0.3,  # for each 256 images: 4.8 for 4096 in every script
            batch_size=256,  # the scripts: 4096
            momentum=0.9,  # main_deepclusterv2.py
            weight_decay=1e-6,  # every script
            warmup=0.025,  # every script: 10 epochs, here of 400
            exclude=(),  # main_deepclusterv2.py hands all parameters to LARC alike
            eta=0.001,  # main_deepclusterv2.py
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
    def before_epoch(self, extract, generator):
        if not self.filled:
            rows = extract(self.project)
            for memory in self.memories:
                memory.rows.copy_(rows)
            self.filled.fill_(True)
        for head, (centroids, assignments) in enumerate(zip(self.centroids, self.assignments, strict=True)):
            rows = self.memories[head % LARGE].rows
            found, nearest = kmeans(rows, len(centroids), generator, self.iterations, spherical=True)
            centroids.copy_(found)
            assignments.copy_(nearest)
        return ()

    def chance_loss(self, batch_size):
        return math.log(self.centroids.shape[1])

    def needed(self, batch_size):
        return (images_seen(self.assignments.shape[1], batch_size, "embeddings are clustered again"),)

    def loss(self, batch, progress):
        rows = self.embed(batch.views)
        self.new_rows = gather(batch.index), [gather(large.detach()) for large in rows[:LARGE]]
        loss = tell_apart(rows, self.centroids, self.assignments[:, batch.index], self.temperature)
        return mean_of_batch(loss, len(batch.index))

    def after_step(self, progress):
        if self.new_rows is not None:
            index, crops = self.new_rows
            for memory, rows in zip(self.memories, crops, strict=True):
                memory.move(index, rows, 0.0)
        self.new_rows = None
