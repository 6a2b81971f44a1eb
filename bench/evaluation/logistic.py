"""Multinomial logistic regression at many L2 strengths at once: one batched L-BFGS, one matrix product for all strengths.

    probe = fit(x, y, strengths)     predict(probe, x) -> int64 [S, N]

For each strength it minimises over W [D, K] and an unpenalised intercept

    mean over images of the cross-entropy + (strength / 2) * ||W||^2

on standardised features: scikit-learn's LogisticRegression(C=1 / (strength * N)) for three or more classes. With two
classes scikit-learn has one weight vector where softmax has two, and the equal one is C = 2 / (strength * N).

Method: L-BFGS (Liu and Nocedal 1989; Nocedal and Wright, Numerical Optimization, algorithm 7.4) in float64, from zero. Features are
turned to their principal axes, which changes neither the objective nor the penalty; there the Hessian at the start
is near diagonal, so its diagonal is the preconditioner. Where there is room for them, logits are kept: they are linear in the step, and the
line search costs no product. Else images are looked at in blocks, and beside them and the weights memory is bounded.
N images, D features, K classes present, S strengths, A strengths still active, R axes and the intercept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bench.evaluation.lbfgs import HISTORY, Blocks, Whole, minimise
from bench.machine import hardware

LARGEST_LOGITS = 2**25
"""Entries of [N, A, K] float64 that are worked on at once (256 MiB); more strengths than fit are solved in turn, and where one does not fit
images are looked at in blocks."""

LARGEST_FEATURES = 2**29
"""Entries of [N, D] float64 that are kept (4 GiB); more are looked at in blocks too."""

BLOCK = 2**23
"""Entries of a block, float64 [n, D] or [n, A, K], whichever is larger (64 MiB)."""

LARGEST_HISTORY = 2**28
"""Entries of what L-BFGS remembers at once, 2 HISTORY [R, A, K] (2 GiB); where few images have many classes it is what bounds A."""

HISTORY_BESIDE_BLOCKS = 2**26
"""The same where images are looked at in blocks (512 MiB)."""

CONSTANT = 1e-6
"""A feature whose standard deviation is below this times its mean's size is constant: float32 resolves 1.2e-7."""

VARIANCELESS = 1e-12
"""An axis whose variance is at most this times the largest is round-off of float64, and left out."""


@dataclass(frozen=True)
class Probe:
    """Linear classifiers, one per strength."""

    mean: np.ndarray
    """float64 [D], of the features that it was fitted on."""
    scale: np.ndarray
    """float64 [D]: 1 / standard deviation, 0 for constant features."""
    weights: np.ndarray
    """float64 [S, D, K], on standardised features."""
    intercept: np.ndarray
    """float64 [S, K]"""
    classes: np.ndarray
    """int64 [K]: the labels that were there to fit; no other is ever predicted."""
    objective: np.ndarray
    """float64 [S]: the minimum that was reached."""
    converged: np.ndarray
    """bool [S]"""


