"""All4One (Estepa et al. 2023, arXiv:2303.09417): a view's nearest neighbour must find the image's other view, as in NNCLR, and so must
what a small transformer makes of its five nearest; and each dimension agrees between two views, and no two do (Barlow Twins).

Differs from the paper:
- As in the code that its authors gave to solo-learn. For small images a projector 512 wide instead of 2048, predictors 1024 wide instead of
  4096, 128 dimensions instead of 256 and 4096 past embeddings instead of 98,304, as methods/nnclr.py. 10 epochs of warm-up, of 100.
- No dropout in the transformer (0.1 there): what is random of a step is an image's own, and torch's dropout draws for the whole batch.
- The queue begins empty: a place without an embedding is nobody's neighbour, in the first step a view is its own, and where there are fewer
  embeddings than neighbours the nearest stands in for those that lack. Theirs begins with random vectors.
- Where a BatchNorm follows, a layer has no bias. LARS multiplies its trust ratio with the learning rate; their clip_lr (recipe.clip_trust)
  takes the smaller of the two.
B images in the global batch, D features, P projection, Q past embeddings, K neighbours.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Positive, Several, Share
from bench.method import Method
from bench.parts import Queue, StudentAndTeacher, find_own, full_precision, gather, mlp, upcast
from bench.spec import Group, Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@torch.no_grad()
@full_precision
def most_similar(rows: Tensor, support: Tensor, empty: Tensor, count: int) -> Tensor:
    """For each of the unit rows [B, P] the `count` most similar of the unit rows of the support set [Q, P], the nearest first: [B, K, P],
    without gradient. empty: bool [Q], its places without a row."""
    support = support.to(rows.dtype)
    scores, places = (rows @ support.T).masked_fill(empty, float("-inf")).topk(count, dim=1)
    found = support[torch.where(scores.isinf(), places[:, :1], places)]
    return torch.where(empty.all(), rows[:, None], found)


@full_precision
def redundancy(first: Tensor, second: Tensor, first_target: Tensor, second_target: Tensor) -> Tensor:
    """Of each view's targets and the other view's rows, [B, P] each, the cosines of all dimensions [P, P]: how far those on the diagonal
    are from 1 and the others from 0, root mean squares over both pairs, and their mean."""
    pairs = (first_target, second), (second_target, first)
    tables = torch.stack([F.normalize(one, dim=0).T @ F.normalize(other, dim=0) for one, other in pairs])
    same = torch.eye(tables.shape[-1], dtype=torch.bool, device=tables.device)
    apart = tables.masked_fill(same, 0).square().sum() / (2 * (same.numel() - len(same)))
    return ((tables.diagonal(dim1=1, dim2=2) - 1).square().mean().sqrt() + apart.sqrt()) / 2


def waves(count: int, dims: int) -> Tensor:
    """What is added to the neighbours [K, P]: each has a sine or a cosine of its own along the dimensions, as solo-learn's
    PositionalEncodingPermute1D."""
    number = torch.arange(count)
    angles = torch.arange(dims) / 10000 ** ((number - number % 2) / (count + count % 2))[:, None]
    return torch.where((number % 2 == 0)[:, None], angles.sin(), angles.cos())


class All4One(StudentAndTeacher, Method):
    paper = "arXiv:2303.09417"
    source = "vturrisi/solo-learn@9187ea3"
    family = "contrastive"
    smallest_batch = 2
    added = {"half_life": 0.0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.2,
        centroid_temperature: Positive = 0.1,
        neighbour: NonNegative = 0.5,
        centroid: NonNegative = 0.5,
        feature: NonNegative = 5.0,
        neighbours: Count = 5,
        queue: Count = 4096,
        momentum: Share = 0.99,
        momentum_end: Share = 1.0,
        projection: Several = 128,
        hidden: Count = 512,
        predictor_hidden: Count = 1024,
        heads: Count = 8,
        layers: Count = 3,
        crop_min: Fraction = 0.08,
        blur: bool = False,
        half_life: Share = 0.0,
    ):
        """temperature: of the softmax over neighbours, 0.2; centroid_temperature: over what the transformer makes, 0.1. neighbour,
        centroid, feature: weights of the three terms, 0.5, 0.5 and 5. neighbours: K, 5. queue: Q, 98,304. momentum: of the teacher at the
        start, 0.99; to momentum_end, 1, along a cosine. projection: P, 256, a multiple of heads. hidden: width of the projector, 2048.
        predictor_hidden: of the predictors, 4096. heads, layers: of the transformer, 8 and 3. crop_min: smallest area of a crop, 0.08.
        blur: whether the first view is always and the second sometimes blurred, as on ImageNet.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        if projection % heads:
            raise ValueError(f"projection = {projection} does not split into {heads} heads; expected a multiple of {heads}")
        if neighbours > queue:
            raise ValueError(f"{neighbours} neighbours among a queue of {queue}; expected {queue} neighbours or fewer")
        # scripts/pretrain/cifar/augmentations/asymmetric.yaml
        ops = (ResizedCrop((crop_min, 1.0)), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        first, second = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        self.views = (View((*ops, *first, Flip())), View((*ops, *second, Solarize(0.2), Flip())))
        # scripts/pretrain/cifar/all4one.yaml; the learning rate for each 256 images, that of the transformer in solo/methods/all4one.py.
        slower = (Group("transformer", lr_scale=0.1),)
        self.recipe = Recipe("lars", lr=1.0, batch_size=256, weight_decay=1e-5, warmup=0.1, eta=0.02, groups=slower)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=3, last_norm=True)
        self.projector[-1] = nn.BatchNorm1d(projection)
        self.predictor, self.centroid_predictor = (mlp(projection, predictor_hidden, projection) for _ in range(2))
        block = nn.TransformerEncoderLayer(projection, heads, 2 * projection, dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.register_buffer("waves", waves(neighbours, projection))
        self.queue = Queue(queue, projection)
        self.build_teacher(momentum, momentum_end, half_life)
        self.temperature, self.centroid_temperature, self.count = temperature, centroid_temperature, neighbours
        self.weights_of_terms = neighbour, centroid, feature
        # The first view's targets, on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_rows = None

    def chance_loss(self, batch_size):
        neighbour, centroid, feature = self.weights_of_terms
        return (neighbour + centroid) * math.log(batch_size) + feature / 2

    def needed(self, batch_size):
        return (self.queue.full(batch_size), *super().needed(batch_size))

    def centroids(self, rows: Tensor) -> Tensor:
        """[b, K, P] -> [b, P]: what the transformer makes of the first of them."""
        return self.transformer(rows + self.waves)[:, 0]

    def loss(self, batch, progress):
        # One call for each view: BatchNorm sees B images at a time.
        rows = [self.project(images) for images in batch.views]
        targets = [F.normalize(upcast(self.teacher(images)), dim=1) for images in batch.views]
        near = [most_similar(each, self.queue.rows, self.queue.empty, self.count) for each in targets]
        # The prediction takes the place of the nearest neighbour, and all others move on by one.
        moved = [torch.cat([self.centroid_predictor(each)[:, None], few[:, :-1]], 1) for each, few in zip(rows, near, strict=True)]
        asked, said = ([gather(self.centroids(few)) for few in several] for several in (near, moved))
        nearest, predictions = [gather(few[:, 0]) for few in near], [gather(self.predictor(each)) for each in rows]
        targets, rows = [gather(each) for each in targets], [gather(each) for each in rows]
        self.new_rows = targets[0]
        neighbour = sum(find_own(nearest[own], predictions[1 - own], self.temperature) for own in (0, 1)) / 2
        centroid = sum(find_own(asked[own], said[1 - own], self.centroid_temperature) for own in (0, 1)) / 2
        terms = neighbour, centroid, redundancy(*rows, *targets)
        return sum(weight * term for weight, term in zip(self.weights_of_terms, terms, strict=True))

    def after_step(self, progress):
        super().after_step(progress)
        if self.new_rows is not None:
            self.queue.enqueue(self.new_rows)
        self.new_rows = None
