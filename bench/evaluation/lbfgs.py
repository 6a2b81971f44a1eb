"""L-BFGS for a batch of softmax regressions that share their images and differ in the L2 strength.

    solution, objective, converged = minimise(design, targets, num_classes, curvature, strengths)

Liu and Nocedal 1989; Nocedal and Wright, Numerical Optimization, algorithm 7.4. Every strength has its own step
length, history and end; those that are done leave the batch. Backtracking needs no curvature condition here: the
objective is strictly convex in the weights, so every step sees a positive curvature.
N images, R columns (the last one is 1, for the intercept), K classes, S strengths, A strengths still active.
"""

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


def minimise(
    design: torch.Tensor, targets: torch.Tensor, num_classes: int, curvature: torch.Tensor, strengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """design float64 [N, R], targets int64 [N], curvature float64 [R] (about the Hessian's diagonal at 0, without the
    penalty), strengths float64 [S], all on one device -> solution [S, R, K], objective [S], converged bool [S]."""
    images, columns = design.shape
    active, rows = torch.arange(len(strengths), device=design.device), torch.arange(images, device=design.device)
    # [R, A]: what multiplies the weights in the gradient; the intercept is not penalised.
    penalty = strengths.repeat(columns, 1)
    penalty[-1] = 0
    inverse = 1 / (curvature[:, None] + penalty)
    solution = design.new_zeros(len(strengths), columns, num_classes)
    objective = design.new_zeros(len(strengths))
    converged = torch.zeros(len(strengths), dtype=torch.bool, device=design.device)

    w = design.new_zeros(columns, len(strengths), num_classes)
    logits = design.new_zeros(images, len(strengths), num_classes)
    value, log_probability = _objective(logits, targets, w, penalty)
    last, pairs = None, []  # the last step and the gradient before it
    for _ in range(MAX_ITERATIONS):
        residual = log_probability.exp_()
        residual[rows, :, targets] -= 1
        gradient = (design.T @ residual.flatten(1)).view_as(w) / images + penalty[:, :, None] * w
        if last is not None:
            pairs = [*pairs[1 - HISTORY :], (last[0], gradient - last[1])]
        direction = -_inverse_hessian_times(gradient, pairs, inverse)
        promised = -_dot(direction, gradient)

        done = promised <= TOLERANCE * value
        if done.any():
            finished, keep = active[done], ~done
            solution[finished], objective[finished], converged[finished] = w[:, done].transpose(0, 1), value[done], True
            active, w, logits, value, promised = active[keep], w[:, keep], logits[:, keep], value[keep], promised[keep]
            penalty, inverse, gradient, direction = penalty[:, keep], inverse[:, keep], gradient[:, keep], direction[:, keep]
            pairs = [(s[:, keep], change[:, keep]) for s, change in pairs]
            if len(active) == 0:
                break

        move = (design @ direction.flatten(1)).view_as(logits)
        length = torch.ones_like(value)
        for _ in range(MAX_HALVINGS):
            trial = w + length[:, None] * direction
            moved = torch.addcmul(logits, length[:, None], move)
            reached, log_probability = _objective(moved, targets, trial, penalty)
            enough = reached <= value - SUFFICIENT * length * promised
            if enough.all():
                break
            length = torch.where(enough, length, length / 2)
        last, w, logits, value = (trial - w, gradient), trial, moved, reached
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
