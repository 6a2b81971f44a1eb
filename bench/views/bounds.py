"""What the fields of an operation may be: refused when a view is declared, and not found in a run."""

from typing import Any


def require(op: Any, name: str, holds: bool, expected: str) -> None:
    """A ValueError that says what a field of an operation may be, where it is not."""
    if not holds:
        raise ValueError(f"{type(op).__name__}'s {name} = {getattr(op, name)}: expected {expected}")


def require_probability(op: Any) -> None:
    """The same of the field `p`."""
    require(op, "p", 0 <= op.p <= 1, "a probability, 0 to 1")
