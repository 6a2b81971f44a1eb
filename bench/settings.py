"""How a person writes a setting, KEY=VALUE as `--set` takes it: read, and written so that it is read back as it was.

read(("temperature=0.2", "recipe.betas=0.9,0.95"))     ({"temperature": 0.2}, {"betas": (0.9, 0.95)})
written("recipe.betas", [0.9, 0.95])                   'recipe.betas=0.9,0.95'

A recipe's field that is several values is read as that: values with commas between them, `none` where it has none, or a JSON list, as
groups are: recipe.groups='[{"prefix": "predictor.", "schedule": "constant"}]'.
"""

import ast
import dataclasses
import json
import math
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import UserError
from bench.spec import Change, Recipe, Value, one_line

RECIPE = "recipe."
"""What a field of a recipe begins with, beside hyper-parameters."""

SEVERAL = frozenset(field.name for field in dataclasses.fields(Recipe) if isinstance(field.default, tuple))
"""Fields of a recipe that are several values: a comma is part of one."""

WORDS = {"true": True, "false": False, "none": None}


def read(settings: Sequence[str]) -> tuple[dict[str, Value], dict[str, Change]]:
    """('temperature=0.2', 'recipe.lr=0.1') -> hyper-parameters, recipe changes. A UserError for what is no setting, or given twice."""
    hyper_parameters, recipe_changes = {}, {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise UserError(f"cannot read --set '{setting}'; expected KEY=VALUE, as in temperature=0.2 or recipe.lr=0.1")
        if key in (*hyper_parameters, *(f"{RECIPE}{name}" for name in recipe_changes)):
            raise UserError(f"--set {key} is given twice; expected one value, and not also '{text}'")
        name = key.removeprefix(RECIPE)
        if name == key:
            hyper_parameters[key] = one(key, text)
        else:
            recipe_changes[name] = several(name, text) if name in SEVERAL else one(key, text)
    return hyper_parameters, recipe_changes


def one(key: str, text: str) -> Value:
    """'0.2' -> 0.2, 'none' -> None, and what is neither a number nor such a word is text."""
    value = literal(text)
    if isinstance(value, tuple) and not key.startswith(RECIPE):
        value = text.strip()  # 1,0.5 is the text of a method that reads a list
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, bool | int | float | str | None) or not finite or (isinstance(value, int) and abs(value) >= 2**63):
        raise UserError(f"--set {key} takes a finite number, a word, true, false or none, not '{text}'")
    return value


def several(name: str, text: str) -> tuple:
    """Of a recipe's field: '0.9,0.95' -> (0.9, 0.95), 'none' -> (), '[{"prefix": "predictor."}]' -> a tuple of Groups."""
    key, text = f"{RECIPE}{name}", text.strip()
    if not text.startswith("["):
        return () if text.lower() in ("", "none") else tuple(one(key, part) for part in text.split(","))
    try:
        return _fields()[name].validate_python(json.loads(text))
    except ValueError as error:  # pydantic's, too
        if isinstance(error, ValidationError):
            raise one_line(error, f"--set {key}") from error
        raise UserError(f"cannot read --set {key}='{text}'; expected values with commas between them, or a JSON list: {error}") from error


def _fields() -> dict[str, TypeAdapter]:
    """Of the fields that are several values, what checks each."""
    hints = typing.get_type_hints(Recipe, include_extras=True)
    return {name: TypeAdapter(hints[name]) for name in SEVERAL}


def literal(text: str) -> Any:
    """What Python would read, with true, false and none in any case; else the text."""
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def written(key: str, value: object) -> str:
    """KEY=VALUE as `read` takes it, of a value as a record has it: a list of objects is JSON."""
    if not isinstance(value, list | tuple):
        return f"{key}={_text(key, value)}"
    if any(isinstance(part, dict) for part in value):
        return f"{key}={json.dumps(value)}"
    return f"{key}={','.join(_text(key, part) for part in value) or 'none'}"


def _text(key: str, value: object) -> str:
    """In quotes where the text alone would be read as something else."""
    plain = str(value).lower() if value is None or isinstance(value, bool) else str(value)
    return repr(value) if isinstance(value, str) and one(key, plain) != value else plain
