"""What to call the settings of a method in one table: its name, and where there are several, what they differ in."""

import json

LEFT_OUT = "default"
"""The value of a hyper-parameter that a record does not name: one left out of ids where it is the default, or made since, with what was
done before as its default."""


def labels(settings: list[dict[str, str]]) -> list[str]:
    """A label for each of a table's settings (method, method_source, method_version, hyper_parameters, recipe; the last two
    as JSON): 'simclr' where it is the only one of its method, else with every field that differs, 'simclr temperature=0.2'."""
    flat = [_flatten(setting) for setting in settings]
    made = []
    for setting, fields in zip(settings, flat, strict=True):
        others = [other for where, other in zip(settings, flat, strict=True) if where["method"] == setting["method"]]
        names = list(dict.fromkeys(name for other in others for name in other))
        differing = [name for name in names if len({other.get(name, LEFT_OUT) for other in others}) > 1]
        made.append(" ".join([setting["method"], *(f"{name}={fields.get(name, LEFT_OUT)}" for name in differing)]))
    return made


def _flatten(setting: dict[str, str]) -> dict[str, str]:
    """Field -> value as text. A recipe's field has its own name unless a hyper-parameter has it too."""
    hyper = json.loads(setting["hyper_parameters"] or "{}")
    recipe = json.loads(setting["recipe"] or "{}") or {}
    fields = {"version": setting["method_version"], "file": setting["method_source"], **hyper}
    fields |= {(f"recipe.{name}" if name in fields else name): value for name, value in recipe.items()}
    return {name: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for name, value in fields.items()}
