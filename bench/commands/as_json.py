"""What a command says with --json: the same facts for a program, on standard output and nothing else there."""

import contextlib
import dataclasses
import json
import math
import sys
from typing import Any

import click

OUTPUT = "bench.commands.as_json"
"""Where a command's context keeps standard output."""


def keep_apart(context: click.Context, parameter: click.Parameter, as_json: bool) -> bool:
    """Of the option itself: what a method of one's own prints goes to standard error, until the command has ended."""
    if as_json:
        context.meta[OUTPUT] = sys.stdout
        context.with_resource(contextlib.redirect_stdout(sys.stderr))
    return as_json


def say_json(value: Any) -> None:
    """Print it; what is not a number is null."""
    click.echo(json.dumps(plain(value), indent=1, allow_nan=False), file=click.get_current_context().meta[OUTPUT])


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
