"""Checks of single calls: one encoding, one loss, one gradient at a time.

Each returns where the method keeps the rule, and raises Broken where it does not; bench/conformance/check.py runs them.
B images of a batch, D features.
"""

import copy
import math

import torch
from torch import Tensor, nn

from bench.compute.flops import count_flops
from bench.compute.precision import computing_in
from bench.conformance.case import Case, require, steady_globals
from bench.conformance.state import copied, differing
from bench.encoders.features import extract
from bench.method import Method, projection_of
from bench.parts.budgets import Needed
from bench.training.step import phase_of

ENCODE_TOLERANCE = 1e-5
"""Largest difference between an image's features in two batches, relative to the largest feature: float32 rounding."""

LAST_PROGRESS = 0.99
"""Stands for the last phase of a run."""

BATCH_NORM = nn.modules.batchnorm._BatchNorm
"""What all of torch's BatchNorms are; torch has no public name for it."""


def check_encode(case: Case) -> None:
    method, images = case.encoding.eval(), case.normalised()
    functions, project = {"encode": method.encode, **method.encode_also()}, projection_of(method)
    for name, function in (functions | ({"project": project} if project else {})).items():
        with torch.no_grad():
            with computing_in("bf16", "cpu"):
                coarse = function(images[:1]).dtype
            # What `project` returns is a step of the loss, which makes of it what it needs.
            right = coarse == torch.float32 or function is project
            require(right, f"under bfloat16 autocast {name} returns {coarse}: end it with .float(), before any mean")
            together = function(images)
            require(isinstance(together, Tensor) and together.ndim == 2, f"{name} must return a tensor [B, D]")
            require(together.dtype == torch.float32, f"{name} must return float32, not {together.dtype}")
            require(len(together) == len(images), f"{name} returned {len(together)} rows for {len(images)} images")
            require(together.isfinite().all(), f"{name} returned numbers that are not finite")
            for size in (1, 33):
                apart = function(images[:size])
                error = (apart - together[:size]).abs().max() / together.abs().max().clamp(min=1e-12)
                require(
                    error <= ENCODE_TOLERANCE,
                    f"{name} of an image depends on the rest of the batch (relative difference {error:.1g} in a batch of {size}): "
                    "use running statistics in eval mode, and nothing computed across the batch",
                )


def check_encode_leaves_no_trace(case: Case) -> None:
    method = case.encoding.eval()
    state, gradients = copied(method.state_dict()), torch.is_grad_enabled()
    first = method.encode(case.normalised())
    changed = differing(state, method.state_dict())
    require(not changed, f"encode changes {', '.join(changed[:3])}; it must leave the method as it was")
    require(not any(module.training for module in method.modules()), "encode switches modules to training mode; leave modes to the harness")
    require(torch.is_grad_enabled() == gradients, "encode leaves gradients switched; use `with torch.no_grad()` or nothing")
    require(torch.equal(first, method.encode(case.normalised())), "encode of the same images differs the second time")
    for number, module in enumerate(method.modules()):
        module.training = number % 2 == 0
    before = [module.training for module in method.modules()]
    extract(method, method.encode, case.images, case.mean, case.std, "float32", prepare=case.modality.prepare)
    require([module.training for module in method.modules()] == before, "modules are in another mode after features were extracted")


def check_loss(case: Case) -> None:
    trainer = case.begun()
    for progress in (0.0, *trainer.method.phases, LAST_PROGRESS):
        for precision in ("float32", "bf16"):
            batch = trainer.batch()
            with computing_in(precision, "cpu"):
                loss = trainer.method.loss(batch, progress)
            where = f"at progress {progress:g}" + (" under bfloat16 autocast" if precision == "bf16" else "")
            require(isinstance(loss, Tensor) and loss.shape == (), f"loss must return one number, a tensor of shape (), {where}")
            require(loss.dtype == torch.float32, f"loss is {loss.dtype} {where}: compute it in float32 (parts.full_precision)")
            require(loss.isfinite(), f"loss is {loss.item()} {where}")
            require(loss.requires_grad, f"loss has no gradient {where}: nothing trainable is in it")
    chance, needed = trainer.method.chance_loss(case.batch_size), trainer.method.needed(case.batch_size)
    finite = isinstance(chance, int | float) and math.isfinite(chance)
    require(chance is None or finite, f"chance_loss is {chance!r}: return a finite number, or None where there is none")
    sound = isinstance(needed, tuple) and all(isinstance(each, Needed) and each.steps > 0 for each in needed)
    require(sound, f"needed returns {needed!r}: return a tuple of bench.parts.Needed, each of 1 step or more")


