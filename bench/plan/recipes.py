"""Recipes by name: `small`, for small images, is what is in a method's class; `imagenet` is how it was trained there, by its paper.

The second is data, in methods/imagenet.toml: every number with its source, and what the paper does not state, or a Recipe cannot say.
"""

import dataclasses
import functools
import tomllib

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

import methods
from bench.defaults import RECIPES
from bench.errors import UserError, unknown
from bench.spec import STRICT, Change, Value, one_line

PUBLISHED = methods.FOLDER / "imagenet.toml"


@dataclass(frozen=True, config=STRICT)
class Published:
    """How a method was trained, as its paper and its authors' code have it; the keys are said in the file."""

    paper: str
    encoder: str
    closest: str
    source: dict[str, str]
    repository: str = ""
    image_size: int | None = None
    epochs: int | None = None
    steps: int | None = None
    recipe: dict[str, Change] = dataclasses.field(default_factory=dict)
    hyper_parameters: dict[str, Value] = dataclasses.field(default_factory=dict)
    inexpressible: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()
    differs: str = ""

    @functools.cached_property
    def recipe_changes(self) -> dict[str, Change]:
        """The recipe's fields; TOML has no word for None."""
        return {name: None if value == "none" else value for name, value in self.recipe.items()}

    def source_of(self, name: str) -> str:
        """Where a field stands ('lr', 'recipe.momentum'); '' where that is not said."""
        return next((where for names, where in self.source.items() if name in names.split()), "")

    def sources(self, *names: str) -> str:
        """Of several fields, each once, in their order."""
        return "; ".join(dict.fromkeys(filter(None, map(self.source_of, names))))

    def length(self) -> str:
        """'800 epochs'"""
        return f"{self.epochs} epochs" if self.epochs else f"{self.steps:,} steps" if self.steps else ""


@functools.cache
def published() -> dict[str, Published]:
    """All of methods/imagenet.toml; a UserError that names the first entry that is not of its form."""
    tables = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
    try:
        return TypeAdapter(dict[str, Published]).validate_python(tables)
    except ValidationError as error:
        raise one_line(error, PUBLISHED.name) from error


def changes(method: str, name: str | None) -> tuple[dict[str, Value], dict[str, Change]]:
    """The hyper-parameters and the fields of the recipe that a method's recipe of that name sets; none for `small`, which None means
    too, and for what is not trained. A UserError for another name, and for a method that has no published recipe."""
    if name is None or name == RECIPES[0]:
        return {}, {}
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    if not methods.is_path(method) and method in published():
        return published()[method].hyper_parameters, published()[method].recipe_changes
    if methods.is_path(method) or methods.load(method).trained:
        raise UserError(f"{method} has no recipe '{name}': methods/{PUBLISHED.name} lists none for it; leave out --recipe")
    return {}, {}


def summary(method: str) -> str:
    """Two lines for a listing: encoder, size, length, batch, optimizer, rates; and where they are from."""
    found = published()[method]
    per = f" for each {found.recipe['lr_per_batch']}" if found.recipe.get("lr_per_batch", "none") != "none" else ""
    said = {
        "": found.encoder,
        "px": found.image_size and f"{found.image_size} px",
        "length": found.length(),
        "batch": "batch_size" in found.recipe and f"batch {found.recipe['batch_size']}",
        "optimizer": found.recipe.get("optimizer"),
        "lr": "lr" in found.recipe and f"lr {found.recipe['lr']:g}{per}",
        "weight decay": "weight_decay" in found.recipe and f"weight decay {found.recipe['weight_decay']:g}",
    }
    absent = [name for name, text in said.items() if not text]
    first = ", ".join(filter(None, said.values())) + (f"; not known: {', '.join(absent)}" if absent else "")
    where = found.sources("encoder", "image_size", "epochs", "steps", "batch_size", "optimizer", "lr", "weight_decay")
    return f"{first}\n{found.paper}: {where}" + (f" ({found.repository})" if found.repository else "")
