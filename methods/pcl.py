"""PCL (Li et al. 2021, arXiv:2005.04966): MoCo, and besides its key an image must find the prototypes of its clusters, coarse to fine.

Differs from the paper:
- Momentum, queue and weight decay of MoCo's CIFAR-10 demo (see methods/moco.py): PCL's authors have no code for small images.
- N / 13, N / 26 and N / 52 clusters, the ratios of 100,000, 50,000 and 25,000 on ImageNet.
- An image's negative prototypes are drawn from all others of a clustering, each once, as in eq. 11. The authors' code adds the
  positives of the rest of the batch, which may be its own prototype again. Where there are fewer than r, all are taken.
- k-means from one random start on all images; main_pcl.py: the best of five, on at most 1000 images for each cluster.
- Features are clustered during the warm-up too; where it ends within an epoch, the prototypes are those of the epoch's start. In a run
  of less than an epoch they are those of the network before it was trained.
- A concentration is at least a hundredth of the temperature: clusters of equal images would make it 0.
- A cosine, as PCL v2, instead of steps (a tenth at 60 % and again at 80 % of the epochs).
- The key encoder moves at the end of a step, in the authors' code at the start of the next. The queue begins empty, as methods/moco.py's.
B images in the global batch, D features, P projection, N images, M clusterings of K clusters each, r negatives and keys in the queue.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction, Positive, Share
from bench.method import Method
from bench.parts import MomentumContrast, find_first, full_precision, gather, images_seen, kmeans, upcast
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def proto_nce(queries: Tensor, prototypes: Tensor, concentrations: Tensor, own: Tensor, drawn: Tensor) -> Tensor:
    """The second term of eq. 11 for one clustering: each query [B, P] must find its prototype, at `own` [B] of [K, P], among it and
    those `drawn` [r]. Each logit is divided by its prototype's concentration [K]."""
    prototypes, concentrations = prototypes.to(queries.dtype), concentrations.to(queries.dtype)
    positive = (queries * prototypes[own]).sum(1, keepdim=True) / concentrations[own][:, None]
    negatives = queries @ prototypes[drawn].T / concentrations[drawn]
    return find_first(positive, negatives.masked_fill(drawn == own[:, None], float("-inf")))


@full_precision
def concentration(rows: Tensor, centroids: Tensor, assignment: Tensor, temperature: float, smoothing: float = 10) -> Tensor:
    """phi of every cluster (eq. 12, with main_pcl.py's care for extremes): [K], the mean is the temperature.
    rows: [N, P], centroids: [K, P], assignment: int64 [N]; on the CPU, where sums have one order. smoothing: alpha, 10."""
    distance = torch.linalg.vector_norm(rows - centroids[assignment], dim=1)
    size = torch.bincount(assignment, minlength=len(centroids))
    total = torch.bincount(assignment, distance, minlength=len(centroids)).to(rows.dtype)
    phi = total / (size.clamp(min=1) * (size + smoothing).to(rows.dtype).log())
    # One image says nothing of a spread: the largest of the others.
    phi = torch.where(size > 1, phi, torch.where(size > 1, phi, 0).max())
    phi = phi.clamp(phi.quantile(0.1), phi.quantile(0.9))
    scaled = temperature * phi / phi.mean() if phi.mean() > 0 else torch.full_like(phi, temperature)
    return scaled.clamp(min=0.01 * temperature)


class PCL(MomentumContrast, Method):
    paper = "arXiv:2005.04966"
    source = "salesforce/PCL@964da1f"
    family = "clustering"
    version = 2
    added = {"half_life": 0.0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        images_per_cluster: Count = 13,
        granularities: Count = 3,
        negatives: Count = 4096,
        temperature: Positive = 0.1,
        momentum: Share = 0.99,
        warmup: Share = 0.1,
        projection: Count = 128,
        bn_groups: Count = 8,
        crop_min: Fraction = 0.2,
        half_life: Share = 0.0,
    ):
        """images_per_cluster: N / K of the finest clustering, 13 on ImageNet; each other one has half as many clusters as the one
        before. granularities: M, 3. negatives: r, 16,000 (main_pcl.py: 16,384). temperature: of the softmax and the mean
        concentration, 0.1. momentum: of the key encoder, 0.999. warmup: part of progress without prototypes, 20 of 200 epochs.
        projection: P, 128. bn_groups: groups of the batch over which BatchNorm's statistics are taken, one for each of the
        authors' 4 or 8 GPUs. crop_min: smallest area of a crop, 0.2.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # main_pcl.py, MoCo v1's augmentation.
        ops = (ResizedCrop((crop_min, 1.0)), Grayscale(0.2), ColorJitter(0.4, 0.4, 0.4, 0.4, p=1.0), Flip())
        self.views = (View(ops, count=2),)
        # Paper and main_pcl.py, except for the decay, MoCo's demo's (theirs: 1e-4), and the cosine (--cos). They decay every parameter.
        self.recipe = Recipe("sgd", lr=0.03, batch_size=256, momentum=0.9, weight_decay=5e-4, warmup=0.0, schedule="cosine", exclude=())
        self.phases = (warmup,) if 0 < warmup < 1 else ()
        encoder = make_encoder(bn_groups=bn_groups)
        projector = nn.Linear(encoder.dim, projection)  # pcl/builder.py without mlp
        self.build_contrast(
            encoder, projector, queue=negatives, projection=projection, momentum=momentum, half_life=half_life, temperature=temperature
        )
        self.counts = tuple(max(2, data.num_images // (images_per_cluster * 2**number)) for number in range(granularities))
        self.register_buffer("prototypes", F.normalize(torch.randn(sum(self.counts), projection), dim=1))
        self.register_buffer("concentrations", torch.full((sum(self.counts),), float(temperature)))
        self.register_buffer("assignments", torch.zeros(granularities, data.num_images, dtype=torch.long))
        self.warmup = warmup

    def clusterings(self):
        """For each clustering where its state is: prototypes [K, P], concentrations [K], assignments [N]."""
        return zip(self.prototypes.split(self.counts), self.concentrations.split(self.counts), self.assignments, strict=True)

    def before_epoch(self, extract, generator):
        rows = extract(lambda images: F.normalize(upcast(self.teacher(images)), dim=1)).cpu()
        for prototypes, concentrations, assignments in self.clusterings():
            centroids, assignment = kmeans(rows, len(prototypes), generator)
            prototypes.copy_(F.normalize(centroids, dim=1))
            concentrations.copy_(concentration(rows, centroids, assignment, self.temperature))
            assignments.copy_(assignment)
        return ()

    def chance_loss(self, batch_size):
        among = [1 + min(len(self.queue.rows), count) * (1 - 1 / count) for count in self.counts]
        return super().chance_loss(batch_size) + sum(map(math.log, among)) / len(among)

    def needed(self, batch_size):
        again = images_seen(self.assignments.shape[1], batch_size, "features are clustered a second time")
        return *super().needed(batch_size), again

    def loss(self, batch, progress):
        queries, loss = self.contrast(*batch.views, batch.permutation)
        index = gather(batch.index)
        if progress >= self.warmup:
            for prototypes, concentrations, assignments in self.clusterings():
                drawn = batch.permutation(len(prototypes))[: len(self.queue.rows)]
                loss = loss + proto_nce(queries, prototypes, concentrations, assignments[index], drawn) / len(self.counts)
        return loss