def fit(x: np.ndarray, y: np.ndarray, strengths: tuple[float, ...]) -> Probe:
    """x float32 [N, D], y int64 [N], strengths > 0. Solved on the GPU where there is one, in float64 there too. Deterministic for an equal
    device and number of threads."""
    device = hardware.device()
    classes, targets = np.unique(y, return_inverse=True)
    # Strengths as float32 has them, so that every record's probe is solved at the same ones.
    targets, solved_at = torch.from_numpy(targets).to(device), torch.tensor(strengths).double().to(device)
    mean = x.mean(axis=0, dtype=np.float64)
    whole = fits(len(x), x.shape[1], len(classes))
    deviation = x.std(axis=0, dtype=np.float64) if whole else _deviation(x, mean)
    constant = deviation <= CONSTANT * np.abs(mean)
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))

    if whole:
        features, axes, variance = principal_axes(torch.from_numpy((x - mean) * scale).to(device))
        objective_of = Whole(torch.cat([features, features.new_ones(len(x), 1)], dim=1), targets, len(classes))
        at_once = min(remembered(LARGEST_HISTORY, len(variance) + 1, len(classes)), max(1, LARGEST_LOGITS // (len(x) * len(classes))))
    else:
        at_once = remembered(HISTORY_BESIDE_BLOCKS, x.shape[1] + 1, len(classes))
        blocks = _blocks(x, mean, scale, max(1, BLOCK // max(x.shape[1], min(at_once, len(strengths)) * len(classes))), device)
        covariance = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64, device=device)
        for block in blocks():
            covariance.addmm_(block.T, block, alpha=1 / len(x))
        axes, variance = _spanned(covariance)
        objective_of = Blocks(blocks, axes, targets, len(classes))
    curvature = torch.cat([variance, variance.new_ones(1)]) / len(classes)
    parts = [minimise(objective_of, curvature, solved_at[start : start + at_once]) for start in range(0, len(solved_at), at_once)]
    solution, objective, converged = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    weights = axes @ solution[:, :-1]
    found = [tensor.cpu().numpy() for tensor in (weights, solution[:, -1], objective, converged)]
    return Probe(mean, scale, found[0], found[1], classes, found[2], found[3])


def remembered(entries: int, columns: int, classes: int) -> int:
    """entries: how many may be remembered at once -> of how many strengths: at least 1."""
    return max(1, entries // (2 * HISTORY * columns * classes))


def fits(images: int, features: int, classes: int) -> bool:
    """Whether all images are looked at together."""
    return images * classes <= LARGEST_LOGITS and images * features <= LARGEST_FEATURES


def predict(probe: Probe, x: np.ndarray) -> np.ndarray:
    """[N, D] -> predicted label int64 [S, N]; equal scores go to the lower label."""
    strengths, columns, classes = probe.weights.shape
    rows = len(x) if fits(len(x), columns, classes) else max(1, BLOCK // max(columns, classes))
    predicted = np.empty((strengths, len(x)), dtype=np.int64)
    for start in range(0, len(x), rows):
        standardised = (x[start : start + rows] - probe.mean) * probe.scale
        for strength in range(strengths):
            scores = standardised @ probe.weights[strength] + probe.intercept[strength]
            predicted[strength, start : start + rows] = scores.argmax(axis=1)
    return probe.classes[predicted]


def logits(probe: Probe, x: np.ndarray) -> np.ndarray:
    """[N, D] -> float64 [N, K] of the first strength's classifier, over the classes that it was fitted on."""
    found = np.empty((len(x), len(probe.classes)))
    rows = max(1, BLOCK // max(probe.weights.shape[1:]))
    for start in range(0, len(x), rows):
        standardised = (x[start : start + rows] - probe.mean) * probe.scale
        found[start : start + rows] = standardised @ probe.weights[0] + probe.intercept[0]
    return found


def _blocks(x: np.ndarray, mean: np.ndarray, scale: np.ndarray, rows: int, device: torch.device) -> Callable[[], Iterator[torch.Tensor]]:
    """What yields the standardised features of so many images at a time, float64 [n, D]; on a GPU they lie as float32."""
    features, middle, factor = (torch.from_numpy(values).to(device) for values in (x, mean, scale))

    def blocks() -> Iterator[torch.Tensor]:
        for part in features.split(rows):
            yield part.double().sub_(middle).mul_(factor)

    return blocks


def _deviation(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """[N, D] -> standard deviation float64 [D], a block of images at a time."""
    rows = max(1, BLOCK // x.shape[1])
    squares = sum(np.square(x[start : start + rows] - mean).sum(axis=0) for start in range(0, len(x), rows))
    return np.sqrt(squares / len(x))


def principal_axes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[N, D] -> x along its principal axes [N, R], the axes [D, R] with orthonormal columns, and their variance [R].

    R is the rank of x, at least 1: the minimiser lies in the span of the images, so weights on axes without variance are
    zero, and time goes with R. Grey images repeated to 3 channels have a third of their axes."""
    span = None
    if x.shape[1] > x.shape[0]:
        span, triangle = torch.linalg.qr(x.T)
        x = triangle.T
    axes, variance = _spanned(x.T @ x / len(x))
    return x @ axes, axes if span is None else span @ axes, variance


def _spanned(covariance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[D, D] -> the principal axes that have variance, at least one, [D, R], and their variance [R]."""
    variance, axes = torch.linalg.eigh(covariance)
    keep = variance > VARIANCELESS * variance[-1]  # in ascending order
    keep[-1] = True
    return axes[:, keep], variance[keep].clamp(min=0)
