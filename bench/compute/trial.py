"""A trial of a method's hook: whether it fails and what it would cost, on features that are made up.

What takes long in a hook and is made by a part of ours (a clustering) may answer a trial with anything of the right shape, once it has said
its FLOPs and refused what it would refuse.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_going_on = ContextVar("trial", default=False)


@contextlib.contextmanager
def trial() -> Iterator[None]:
    """A block whose results are thrown away."""
    token = _going_on.set(True)
    try:
        yield
    finally:
        _going_on.reset(token)


def in_trial() -> bool:
    """Whether what is computed now will be thrown away."""
    return _going_on.get()
