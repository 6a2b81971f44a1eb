"""Encoders compiled by torch for the time of a training (`--compile`): fewer and larger kernels, after a start of some ten seconds.

The same computation in another order, so the same up to rounding; a record's environment says that it was compiled.
"""

import contextlib
from collections.abc import Iterator

from torch import nn

from bench.encoders.encoder import Encoder


@contextlib.contextmanager
def compiled(method: nn.Module, wanted: bool) -> Iterator[None]:
    """Within the block every encoder of the method, a teacher's too, is compiled for calls of it as a whole: `encoder(images)`."""
    encoders = [module for module in method.modules() if isinstance(module, Encoder)] if wanted else []
    for encoder in encoders:
        encoder.compile()
    try:
        yield
    finally:
        for encoder in encoders:  # evaluation has other shapes, and would be compiled anew
            encoder._compiled_call_impl = None
