"""From a recipe to an optimizer: parameter groups, and learning rate and weight decay as functions of progress."""

import math
from typing import Any

import torch
from torch import nn

from bench.spec import Recipe

# Torch's own: what all its BatchNorms and InstanceNorms are has no public name.
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

WARMUP_START = 0.01
"""Warm-up begins at this part of the learning rate: at 0 the first step of a short run would be wasted."""


def schedule_at(shape: str, progress: float, warmup: float = 0.0) -> float:
    """The factor on the base value: linear warm-up, then cosine or linear to 0, or constant."""
    if progress < warmup:
        return WARMUP_START + (1 - WARMUP_START) * progress / warmup
    after = (progress - warmup) / (1 - warmup)
    if shape == "cosine":
        return 0.5 * (1 + math.cos(math.pi * after))
    return 1 - after if shape == "linear" else 1.0


def lr_at(recipe: Recipe, progress: float, shape: str | None = None) -> float:
    """Learning rate at `progress`, scaled to the global batch."""
    base = recipe.lr * (recipe.batch_size / recipe.lr_per_batch if recipe.lr_per_batch else 1)
    return base * schedule_at(shape or recipe.schedule, progress, recipe.warmup)


def weight_decay_at(recipe: Recipe, progress: float) -> float:
    """Weight decay at `progress`: constant, or along a cosine to weight_decay_end."""
    if recipe.weight_decay_end is None:
        return recipe.weight_decay
    start, end = recipe.weight_decay, recipe.weight_decay_end
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


def excluded(method: nn.Module, exclude: tuple[str, ...]) -> set[str]:
    """Names of the parameters that skip weight decay and LARS adaptation, as Recipe.exclude says: by dimension and not by name, as the
    authors' code of Barlow Twins, VICReg, DINO and MAE."""
    found = set()
    for prefix, module in method.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            kind = "norm" if isinstance(module, NORMS) else "bias" if parameter.ndim <= 1 else None
            if kind in exclude:
                found.add(f"{prefix}.{name}" if prefix else name)
    return found


def parameter_groups(method: nn.Module, recipe: Recipe) -> list[dict]:
    """The trainable parameters by treatment: params, names, own (the recipe's group, or None), decays. A ValueError where a group of
    the recipe has no parameter, or nothing is trained."""
    skip = excluded(method, recipe.exclude)
    groups: dict[tuple, dict] = {}
    for name, parameter in method.named_parameters():
        if not parameter.requires_grad:
            continue
        # The longest prefix is the most specific.
        own = max((g for g in recipe.groups if name.startswith(g.prefix)), key=lambda g: len(g.prefix), default=None)
        decays = name not in skip
        group = groups.setdefault((own, decays), {"params": [], "names": [], "own": own, "decays": decays})
        group["params"].append(parameter)
        group["names"].append(name)
    for group in recipe.groups:
        if not any(name.startswith(group.prefix) for name, _ in method.named_parameters()):
            raise ValueError(f"no parameter starts with '{group.prefix}', which the recipe has a group for")
    if not groups:
        raise ValueError("none of its parameters is trained")
    return list(groups.values())


def build_optimizer(method: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """An optimizer over the trainable parameters, one group for each distinct treatment; `set_progress` drives it."""
    groups = parameter_groups(method, recipe)
    options = [{"params": g["params"], **({"always_adapt": g["decays"]} if recipe.optimizer == "lars" else {})} for g in groups]
    if recipe.optimizer == "sgd":
        # Not fused: torch's fused SGD fails where a parameter has its first gradient later than others (a layer that thaws).
        optimizer = torch.optim.SGD(options, lr=1.0, momentum=recipe.momentum, nesterov=recipe.nesterov, foreach=True)
    elif recipe.optimizer == "lars":
        # timm's import costs seconds, and only LARS needs it here.
        from timm.optim.lars import Lars

        momentum: Any = recipe.momentum  # timm writes int and means float
        how = {"nesterov": recipe.nesterov, "trust_coeff": recipe.eta, "trust_clip": recipe.clip_trust}
        optimizer = Lars(options, lr=1.0, momentum=momentum, **how)
    else:
        cls = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        optimizer = cls(options, lr=1.0, betas=recipe.betas, weight_decay=0.0, fused=True)
    for built, group in zip(optimizer.param_groups, groups, strict=True):
        built.update(names=group["names"], own=group["own"], decays=group["decays"])
    return optimizer


def set_progress(optimizer: torch.optim.Optimizer, recipe: Recipe, progress: float) -> None:
    """Give every group its learning rate and weight decay for the step that begins at `progress`."""
    for group in optimizer.param_groups:
        own = group["own"]
        group["lr"] = lr_at(recipe, progress, own and own.schedule) * (own.lr_scale if own else 1.0)
        decay = own.weight_decay if own and own.weight_decay is not None else weight_decay_at(recipe, progress)
        group["weight_decay"] = decay if group["decays"] else 0.0


def clear_state(optimizer: torch.optim.Optimizer, prefixes: tuple[str, ...]) -> None:
    """Forget momenta of the parameters whose names start with one of `prefixes` (a head that was re-initialised)."""
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            if name.startswith(prefixes):
                optimizer.state.pop(parameter, None)


def state_by_name(optimizer: torch.optim.Optimizer) -> dict[str, dict]:
    """The optimizer's state keyed by parameter name: what a checkpoint keeps."""
    return {
        name: dict(optimizer.state[parameter])
        for group in optimizer.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
        if parameter in optimizer.state
    }


def load_state_by_name(optimizer: torch.optim.Optimizer, state: dict[str, dict]) -> None:
    """The inverse of `state_by_name`; every name must be known."""
    parameters = {
        name: parameter for group in optimizer.param_groups for name, parameter in zip(group["names"], group["params"], strict=True)
    }
    optimizer.state.clear()
    for name, values in state.items():
        parameter = parameters[name]
        optimizer.state[parameter] = {
            key: value.to(parameter.device) if isinstance(value, torch.Tensor) else value for key, value in values.items()
        }
