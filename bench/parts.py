"""What methods share: heads, teachers, queues, memories, clusters and the losses that more than one paper uses.

B images of the global batch, P projection, Q queue length, N images of the pretraining split, K clusters.
"""

import copy
import functools
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.distributed import gather, mean_of_batch, shard
from bench.precision import upcast

__all__ = [
    "Memory",
    "MomentumContrast",
    "Queue",
    "Teacher",
    "classify",
    "encode_crops",
    "find_first",
    "full_precision",
    "gather",
    "info_nce",
    "kmeans",
    "mean_of_batch",
    "mlp",
    "nt_xent",
    "permuted_keys",
    "reverse_gradient",
    "shard",
    "sinkhorn",
    "upcast",
    "whole_patches",
]


def full_precision(function):
    """Run a loss in float32: autocast off, tensors of less cast up. In bfloat16 a logit of 10 is off by up to 0.03."""

    def single(value):
        return upcast(value) if isinstance(value, Tensor) else value

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        device = next(value.device.type for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*[single(value) for value in args], **{name: single(value) for name, value in kwargs.items()})

    return wrapped


def mlp(inputs: int, hidden: int, outputs: int, *, layers: int = 2, norm: bool = True, last_norm: bool = False, bias: bool = True):
    """Linear layers with (BatchNorm and) ReLU between them. Where a BatchNorm follows, the layer has no bias.

    norm: BatchNorm after each hidden layer. last_norm: BatchNorm without scale and shift after the last.
    bias: of the last layer, and of hidden ones without BatchNorm."""
    modules = []
    for number in range(layers):
        last = number == layers - 1
        followed = last_norm if last else norm
        modules.append(nn.Linear(inputs if number == 0 else hidden, outputs if last else hidden, bias=bias and not followed))
        if followed:
            modules.append(nn.BatchNorm1d(outputs if last else hidden, affine=not last))
        if not last:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * gradient, None


def reverse_gradient(rows: Tensor, scale: float) -> Tensor:
    """The same rows, whose gradient is turned round and scaled on its way back: what comes after learns to lower a loss, what came
    before to raise it, in one step (arXiv:1409.7495). Give what comes after a Group of its own in the recipe where its rate differs."""
    return _ReverseGradient.apply(rows, scale)


class Teacher(nn.Module):
    """A copy of a network that follows it as an exponential moving average of its parameters; never has a gradient.

    Buffers are the copy's own: BatchNorm statistics come from the teacher's own forward passes, as in MoCo, BYOL and DINO."""

    def __init__(self, student: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args, **kwargs) -> Tensor:
        return self.network(*args, **kwargs)

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """teacher = momentum * teacher + (1 - momentum) * student"""
        torch._foreach_lerp_(list(self.network.parameters()), list(student.parameters()), 1 - momentum)


@torch.no_grad()
def permuted_keys(network: nn.Module, images: Tensor, order: Tensor) -> Tensor:
    """Unit keys [B, P] of the global batch, from this device's images [b, 3, H, W]; encoded in another order than the queries:
    otherwise an image's key and query share their BatchNorm group, whose statistics give the answer away (shuffling BN,
    arXiv:1911.05722, 3.3). order: a permutation of the global batch, int64 [B]."""
    return F.normalize(upcast(gather(network(shard(gather(images)[order])))), dim=1)[order.argsort()]


def encode_crops(encoder: nn.Module, crops: tuple[Tensor, ...]) -> Tensor:
    """V crops, each [b, 3, h, w] -> [V * b, D], crop by crop. Crops of one size share an encoder call, so that BatchNorm sees them
    together, as in the authors' code of SwAV (src/resnet50.py) and DINO (MultiCropWrapper in utils.py)."""
    sizes = [torch.cat(list(group)) for _, group in itertools.groupby(crops, key=lambda crop: crop.shape[-1])]
    return torch.cat([encoder(images) for images in sizes])


def whole_patches(encoder: nn.Module, image_size: int, size: float) -> float:
    """A view's size, as a fraction of the image's, rounded so that the view is a whole number of a ViT's patches wide, one at least;
    for another encoder a whole number of pixels."""
    patch = getattr(encoder, "patch_size", 1)
    return patch * max(1, round(size * image_size / patch)) / image_size


class Queue(nn.Module):
    """The last Q rows that were enqueued, oldest overwritten first; starts as random unit vectors (MoCo's code)."""

    def __init__(self, length: int, dim: int):
        super().__init__()
        self.register_buffer("rows", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, rows: Tensor) -> None:
        """rows: [B, P], any B up to Q."""
        if len(rows) > len(self.rows):
            raise ValueError(f"a queue of {len(self.rows)} rows cannot take {len(rows)} at once")
        where = (self.position + torch.arange(len(rows), device=rows.device)) % len(self.rows)
        self.rows[where] = rows.to(self.rows.dtype)
        self.position.copy_((self.position + len(rows)) % len(self.rows))


class Memory(nn.Module):
    """One row per training image, of unit length once it was first moved towards an embedding of the image."""

    def __init__(self, num_images: int, dim: int):
        super().__init__()
        # Uniform in +-1/sqrt(dim / 3), as in the authors' code of instance discrimination (lib/LinearAverage.py): unit length on average.
        bound = (dim / 3) ** -0.5
        self.register_buffer("rows", (2 * torch.rand(num_images, dim) - 1) * bound)

    @torch.no_grad()
    def move(self, index: Tensor, rows: Tensor, momentum: float) -> None:
        """row = normalised(momentum * row + (1 - momentum) * new). index: int64 [B], rows: [B, P]."""
        mixed = momentum * self.rows[index] + (1 - momentum) * rows.to(self.rows.dtype)
        self.rows[index] = F.normalize(mixed, dim=1)


