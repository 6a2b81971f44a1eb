"""What a method holds, in its state_dict and outside it; and whether that is the same, bit for bit, at two moments or in two runs."""

import collections
import inspect

import numpy
import torch
from torch import Tensor, nn

from bench.method import Method

MODULE_ATTRIBUTES = set(vars(nn.Module()))
"""What every module has: parameters, buffers, hooks, mode."""


def copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state_dict that later training does not change."""
    return {name: value.detach().clone() for name, value in state.items()}


def same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors agree in type, shape and every bit."""
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return torch.equal(*[value.detach().contiguous().flatten().view(torch.uint8) for value in (first, second)])


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    """Names that only one of two states has, or whose tensors differ in any bit."""
    return [name for name in {**first, **second} if name not in first or name not in second or not same_bits(first[name], second[name])]


def registered(method: Method) -> set[int]:
    """The identities of the modules and tensors that state_dict() covers."""
    kept = method.state_dict(keep_vars=True).values()
    return {id(value) for value in (*method.modules(), *kept)}


def plain_attributes(method: Method) -> dict[str, tuple[nn.Module, str]]:
    """Where a module tree holds values outside its state_dict: plain attributes and non-persistent buffers, by path."""
    found = {}
    for prefix, module in method.named_modules():
        # Torch's own: nothing public tells which buffers are left out of a state_dict.
        for name in [*(set(vars(module)) - MODULE_ATTRIBUTES), *module._non_persistent_buffers_set]:
            found[f"{prefix}.{name}" if prefix else name] = (module, name)
    return found


def fingerprint(value: object, known: set[int]) -> object:
    """A value that compares equal as long as nothing inside `value` changes. What is in `known` (the registered modules and
    tensors) and what cannot hold data (functions, classes) are left out."""
    if id(value) in known or inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        return None
    if isinstance(value, Tensor):
        return str(value.dtype), tuple(value.shape), value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    if isinstance(value, numpy.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return value
    known = known | {id(value)}
    if isinstance(value, dict):
        return [(fingerprint(key, known), fingerprint(item, known)) for key, item in value.items()]
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return type(value).__name__, [fingerprint(item, known) for item in value]
    return type(value).__name__, fingerprint(getattr(value, "__dict__", {}), known)


def plain_fingerprints(method: Method) -> dict[str, object]:
    """A fingerprint of everything outside the state_dict, by path."""
    known = registered(method)
    return {path: fingerprint(getattr(*where), known) for path, where in plain_attributes(method).items()}
