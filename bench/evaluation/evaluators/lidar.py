"""LiDAR: the effective rank of what tells images apart from their own views (Thilak et al. 2023, arXiv:2312.04000).

    metric lidar, in about [1, min(N - 1, D)]; higher is more

An image is a class, its views are that class's samples. With the covariance S_b of the views' means and S_w of views around their mean,
1e-4 added to its diagonal, it is exp of the entropy of p = eigenvalues of S_w^-1/2 S_b S_w^-1/2 / their sum + 1e-8.

Differs from the paper: two views of 2,000 train images, the crops of `label_free`'s alignment, which are the same for every method; theirs
are more views, by the method's own augmentations. No label is read and nothing is picked. None where the means are all the same.
N images, V views, D features.
"""

import numpy as np

from bench.evaluation.arrays import finite_crops
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
PAPERS: tuple[str, ...] = ("arXiv:2312.04000",)
NEEDS_CLASSES: bool = False
SPLITS: tuple[str, ...] = ("train",)

RIDGE, EPSILON = 1e-4, 1e-8
"""Delta and epsilon as stable-pretraining has them, callbacks/lidar.py at commit 9aa93f8."""


def lidar(views: np.ndarray) -> float | None:
    """Of features [N, V, D], two or more views of two or more images."""
    views = views.astype(np.float64)
    count, each, width = views.shape
    means = views.mean(axis=1)
    around = (views - means[:, None]).reshape(-1, width)
    between = means - means.mean(axis=0)
    within = around.T @ around / (count * (each - 1)) + RIDGE * np.eye(width)
    # S_w = L L^T, and L^-1 S_b L^-T has the eigenvalues of S_w^-1/2 S_b S_w^-1/2: those of a matrix of as many rows as images.
    singular = np.linalg.svd(np.linalg.solve(np.linalg.cholesky(within), between.T), compute_uv=False)
    eigenvalues = np.zeros(width)
    eigenvalues[: len(singular)] = np.square(singular)
    if eigenvalues.sum() == 0:
        return None
    p = eigenvalues / eigenvalues.sum() + EPSILON
    return float(np.exp(-(p * np.log(p)).sum()))


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`lidar` of the pretraining data set's train split. ValueError where a feature is not finite."""
    crops = finite_crops("lidar", features.dataset, features.two_crops())
    value = lidar(np.stack(crops, axis=1))
    return [Result(evaluator="lidar", dataset=features.dataset, split="train", metric="lidar", value=value, n=len(crops[0]))]
