"""Multinomial logistic regression at many L2 strengths at once: one batched L-BFGS, one matrix product for all strengths.

    probe = fit(x, y, strengths)     predict(probe, x) -> int64 [S, N]

For each strength it minimises over W [D, K] and an unpenalised intercept

    mean over images of the cross-entropy + (strength / 2) * ||W||^2

on standardised features: scikit-learn's LogisticRegression(C=1 / (strength * N)) for three or more classes. With two
classes scikit-learn has one weight vector where softmax has two, and the equal one is C = 2 / (strength * N).

Method: L-BFGS (Liu and Nocedal 1989; Nocedal and Wright, Numerical Optimization, algorithm 7.4) in float64, from zero. Features are
turned to their principal axes, which changes neither the objective nor the penalty; there the Hessian at the start
is near diagonal, so its diagonal is the preconditioner. Logits are linear in the step: the line search costs no product.
N images, D features, K classes present, S strengths, A strengths still active, R axes and the intercept.
"""

from dataclasses import dataclass

import numpy as np
import torch

from bench.evaluation.lbfgs import minimise
from bench.machine import hardware

LARGEST_LOGITS = 2**25
"""Entries of [N, A, K] float64 that are worked on at once (256 MiB); more strengths than fit are solved in turn."""

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
    mean = x.mean(axis=0, dtype=np.float64)
    deviation = x.std(axis=0, dtype=np.float64)
    constant = deviation <= CONSTANT * np.abs(mean)
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
    classes, targets = np.unique(y, return_inverse=True)

    features, axes, variance = _principal_axes(torch.from_numpy((x - mean) * scale).to(device))
    design = torch.cat([features, features.new_ones(len(x), 1)], dim=1)
    curvature = torch.cat([variance, variance.new_ones(1)]) / len(classes)
    # Strengths as float32 has them, so that every record's probe is solved at the same ones.
    targets, solved_at = torch.from_numpy(targets).to(device), torch.tensor(strengths).double().to(device)
    at_once = max(1, LARGEST_LOGITS // (len(x) * len(classes)))
    parts = [
        minimise(design, targets, len(classes), curvature, solved_at[start : start + at_once])
        for start in range(0, len(solved_at), at_once)
    ]
    solution, objective, converged = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    weights = axes @ solution[:, :-1]
    found = [tensor.cpu().numpy() for tensor in (weights, solution[:, -1], objective, converged)]
    return Probe(mean, scale, found[0], found[1], classes, found[2], found[3])


def predict(probe: Probe, x: np.ndarray) -> np.ndarray:
    """[N, D] -> predicted label int64 [S, N]; equal scores go to the lower label."""
    standardised = (x - probe.mean) * probe.scale
    scores = standardised @ probe.weights + probe.intercept[:, None]
    return probe.classes[scores.argmax(axis=2)]


def _principal_axes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[N, D] -> x along its principal axes [N, R], the axes [D, R] with orthonormal columns, and their variance [R].

    R is the rank of x, at least 1: the minimiser lies in the span of the images, so weights on axes without variance are
    zero, and time goes with R. Grey images repeated to 3 channels have a third of their axes."""
    span = None
    if x.shape[1] > x.shape[0]:
        span, triangle = torch.linalg.qr(x.T)
        x = triangle.T
    variance, axes = torch.linalg.eigh(x.T @ x / len(x))
    keep = variance > VARIANCELESS * variance[-1]  # in ascending order
    keep[-1] = True
    variance, axes = variance[keep], axes[:, keep]
    return x @ axes, axes if span is None else span @ axes, variance.clamp(min=0)
