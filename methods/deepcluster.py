"""DeepCluster (Caron et al. 2018, arXiv:1807.05520): cluster the features of all images, learn to tell the clusters apart, repeat.

Differs from the paper:
- The harness's encoder with one linear layer, and its own features are clustered. In the authors' AlexNet and VGG two layers of
  4096 with dropout stand between, and what is clustered is the second before its ReLU.
- Images come uniformly and the loss is weighted by the inverse size of the cluster, which the paper (section 3.3) calls equivalent
  to the authors' uniform sampling over clusters (util.py): the same mean over an epoch, but an image is seen once.
- N / 128 clusters, the ratio of 10,000 on ImageNet; there are ten for each class there, which says nothing of small data sets.
- The linear layer has momentum, cleared with each new start, as everything else; main.py gives it SGD without.
- Directions of no variance are left out of the whitening, where FAISS's PCA would divide by it; images are not resized and centre-cropped.
A part of the data that fills no batch at the end of an epoch waits for the next one.
B images in the global batch, D features, N images of the pretraining split, K clusters.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction
from bench.method import Method
from bench.parts import full_precision, images_seen, kmeans, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


@full_precision
def edges(images: Tensor) -> Tensor:
    """Sobel's horizontal and vertical differences of the mean of the channels: [B, 3, H, W] -> [B, 2, H, W] (models/alexnet.py)."""
    difference = torch.arange(1, -2, -1, dtype=images.dtype, device=images.device)
    kernel = torch.outer(2 - difference.abs(), difference)  # 1, 2, 1 times 1, 0, -1
    return F.conv2d(images.mean(1, keepdim=True), torch.stack([kernel, kernel.T])[:, None], padding=1)


@full_precision
def whitened(features: Tensor, dims: int) -> Tensor:
    """PCA-whitened to min(dims, D) columns, then rows of unit length (clustering.py, preprocess_features): [N, D] -> [N, dims]."""
    centred = features - features.mean(0)
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
    variances, directions = variances.flip(0)[:dims], directions.flip(1)[:, :dims]
    # What is below rounding is no variance, and would become the loudest column.
    counts = variances > variances[0] * torch.finfo(variances.dtype).eps * features.shape[1]
    scale = torch.where(counts, variances.clamp(min=torch.finfo(variances.dtype).tiny).rsqrt(), 0)
    return F.normalize(centred @ directions * scale, dim=1)


@full_precision
def balanced_classification(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean over images of the weight of an image's cluster times its cross-entropy. logits: [B, K], target: int64 [B], weights: [K]."""
    return (weights.to(logits.dtype)[target] * F.cross_entropy(logits, target, reduction="none")).mean()


class DeepCluster(Method):
    paper = "arXiv:1807.05520"
    source = "facebookresearch/deepcluster@2d1927e"
    family = "clustering"
    version = 2
    search = {"images_per_cluster": ("log", 32, 512)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        images_per_cluster: Count = 128,
        pca: Count = 256,
        iterations: Count = 20,
        sobel: bool = True,
        crop_min: Fraction = 0.08,
    ):
        """images_per_cluster: N / K; 128 on ImageNet, where K is 10,000. pca: dimensions that the features are reduced to, 256,
        or D if that is less. iterations: of k-means, 20 (clustering.py). sobel: whether the encoder sees edges instead of colours,
        as in the paper. crop_min: smallest area of a crop, 0.08 (torchvision's default, which clustering.py takes)."""
        super().__init__()
        self.views = (View((ResizedCrop((crop_min, 1.0)), Flip())),)  # clustering.py, cluster_assign
        self.recipe = Recipe(
            "sgd",
            lr=0.05,  # main.py and main.sh
            batch_size=256,  # paper and main.py
            momentum=0.9,  # paper and main.py
            weight_decay=1e-5,  # main.py: 10 ** -5
            warmup=0.0,  # main.py
            schedule="constant",  # paper, section 3.4: a constant step size
            exclude=(),  # main.py decays every parameter
        )
        self.encoder = make_encoder(in_channels=2 if sobel else 3)
        clusters = max(2, data.num_images // images_per_cluster)
        self.head = nn.Linear(self.encoder.dim, clusters)
        self.register_buffer("assignments", torch.zeros(data.num_images, dtype=torch.long))
        self.register_buffer("weights_of_clusters", torch.ones(clusters))
        self.pca, self.iterations, self.sobel = pca, iterations, sobel

    def encode(self, images):
        return self.encoder(edges(images) if self.sobel else images)

    @torch.no_grad()
    def before_epoch(self, extract, generator):
        _, assignments = kmeans(whitened(extract(self.encode), self.pca), len(self.head.bias), generator, self.iterations)
        self.assignments.copy_(assignments)
        sizes = torch.bincount(assignments, minlength=len(self.head.bias))
        # The mean over all images is 1, and every cluster that has images weighs the same. Empty clusters are nobody's target.
        weights = len(assignments) / (sizes.clamp(min=1) * (sizes > 0).sum())
        self.weights_of_clusters.copy_(weights)
        # Clusters have new numbers, so what tells them apart starts anew (main.py).
        nn.init.normal_(self.head.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.head.bias)
        return ("head.",)

    def chance_loss(self, batch_size):
        return math.log(len(self.head.bias))

    def needed(self, batch_size):
        return (images_seen(len(self.assignments), batch_size, "features are clustered a second time"),)

    def loss(self, batch, progress):
        target = self.assignments[batch.index]
        logits = self.head(self.encode(batch.views[0]))
        return mean_of_batch(balanced_classification(logits, target, self.weights_of_clusters), len(target))
