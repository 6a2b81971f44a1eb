"""What features show without labels: RankMe, uniformity, alignment, alpha-ReQ, and whether they collapsed.

Alignment is of images alone, of which two crops show the same thing: of other items it is left out.
Measured on the backbone's features of 10,000 train images at most, evenly spaced; alignment on 2,000. RankMe's paper takes the
projector's output and compares runs of one method: as a ranking of methods read it with care. None where a quantity does not exist
for the features at hand.
N images, D features.
"""

import numpy as np

from bench.evaluation.arrays import evenly, finite_crops, normalise, require_finite
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
PAPERS: tuple[str, ...] = ("arXiv:2210.02885", "arXiv:2005.10242")
NEEDS_CLASSES: bool = False
TAKES: tuple[str, ...] = ()

MOST_IMAGES = 10_000

RANKME_EPSILON = 1e-7
"""Garrido et al. 2023, equation 1, for float32 features."""

UNIFORMITY_T = 2
"""Wang and Isola 2020, their default t."""

ALPHA_RANKS = (4, 100)
"""First and last rank of the eigenvalues in the fit, as in the authors' code; the paper's text names no range."""

SMALLEST_EIGENVALUE = 1e-13
"""Relative to the features' sum of squares, of which rounding to float32 makes up to 4e-15: below is no spectrum."""

COLLAPSED = 2.0
"""Directions that features differ in, below which they are one and what is left of others. Healthy encoders of 16 features had 7 to 11 on
digits, untrained or trained; SimSiam's without a stopped gradient 10 after 70 steps, 5 after 300 and, when a probe had fallen from 83 % to
41 %, 1.6. Of 64 features on CIFAR-10 healthy ones had 5 to 37."""

ROWS_AT_ONCE = 1000
"""Bounds the memory of all pairs' distances."""


def rankme(x: np.ndarray) -> float | None:
    """RankMe (Garrido et al. 2023, arXiv:2210.02885): exp of the entropy of p = singular values of [N, D] / their sum + eps.
    In about [1, min(N, D)]; None where all features are zero."""
    x = x.astype(np.float64)
    largest = np.abs(x).max(initial=0)
    if largest == 0:
        return None
    return _effective_rank(np.linalg.svd(x / largest, compute_uv=False))


def _effective_rank(singular: np.ndarray) -> float:
    """exp of the entropy of singular values [k] as shares of their sum."""
    p = singular / singular.sum() + RANKME_EPSILON
    return float(np.exp(-(p * np.log(p)).sum()))


def spectrum(x: np.ndarray) -> np.ndarray:
    """The eigenvalues of the covariance of x [N, D], times a constant, largest first: float64 [k]. Those that rounding may have made are
    left out: k is 0 where all features are the same."""
    x = x.astype(np.float64)
    x /= np.abs(x).max(initial=0) or 1
    floor = SMALLEST_EIGENVALUE * np.square(x).sum()
    eigenvalues = np.square(np.linalg.svd(x - x.mean(axis=0), compute_uv=False))
    return eigenvalues[eigenvalues > floor]


def rankme_centred(eigenvalues: np.ndarray) -> float | None:
    """RankMe of features from which their mean was taken, from their `spectrum` [k]: in how many directions images differ. What is
    common to all images is no difference, however large. None where all are the same."""
    return _effective_rank(np.sqrt(eigenvalues)) if len(eigenvalues) else None


def uniformity(x: np.ndarray) -> float | None:
    """Wang and Isola 2020 (arXiv:2005.10242): log of the mean over pairs of different images of exp(-2 ||x - y||^2), on
    L2-normalised features. In [-8, 0], lower is more uniform; None with fewer than two images."""
    x = normalise(x)
    count = len(x)
    if count < 2:
        return None
    norm = (x * x).sum(axis=1)
    total = 0.0
    for start in range(0, count, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, count)
        squared = norm[start:stop, None] + norm[start:] - 2 * x[start:stop] @ x[start:].T
        affinity = np.exp(-UNIFORMITY_T * np.maximum(squared, 0))
        # Columns begin at `start`: pairs within the block are above its diagonal, all later columns are pairs.
        total += np.triu(affinity[:, : stop - start], k=1).sum() + affinity[:, stop - start :].sum()
    return float(np.log(total / (count * (count - 1) / 2)))


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Wang and Isola 2020: mean ||a - b||^2 over two views [N, D] of the same images, L2-normalised. In [0, 4], lower is more aligned."""
    return float(np.square(normalise(first) - normalise(second)).sum(axis=1).mean())


def alpha_req(eigenvalues: np.ndarray) -> float | None:
    """alpha-ReQ (Agrawal et al. 2022, NeurIPS): the eigenvalues of the features' covariance, their `spectrum` [k], fall like rank^-alpha.
    Weighted least squares of log eigenvalue on log rank, ranks 4 to 100 or as many as there are, weight 1 / rank: the authors'
    code, after Stringer et al. 2019. None with fewer than two eigenvalues in that range."""
    eigenvalues = eigenvalues[: ALPHA_RANKS[1]]
    rank = np.arange(1, len(eigenvalues) + 1)[ALPHA_RANKS[0] - 1 :]
    if len(rank) < 2:
        return None
    # polyfit squares its weights.
    return -float(np.polyfit(np.log(rank), np.log(eigenvalues[ALPHA_RANKS[0] - 1 :]), 1, w=rank**-0.5)[0])


def feature_std(x: np.ndarray) -> float:
    """Mean over dimensions of the standard deviation of L2-normalised features [N, D], times sqrt(D): 1 where they
    spread evenly over the sphere, 0 where all are equal (Chen and He 2021, arXiv:2011.10566, section 4.1)."""
    return float(normalise(x).std(axis=0).mean() * np.sqrt(x.shape[1]))


def measure(dataset: str, train_x: np.ndarray, crops: tuple[np.ndarray, np.ndarray] | None) -> list[Result]:
    """All of them, from train features [N, D] and those of two crops of the same images, [N, D] each; None of what has no crops."""
    x = train_x[evenly(len(train_x), MOST_IMAGES)]
    eigenvalues = spectrum(x)
    directions = rankme_centred(eigenvalues)
    values = {
        "rankme": rankme(x),
        "uniformity": uniformity(x),
        **({"alignment": alignment(*crops)} if crops else {}),
        "alpha_req": alpha_req(eigenvalues),
        "feature_std": feature_std(x),
        "rankme_centred": directions,
        "collapsed_centred": float(directions is None or directions < COLLAPSED),
    }
    images = {metric: len(crops[0]) if crops and metric == "alignment" else len(x) for metric in values}
    return [
        Result(evaluator="label_free", dataset=dataset, split="train", metric=metric, value=value, n=images[metric])
        for metric, value in values.items()
    ]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` on the pretraining data set's train split. ValueError where a feature is not finite."""
    arrays = require_finite("label_free", features.arrays(test=False))
    crops = finite_crops("label_free", arrays.dataset, features.two_crops()) if features.cropped else None
    return measure(arrays.dataset, arrays.train_x, crops)
