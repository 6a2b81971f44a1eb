"""Settings that a search found, as data beside a suite: NAME.json, which `tune` writes from records and the suite reads.

    found = read("cifar10_budgets")           {} where nothing was searched yet
    found["simclr", "resnet8"].settings       {"hyper_parameters": {...}, "recipe_changes": {...}}, for a RunSpec

Frozen once it is committed: the same records make the same file. A file of a user's own suite lies beside that.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import methods
from bench.errors import UserError
from bench.registry import keyword_defaults
from bench.spec import RunSpec
from bench.suites import SUITES, is_path


@dataclass(frozen=True)
class Setting:
    """What was chosen for a method, where it was searched."""

    method: str
    dataset: str
    encoder: str
    budget: str
    """As a person writes it: 3e+12flops."""
    hyper_parameters: dict[str, Any]
    """Those that were searched; empty, as recipe_changes, where the method is best as it is."""
    recipe_changes: dict[str, Any]
    val: float
    """Percent, of the chosen trial."""
    default: float | None
    """The same of the method as it is; None where that diverged."""
    trials: int
    at_edge: list[str] = field(default_factory=list)
    """Of what was searched: beyond the chosen value nothing was tried."""
    search_flops: float = 0.0
    """Of all trials, the method as it is among them."""

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Fields of a RunSpec."""
        return {"hyper_parameters": self.hyper_parameters, "recipe_changes": self.recipe_changes}

    def is_at(self, run: RunSpec) -> bool:
        """Whether a complete run of the method has what was chosen; every one has where that is nothing."""
        recipe, own = vars(run.recipe) if run.recipe else {}, self.hyper_parameters.items()
        # A hyper-parameter that came later is left out of a complete run that has its default.
        values = {**keyword_defaults(methods.require(run.method)), **run.hyper_parameters}
        return all(values.get(name) == value for name, value in own) and all(
            recipe[name] == value for name, value in self.recipe_changes.items()
        )


def path_of(suite: str) -> Path:
    """Where the file of a suite is, by its name or its own path."""
    return Path(suite).with_suffix(".json") if is_path(suite) else SUITES.folder / f"{suite}.json"


def read(suite: str) -> dict[tuple[str, str], Setting]:
    """(method, encoder) -> what was chosen; the last that is listed, where a method was searched at several budgets."""
    path = path_of(suite)
    try:
        chosen = json.loads(path.read_text(encoding="utf-8"))["chosen"] if path.exists() else []
        return {(one["method"], one["encoder"]): Setting(**one) for one in chosen}
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"'{path}' is not a choice that `tune` wrote: {type(error).__name__}: {error}") from error


def text(searched: str, chosen: list[Setting]) -> str:
    """The file. searched: by how many trials, of which seeds, in words."""
    return json.dumps({"searched": searched, "chosen": [asdict(one) for one in chosen]}, indent=1) + "\n"