def kmeans(
    rows: Tensor, clusters: int, generator: torch.Generator, iterations: int = 20, *, spherical: bool = False
) -> tuple[Tensor, Tensor]:
    """Lloyd's k-means by FAISS, from random rows: rows [N, d] -> centroids [K, d], and the nearest one of each row, int64 [N].

    spherical: centroids have unit length and are compared by inner product; else by Euclidean distance. A cluster that runs
    empty is put beside a large one, so that it takes a part of it; where rows are equal, some are empty in the end all the same.
    On the CPU and in float32; the same rows and generator give the same clusters."""
    import faiss  # here, since most methods do without it and its import costs time

    if not 1 <= clusters <= len(rows):
        raise ValueError(f"{len(rows)} rows cannot make {clusters} clusters")
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    # By itself FAISS looks at 256 rows for each cluster, and warns of fewer than 39.
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": len(rows)}
    solver = faiss.Kmeans(rows.shape[1], clusters, niter=iterations, spherical=spherical, seed=seed, **limits)
    array = rows.detach().to("cpu", torch.float32).numpy()
    solver.train(array)
    return torch.from_numpy(solver.centroids).to(rows), torch.from_numpy(solver.assign(array)[1]).to(rows.device)


@full_precision
def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """SimCLR's loss (arXiv:2002.05709, eq. 1) for two views [B, P] each: every one of the 2B rows must find its other
    view among the 2B - 1 others, by cosine similarity."""
    rows = F.normalize(torch.cat([first, second]), dim=1)
    logits = rows @ rows.T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=rows.device), float("-inf"))
    target = torch.arange(len(rows), device=rows.device).roll(len(first))
    return F.cross_entropy(logits, target)


@torch.no_grad()
@full_precision
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Rows shared out among K prototypes evenly, by score [B, K] (arXiv:2006.09882, eq. 3 to 5): [B, K], without gradient. Every row
    sums to 1, and after many iterations every column to B / K. A row of -inf takes no part: no column counts it, and it stays 0.

    scores: of the GLOBAL batch; they may span 80 epsilon, further down a power is 0 in float32. epsilon: the smaller, the closer to one
    prototype a row. iterations: 1 or more."""
    # The first step takes any factor out of a column again, so its highest score is subtracted, and no power is over 1.
    powers = ((scores - scores.amax(0)) / epsilon).exp()
    tiny = torch.finfo(powers.dtype).tiny  # where nothing is left to share out, nothing is divided by
    row = torch.ones_like(powers[:, 0])
    for _ in range(iterations):
        column = 1 / (row @ powers).clamp(min=tiny)
        column = column / column.amax()  # else it shrinks, and the row grows, by a factor of B / K each time
        row = 1 / (powers @ column).clamp(min=tiny)
    return row[:, None] * powers * column


@full_precision
def find_first(positive: Tensor, negatives: Tensor) -> Tensor:
    """The softmax loss that finds the positive logit [B, 1] among it and the negative ones [B, Q]."""
    logits = torch.cat([positive, negatives], dim=1)
    return classify(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


@full_precision
def info_nce(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE as MoCo's (arXiv:1911.05722, eq. 1): each query [B, P] must find its key [B, P] among it and the negatives [Q, P], all
    unit vectors."""
    positive = (queries * keys).sum(1, keepdim=True)
    return find_first(positive / temperature, queries @ negatives.to(queries.dtype).T / temperature)


@full_precision
def classify(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in float32, whatever the precision of the logits [B, K]; target: int64 [B]."""
    return F.cross_entropy(logits, target)


class MomentumContrast(nn.Module):
    """What MoCo (arXiv:1911.05722) and those that build on it share, a base beside Method, named before it: a teacher of encoder and
    projector makes the keys, and past keys wait in a queue. A method calls `build_contrast` once and `contrast` in its loss."""

    def build_contrast(
        self, encoder: nn.Module, projector: nn.Module, *, queue: int, projection: int, momentum: float, temperature: float
    ) -> None:
        """Q keys of P numbers; momentum of the teacher, temperature of the softmax."""
        self.encoder, self.projector = encoder, projector
        self.teacher = Teacher(self.student())
        self.queue = Queue(queue, projection)
        self.temperature, self.momentum = temperature, momentum
        # The keys of a step on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_keys = None

    def student(self) -> nn.Module:
        """Encoder and projector as one module, for the teacher to copy and to follow."""
        return nn.Sequential(self.encoder, self.projector)

    def project(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def contrast(self, query_images: Tensor, key_images: Tensor, permutation) -> tuple[Tensor, Tensor]:
        """Unit queries [B, P] of the global batch, and their InfoNCE. permutation: the batch's, which shuffles the keys' images."""
        queries = F.normalize(upcast(gather(self.project(query_images))), dim=1)
        if len(queries) > len(self.queue.rows):
            raise ValueError(f"a queue of {len(self.queue.rows)} keys is shorter than a batch of {len(queries)}; make it longer")
        self.new_keys = permuted_keys(self.teacher, key_images, permutation(len(queries)))
        return queries, info_nce(queries, self.new_keys, self.queue.rows, self.temperature)

    def after_step(self, progress: float) -> None:
        self.teacher.follow(self.student(), self.momentum)
        if self.new_keys is not None:
            self.queue.enqueue(self.new_keys)
        self.new_keys = None

    def encode_also(self) -> dict:
        return {"teacher": self.teacher.network[0]}
