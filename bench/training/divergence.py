"""A training that has diverged: a loss, a weight or a buffer is not a finite number, and no later step can mend it."""

import contextlib
from collections.abc import Callable, Iterator

import torch

from bench.method import Method


class Diverged(Exception):
    """The loss is not a number any more; the run ends and is recorded with its reason."""


def require_finite(method: Method, steps: int, cause: Exception | None = None) -> None:
    """Raises Diverged where a number of the method's weights or buffers is not finite after so many steps."""
    state = method.state_dict().items()
    broken = next((name for name, value in state if value.is_floating_point() and not value.isfinite().all()), None)
    if broken:
        raise Diverged(f"{broken} is not finite after step {steps}") from cause


@contextlib.contextmanager
def linear_algebra_told(method: Method, steps: int, read_losses: Callable[[], None]) -> Iterator[None]:
    """A step in which linear algebra may refuse what is no number, of which a loss would be none either: Diverged, where the losses before
    it or the method are not finite, and else its own error. steps: taken before it."""
    try:
        yield
    except torch.linalg.LinAlgError as error:  # pyright: ignore[reportPrivateImportUsage]  # public by its documentation
        read_losses()
        require_finite(method, steps, error)
        raise
