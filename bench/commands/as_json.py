"""What a command says with --json: the same facts for a program, on standard output and nothing else there."""

import dataclasses
import json
import math
from typing import Any

import click


def say_json(value: Any) -> None:
    """Print it; what is not a number is null."""
    click.echo(json.dumps(plain(value), indent=1, allow_nan=False))


def plain(value: Any) -> Any:
    """As JSON has it: frozen data by their fields, but for arrays, which are large and stand in the records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(one) for name, one in named.items() if not hasattr(one, "ndim")}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(one) for one in value]
    if hasattr(value, "item"):  # NumPy's scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | None) else str(value)
