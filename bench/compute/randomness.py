"""All randomness of a run, stateless: every draw is a function of (seed, purpose, step, call number).

So a resume needs no sampler state, nothing depends on what was drawn before, and, drawn for the GLOBAL batch, two
devices see what one device sees. Keys are hashed, never added: with `seed + step`, runs (0, 1) and (1, 0) would share draws.
"""

import contextlib
import hashlib
import random

import numpy as np
import torch
from torch import Tensor


def hashed(*key: int | str) -> int:
    """A whole number below 2**63 that depends on every part of the key, and on their order."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on `device`, seeded with the hash of the key."""
    return torch.Generator(device).manual_seed(hashed(*key))


@contextlib.contextmanager
def seeded(*key: int | str):
    """Within the block torch's global generator of the CPU is seeded with the hash of the key; afterwards it is as before.

    For code that takes no generator: the initialisation of layers, which are built on the CPU on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hashed(*key))
        yield


@contextlib.contextmanager
def untouched(device: torch.device | str):
    """After the block every global generator is as before: torch's, of the CPU and of this device, NumPy's and Python's."""
    device, of_numpy, of_python = torch.device(device), np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


class Draws:
    """A stream of draws for one global batch. Each call draws for all `total` images and returns this device's rows, but for those that
    are no image's: `permutation` and `shared_randn` are whole, and the same on every device."""

    def __init__(self, *key: int | str, total: int, rows: slice | None = None, device: torch.device | str = "cpu", take=generator):
        """take(*key, device=): what gives each call its generator."""
        self.key, self.total, self.rows, self.device = key, total, rows or slice(0, total), torch.device(device)
        self.calls, self.take = 0, take

    def _next(self) -> torch.Generator:
        self.calls += 1
        return self.take(*self.key, self.calls, device=self.device)

    def rand(self, *shape: int) -> Tensor:
        """Uniform in [0, 1): float32 [B, *shape]."""
        return torch.rand(self.total, *shape, generator=self._next(), device=self.device)[self.rows]

    def randn(self, *shape: int) -> Tensor:
        """Standard normal: float32 [B, *shape]."""
        return torch.randn(self.total, *shape, generator=self._next(), device=self.device)[self.rows]

    def randint(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high): int64 [B, *shape]."""
        return torch.randint(high, (self.total, *shape), generator=self._next(), device=self.device)[self.rows]

    def permutation(self, n: int) -> Tensor:
        """A permutation of range(n), the same on every device: int64 [n]."""
        return torch.randperm(n, generator=self._next(), device=self.device)

    def shared_randn(self, *shape: int) -> Tensor:
        """Standard normal, whole on every device and the same on each, whatever the batch: float32 [*shape]."""
        return torch.randn(*shape, generator=self._next(), device=self.device)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform in [low, high): float32 [B, *shape]."""
        return low + (high - low) * self.rand(*shape)