def check_loss_changes_no_state(case: Case) -> None:
    trainer = case.begun()
    method = trainer.method
    modules = method.named_modules(remove_duplicate=False)  # a module may be known by two names
    norms = tuple(name for name, module in modules if isinstance(module, BATCH_NORM))
    for progress in (0.0, *method.phases, LAST_PROGRESS):
        before = copied(method.state_dict())
        method.loss(trainer.batch(), progress)
        changed = [name for name in differing(before, method.state_dict()) if name.rpartition(".")[0] not in norms]
        require(
            not changed,
            f"loss changes {', '.join(changed[:3])}: move that to after_step, since backward may still need the old values "
            "(BatchNorm's running statistics are the only exception)",
        )


def check_gradients(case: Case) -> None:
    trainer = case.begun()
    method = trainer.method
    trainable = {name: p for name, p in method.named_parameters() if p.requires_grad}
    frozen = {name: p for name, p in method.named_parameters() if not p.requires_grad}
    reached, moved, infinite = set(), biases_before_norm(method), set()
    for name, parameter in trainable.items():

        def seen(p: Tensor, name=name) -> None:
            reached.add(name)
            if not p.grad.isfinite().all():
                infinite.add(name)
            if p.grad.any():
                moved.add(name)

        parameter.register_post_accumulate_grad_hook(seen)
    # Two steps at each phase: a last layer that starts at zero gives those before it no gradient in the first.
    for progress in (0.0, *method.phases, LAST_PROGRESS):
        for _ in range(2):
            trainer.step(method, trainer.optimizer, trainer.batch(), progress)
            trainer.meter.steps += 1
    require(not infinite, f"the gradient of {', '.join(sorted(infinite)[:3])} is not finite")
    for name, parameter in frozen.items():
        require(not parameter.requires_grad and parameter.grad is None, f"{name} is frozen at construction and gets a gradient later")
    for name in trainable:
        require(
            name in reached,
            f"{name} is trainable and never gets a gradient: use it in loss without detach() or no_grad, freeze it with "
            "requires_grad_(False), or remove it (if it is used only later in training, declare `phases`)",
        )
        require(name in moved, f"the gradient of {name} is zero in every phase: the loss does not depend on it")


def biases_before_norm(method: Method) -> set[str]:
    """Fills itself as the method runs: biases whose module's output went straight into a BatchNorm in training mode. The mean
    is subtracted there, so their true gradient is zero and the measured one is rounding, which may be zero too."""
    found, came_from = set(), {}
    for prefix, module in method.named_modules():
        if isinstance(module, BATCH_NORM):

            def enters(norm: nn.Module, inputs: tuple) -> None:
                producer, output = came_from.get(id(inputs[0]), (None, None)) if inputs else (None, None)
                if producer and output is inputs[0] and norm.training:
                    found.add(producer)

            module.register_forward_pre_hook(enters)
        elif isinstance(getattr(module, "bias", None), Tensor):

            def leaves(layer: nn.Module, inputs: tuple, output: Tensor, prefix=prefix) -> None:
                # The tensor is kept, so that its id is not given to another one.
                came_from[id(output)] = f"{prefix}.bias".lstrip("."), output

            module.register_forward_hook(leaves)
    return found


def check_phases(case: Case) -> None:
    """FLOPs are measured once a phase, so within a phase every step must do the same work."""
    trainer = case.begun()
    method, batch = trainer.method, trainer.batch()
    first_of_phase: dict[str, tuple[float, float]] = {}
    for progress in sorted({0.0, 0.25, 0.5, 0.75, *method.phases, LAST_PROGRESS}):
        twin, draws = copy.deepcopy(method), copy.deepcopy(batch)

        def step(twin=twin, draws=draws, progress=progress) -> None:
            twin.loss(draws, progress).backward()
            twin.after_step(progress)

        flops = count_flops(step)
        start, expected = first_of_phase.setdefault(phase_of(method, progress), (progress, flops))
        require(
            flops == expected,
            f"a step takes {expected:.6g} FLOPs at progress {start:g} and {flops:.6g} at {progress:g}: list in `phases` every "
            "progress at which the work changes",
        )


def check_deepcopy(case: Case) -> None:
    """FLOPs are counted on a copy of the method: what happens to the copy must not reach the run."""
    trainer = case.begun()
    method, batch = trainer.method, trainer.batch
    state = copied(method.state_dict())
    twin = copy.deepcopy(method)
    with steady_globals():
        loss_of_twin = trainer.step(twin, None, trainer.batch(), 0.0).item()
    changed = differing(state, method.state_dict())
    touched = [name for name, parameter in method.named_parameters() if parameter.grad is not None]
    require(
        not changed and not touched,
        f"a step of a deep copy reaches {', '.join((changed or touched)[:3])} of the original: hold no function that has self inside",
    )
    with steady_globals():
        require(method.loss(batch(), 0.0).item() == loss_of_twin, "a deep copy's loss differs from the original's on the same batch")
