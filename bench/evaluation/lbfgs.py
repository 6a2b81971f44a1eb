"""L-BFGS for a batch of softmax regressions that share their images and differ in the L2 strength.

    solution, objective, converged = minimise(Whole(design, targets, num_classes), curvature, strengths)

Whole has all images' logits in memory; Blocks looks at so many images at a time, in as much memory as is wanted.

Liu and Nocedal 1989; Nocedal and Wright, Numerical Optimization, algorithm 7.4. Every strength has its own step
length, history and end; those that are done leave the batch. Backtracking needs no curvature condition here: the
objective is strictly convex in the weights, so every step sees a positive curvature.
N images, R columns (the last one is 1, for the intercept), K classes, S strengths, A strengths still active.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import torch

TOLERANCE = 1e-7
"""A strength is done when the decrease that a quasi-Newton step promises, relative to the objective, is below this.
The objective is then within about 1e-5 of its minimum (tests/evaluation/test_evals.py)."""

MAX_ITERATIONS = 2000
MAX_HALVINGS = 40
SUFFICIENT = 1e-4
"""Part of the promised decrease that a step must bring (Armijo; Nocedal and Wright's c1)."""

HISTORY = 10
"""Pairs of steps and gradient changes that are remembered."""


class Objective(Protocol):
    """mean cross-entropy + (strength / 2) ||W||^2 of a batch of strengths, at weights w [R, A, K]; penalty [R, A]: of their squares."""

    num_classes: int

    def begin(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        """[A], at weights of zero, where a search begins."""
        ...

    def aim(self, direction: torch.Tensor) -> None:
        """The trials that follow lie along this, [R, A, K]."""
        ...

    def reach(self, trial: torch.Tensor, length: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        """[A] at `trial`, which is so far, [A], along the direction."""
        ...

    def gradient(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        """[R, A, K] at what was reached last; asked once. From there the next search begins."""
        ...

    def keep(self, which: torch.Tensor) -> None:
        """Only these strengths, bool [A], go on."""
        ...


class Whole:
    """All logits are kept: they are linear in the step, so the line search costs no product."""

    def __init__(self, design: torch.Tensor, targets: torch.Tensor, num_classes: int):
        """design float64 [N, R], targets int64 [N]."""
        self.design, self.targets, self.num_classes = design, targets, num_classes
        self.rows = torch.arange(len(design), device=design.device)

    def begin(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        self.moved = self.design.new_zeros(len(self.design), *w.shape[1:])
        value, self.log_probability = _objective(self.moved, self.targets, w, penalty)
        return value

    def aim(self, direction: torch.Tensor) -> None:
        self.move = (self.design @ direction.flatten(1)).view_as(self.logits)

    def reach(self, trial: torch.Tensor, length: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        self.moved = torch.addcmul(self.logits, length[:, None], self.move)
        value, self.log_probability = _objective(self.moved, self.targets, trial, penalty)
        return value

    def gradient(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        residual = self.log_probability.exp_()
        residual[self.rows, :, self.targets] -= 1
        self.logits = self.moved
        return (self.design.T @ residual.flatten(1)).view_as(w) / len(self.design) + penalty[:, :, None] * w

    def keep(self, which: torch.Tensor) -> None:
        self.logits = self.logits[:, which]


class Blocks:
    """So many images at a time, whose features are made anew at every look. Value and gradient of a trial are made together: two products
    for each trial, where nearly every search has one, as Whole has two for each search."""

    def __init__(self, blocks: Callable[[], Iterator[torch.Tensor]], axes: torch.Tensor, targets: torch.Tensor, num_classes: int):
        """blocks: yields all images in order, float64 [n, D]. axes: float64 [D, R - 1], on which they are seen. targets: int64 [N]."""
        self.blocks, self.axes, self.targets, self.num_classes = blocks, axes, targets, num_classes

    def begin(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        return self.reach(w, w, penalty)

    def aim(self, direction: torch.Tensor) -> None:
        """A trial has all that is needed."""

    def reach(self, trial: torch.Tensor, length: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        # The weights are turned instead of the images, of which there are more.
        weights, start = self.axes @ trial[:-1].flatten(1), 0
        value, products, sums = trial.new_zeros(trial.shape[1]), torch.zeros_like(weights), torch.zeros_like(trial[-1])
        for features in self.blocks():
            targets = self.targets[start : start + len(features)]
            rows, start = torch.arange(len(features), device=features.device), start + len(features)
            logits = torch.addmm(trial[-1].flatten(), features, weights).view(len(features), *trial.shape[1:])
            log_probability = logits.log_softmax(dim=2)
            value -= log_probability[rows, :, targets].sum(dim=0)
            residual = log_probability.exp_()
            residual[rows, :, targets] -= 1
            products.addmm_(features.T, residual.flatten(1))
            sums += residual.sum(dim=0)
        self.slope = torch.cat([(self.axes.T @ products).view_as(trial[:-1]), sums[None]]) / len(self.targets)
        return value / len(self.targets) + (trial.square().sum(dim=2) * penalty).sum(dim=0) / 2

    def gradient(self, w: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
        return self.slope + penalty[:, :, None] * w

    def keep(self, which: torch.Tensor) -> None:
        """Every trial begins from its own weights."""


def minimise(objective_of: Objective, curvature: torch.Tensor, strengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """curvature float64 [R] (about the Hessian's diagonal at 0, without the penalty), strengths float64 [S], on the objective's device
    -> solution [S, R, K], objective [S], converged bool [S]."""
    columns = len(curvature)
    active = torch.arange(len(strengths), device=curvature.device)
    # [R, A]: what multiplies the weights in the gradient; the intercept is not penalised.
    penalty = strengths.repeat(columns, 1)
    penalty[-1] = 0
    inverse = 1 / (curvature[:, None] + penalty)
    solution = curvature.new_zeros(len(strengths), columns, objective_of.num_classes)
    objective = curvature.new_zeros(len(strengths))
    converged = torch.zeros(len(strengths), dtype=torch.bool, device=curvature.device)

    w = curvature.new_zeros(columns, len(strengths), objective_of.num_classes)
    value = objective_of.begin(w, penalty)
    last, pairs = None, []  # the last step and the gradient before it
    for _ in range(MAX_ITERATIONS):
        gradient = objective_of.gradient(w, penalty)
        if last is not None:
            pairs = [*pairs[1 - HISTORY :], (last[0], gradient - last[1])]
        direction = -_inverse_hessian_times(gradient, pairs, inverse)
        promised = -_dot(direction, gradient)

        done = promised <= TOLERANCE * value
        if done.any():
            finished, keep = active[done], ~done
            solution[finished], objective[finished], converged[finished] = w[:, done].transpose(0, 1), value[done], True
            active, w, value, promised = active[keep], w[:, keep], value[keep], promised[keep]
            penalty, inverse, gradient, direction = penalty[:, keep], inverse[:, keep], gradient[:, keep], direction[:, keep]
            pairs = [(s[:, keep], change[:, keep]) for s, change in pairs]
            objective_of.keep(keep)
            if len(active) == 0:
                break

        objective_of.aim(direction)
        length = torch.ones_like(value)
        for _ in range(MAX_HALVINGS):
            trial = w + length[:, None] * direction
            reached = objective_of.reach(trial, length, penalty)
            enough = reached <= value - SUFFICIENT * length * promised
            if enough.all():
                break
            length = torch.where(enough, length, length / 2)
        last, w, value = (trial - w, gradient), trial, reached
    solution[active], objective[active] = w.transpose(0, 1), value
    return solution, objective, converged


def _objective(logits: torch.Tensor, targets: torch.Tensor, w: torch.Tensor, penalty: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """logits [N, A, K], w [R, A, K], penalty [R, A] -> mean cross-entropy + (strength / 2) ||W||^2, [A], and the
    log-probabilities [N, A, K]."""
    log_probability = logits.log_softmax(dim=2)
    chosen = log_probability[torch.arange(len(targets), device=targets.device), :, targets]
    return (w.square().sum(dim=2) * penalty).sum(dim=0) / 2 - chosen.mean(dim=0), log_probability


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[R, A, K] twice -> [A]"""
    return (a * b).sum(dim=(0, 2))


def _inverse_hessian_times(gradient: torch.Tensor, pairs: list[tuple[torch.Tensor, torch.Tensor]], inverse: torch.Tensor) -> torch.Tensor:
    """The two loops: gradient [R, A, K], pairs of (step, gradient change), inverse [R, A] -> [R, A, K]."""
    q = gradient.clone()
    stack = []
    for s, change in reversed(pairs):
        curvature = _dot(s, change)
        # A step of length zero carries no curvature: rho = 0 leaves that strength as if the pair were not there.
        rho = torch.where(curvature > 0, 1 / curvature, 0.0)
        alpha = rho * _dot(s, q)
        q -= alpha[:, None] * change
        stack.append((s, change, rho, alpha))
    q = q * inverse[:, :, None]
    if pairs:
        s, change = pairs[-1]
        ratio = _dot(s, change) / _dot(change, change * inverse[:, :, None])
        q = q * torch.where(torch.isfinite(ratio) & (ratio > 0), ratio, 1.0)[:, None]
    for s, change, rho, alpha in reversed(stack):
        q += (alpha - rho * _dot(change, q))[:, None] * s
    return q
