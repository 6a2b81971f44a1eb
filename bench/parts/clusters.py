"""Clusters of features: k-means, and rows shared out among prototypes evenly.

B images of the global batch, K clusters or prototypes.
"""

import torch
from torch import Tensor

from bench.compute.flops import add_flops
from bench.compute.trial import in_trial
from bench.parts.losses import full_precision


def kmeans(
    rows: Tensor, clusters: int, generator: torch.Generator, iterations: int = 20, *, spherical: bool = False
) -> tuple[Tensor, Tensor]:
    """Lloyd's k-means by FAISS, from random rows: rows [N, d] -> centroids [K, d], and the nearest one of each row, int64 [N].

    spherical: centroids have unit length and are compared by inner product; else by Euclidean distance. A cluster that runs
    empty is put beside a large one, so that it takes a part of it; where rows are equal, some are empty in the end all the same.
    On the CPU and in float32; the same rows and generator give the same clusters. Its products count, as torch's do.
    In a trial nothing is searched for: clusters are of any rows."""
    if not 1 <= clusters <= len(rows):
        raise ValueError(f"{len(rows)} rows cannot make {clusters} clusters")
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    add_flops(2.0 * len(rows) * rows.shape[1] * clusters * (iterations + 1))  # every row by every centroid, each time and for the last word
    if in_trial():
        return rows[:clusters].clone(), torch.arange(len(rows), device=rows.device) % clusters
    import faiss  # here, since most methods do without it and its import costs time

    # By itself FAISS looks at 256 rows for each cluster, and warns of fewer than 39.
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": len(rows)}
    solver = faiss.Kmeans(rows.shape[1], clusters, niter=iterations, spherical=spherical, seed=seed, **limits)
    array = rows.detach().to("cpu", torch.float32).numpy()
    solver.train(array)
    return torch.from_numpy(solver.centroids).to(rows), torch.from_numpy(solver.assign(array)[1]).to(rows.device)


@torch.no_grad()
@full_precision
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Rows shared out among K prototypes evenly, by score [B, K] (arXiv:2006.09882, eq. 3 to 5): [B, K], without gradient. Every row
    sums to 1, and after many iterations every column to B / K. A row of -inf takes no part: no column counts it, and it stays 0.

    scores: of the GLOBAL batch; they may span 80 epsilon, further down a power is 0 in float32. epsilon: the smaller, the closer to one
    prototype a row. iterations: 1 or more."""
    # The first step takes any factor out of a column again, so its highest score is subtracted, and no power is over 1.
    numbers = torch.finfo(scores.dtype)
    # Where every row is -inf, none takes part and all stay 0.
    powers = ((scores - scores.amax(0).clamp(min=numbers.min)) / epsilon).exp()
    tiny = numbers.tiny  # where nothing is left to share out, nothing is divided by
    row = torch.ones_like(powers[:, 0])
    for _ in range(iterations):
        column = 1 / (row @ powers).clamp(min=tiny)
        column = column / column.amax()  # else it shrinks, and the row grows, by a factor of B / K each time
        row = 1 / (powers @ column).clamp(min=tiny)
    return row[:, None] * powers * column
