"""Trying a method's code without numbers, on the meta device: what cannot be told there, and how many numbers it is tried again with."""

import contextlib
from collections.abc import Iterator

TRIED = 2**28
"""Bytes of views, or of features, up to which what failed without numbers is tried with numbers, to be sure that it does fail: 256 MiB."""


class Unknown(Exception):
    """Without numbers it cannot be told: a tensor's values are asked for, or another device."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """A block in which torch's own errors of tensors without numbers become Unknown."""
    try:
        yield
    except Exception as error:
        if "meta" in str(error).lower():
            raise Unknown(str(error)) from error
        raise
