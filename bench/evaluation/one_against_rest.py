"""Logistic regressions of each class against all others, at many L2 strengths: one batched L-BFGS for all classes and strengths.

    probe = fit(x, y, ignored, strengths)     scores(probe, x) -> float64 [S, N, K]

For each class and strength it minimises over W [D] and an unpenalised intercept

    mean over images that are not ignored of the logistic loss + (strength / 2) * ||W||^2

on features standardised with the mean and deviation of all images: scikit-learn's LogisticRegression(C=1 / (strength * n)) of the class's n
images, and so its OneVsRestClassifier where none is ignored. Method, standardisation and axes are those of bench/evaluation/logistic.py;
every class and strength has its own steps and its own end. All features are in memory as float64.
N images, D features, K classes, S strengths, P pairs of a class and a strength, A of them still active, R axes and the intercept.
"""

from dataclasses import dataclass

import numpy as np
import torch

from bench.evaluation.lbfgs import minimise
from bench.evaluation.logistic import CONSTANT, LARGEST_HISTORY, LARGEST_LOGITS, principal_axes, remembered
from bench.machine import hardware


@dataclass(frozen=True)
class Probes:
    """Linear classifiers, one for each strength and class."""

    mean: np.ndarray
    """float64 [D], of the features that they were fitted on."""
    scale: np.ndarray
    """float64 [D]: 1 / standard deviation, 0 for constant features."""
    weights: np.ndarray
    """float64 [S, D, K], on standardised features; 0 for a class that cannot be fitted."""
    intercept: np.ndarray
    """float64 [S, K]; 0 there too, so that all images have one score."""
    fitted: np.ndarray
    """bool [K]: whether an image shows the class and another one, not ignored, does not."""
    objective: np.ndarray
    """float64 [S, K]: the minimum that was reached."""
    converged: np.ndarray
    """bool [S, K]"""


class Sigmoids:
    """The objective of P pairs (bench.evaluation.lbfgs.Objective, of one column of weights each), all logits kept."""

    num_classes = 1

    def __init__(self, design: torch.Tensor, targets: torch.Tensor, shares: torch.Tensor):
        """design float64 [N, R]; targets float64 [N, P], 0 or 1; shares float64 [N, P]: an image's in the mean, 0 of one ignored."""
        self.design, self.targets, self.shares = design, targets, shares

    def begin(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        self.moved = torch.zeros_like(self.targets)
        return self._value(w, penalty)

    def aim(self, direction: torch.Tensor) -> None:
        self.move = self.design @ direction[:, :, 0]

    def reach(self, trial: torch.Tensor, length: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        self.moved = torch.addcmul(self.logits, length, self.move)
        return self._value(trial, penalty)

    def gradient(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        self.logits = self.moved
        residual = (self.logits.sigmoid() - self.targets).mul_(self.shares)
        return (self.design.T @ residual)[:, :, None] + penalty[:, :, None] * w

    def keep(self, which: torch.Tensor) -> None:
        self.logits, self.targets, self.shares = self.logits[:, which], self.targets[:, which], self.shares[:, which]

    def _value(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        loss = torch.logaddexp(self.moved, self.moved.new_zeros(())) - self.targets * self.moved
        return (loss * self.shares).sum(dim=0) + (w.square().sum(dim=2) * penalty).sum(dim=0) / 2


def fit(x: np.ndarray, y: np.ndarray, ignored: np.ndarray, strengths: tuple[float, ...]) -> Probes:
    """x float32 [N, D], y and ignored bool [N, K], strengths > 0. Solved on the GPU where there is one, in float64 there too.
    Deterministic for an equal device and number of threads."""
    device, counted = hardware.device(), ~ignored
    fitted = y.any(axis=0) & (counted & ~y).any(axis=0)
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    constant = deviation <= CONSTANT * np.abs(mean)
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
    features, axes, variance = principal_axes(torch.from_numpy((x - mean) * scale).to(device))
    design = torch.cat([features, features.new_ones(len(x), 1)], dim=1)
    curvature = torch.cat([variance, variance.new_ones(1)]) / 4  # of the logistic loss at 0

    shape = (len(strengths), y.shape[1])
    weights, intercept = np.zeros((*shape, x.shape[1])), np.zeros(shape)
    objective, converged = np.full(shape, np.nan), np.ones(shape, dtype=bool)
    # Strengths as float32 has them, as those of logistic.py are.
    solved_at = torch.tensor(strengths).double().to(device)
    pairs = np.argwhere(np.broadcast_to(fitted, shape))
    at_once = min(remembered(LARGEST_HISTORY, len(curvature), 1), max(1, LARGEST_LOGITS // len(x)))
    for start in range(0, len(pairs), at_once):
        of_strength, of_class = pairs[start : start + at_once].T
        targets, shares = (torch.from_numpy(array[:, of_class].astype(np.float64)).to(device) for array in (y, counted))
        objective_of = Sigmoids(design, targets, shares / shares.sum(dim=0))
        solution, reached, done = minimise(objective_of, curvature, solved_at[torch.from_numpy(of_strength).to(device)])
        weights[of_strength, of_class] = (solution[:, :-1, 0] @ axes.T).cpu().numpy()
        intercept[of_strength, of_class] = solution[:, -1, 0].cpu().numpy()
        objective[of_strength, of_class], converged[of_strength, of_class] = reached.cpu().numpy(), done.cpu().numpy()
    return Probes(mean, scale, weights.transpose(0, 2, 1), intercept, np.asarray(fitted), objective, converged)


def scores(probes: Probes, x: np.ndarray) -> np.ndarray:
    """[N, D] -> float64 [S, N, K], higher where an image is likelier to show the class."""
    standardised = (x - probes.mean) * probes.scale
    return np.stack([standardised @ w + b for w, b in zip(probes.weights, probes.intercept, strict=True)])
