"""What a user types for many runs at once: ranges of seeds, all methods or a family's, and several values of a setting.

seeds("0-4,7")                     [0, 1, 2, 3, 4, 7]
names("family:clustering,mine.py", offers)
combinations(("recipe.lr=0.1,0.3", "head_layers=2,3"), ["simclr"])     four tuples of settings, each with one value
"""

import dataclasses
import itertools
import os
from collections.abc import Callable

import methods
from bench.defaults import COMMAND
from bench.encoders import table
from bench.errors import UserError, unknown
from bench.registry import keyword_defaults
from bench.settings import SEVERAL
from bench.spec import Recipe, RunSpec

MOST_SEEDS = 10_000
"""A longer range is a slip of the keyboard."""

ALL, FAMILY = "all", "family:"

FIELDS = {field.name for field in dataclasses.fields(Recipe)}


def comma_list(text: str, what: str) -> list[str]:
    """'a,b' -> ['a', 'b']"""
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise UserError(f"{what} '{text}' has an empty entry; expected names with commas between them")
    return list(dict.fromkeys(items))


def seeds(text: str) -> list[int]:
    """'0,2-4' -> [0, 2, 3, 4]; each once."""
    found: list[int] = []
    for item in comma_list(text, "--seeds"):
        first, dash, last = item.partition("-")
        if dash and first.strip():
            begin, end = seed(first), seed(last)
            if end < begin or end - begin >= MOST_SEEDS:
                raise UserError(f"the seeds '{item}' are no range; expected the smaller one first, and at most {MOST_SEEDS:,}, as in 0-4")
            found += range(begin, end + 1)
        else:
            found.append(seed(item))
    return list(dict.fromkeys(found))


def seed(text: str) -> int:
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise UserError(f"a seed is a whole number from 0 up, not '{text}'; several are 0,1,2 or 0-4")
    return int(text)


def of_suite(name: str, runs: tuple[RunSpec, ...], method: str | None = None, seeds_text: str | None = None) -> tuple[RunSpec, ...]:
    """Those of a suite's runs that are of these methods, and at these seeds, in the suite's order; all where neither is given. A UserError
    for a method or a seed that the suite has no run of."""
    found = runs
    if method is not None:
        wanted, there = comma_list(method, "--method"), {run.method for run in runs}
        for one in wanted:
            if one not in there:
                raise unknown(f"method of the suite {name}", one, there)
        found = tuple(run for run in found if run.method in wanted)
    if seeds_text is not None:
        wanted, there = seeds(seeds_text), sorted({run.seed for run in found})
        if missing := [seed for seed in wanted if seed not in there]:
            raise UserError(f"the suite '{name}' has no run at seed {missing[0]} of these methods; it has {', '.join(map(str, there))}")
        found = tuple(run for run in found if run.seed in wanted)
    return found


def names(text: str, encoder: str, note: Callable[[str], None] = lambda text: None) -> list[str]:
    """Methods by name, all of them, or those of a family; each once. `note` hears which of the last two the encoder cannot serve."""
    found: list[str] = []
    for item in comma_list(text, "--method"):
        if (wanted := meant(item)) is not None:
            wanted = [name for name in wanted if name in methods.takers(table.require(encoder).takes)]
            able = [name for name in wanted if methods.can_use(name, encoder)]
            if able != wanted:
                note(f"{encoder} does not offer what {', '.join(name for name in wanted if name not in able)} needs; left out of '{item}'")
            found += able
        else:
            # ./mine.py is mine.py: one file, one id.
            found.append(os.path.normpath(item) if item.endswith(".py") else item)
            methods.require(found[-1])
    return list(dict.fromkeys(found))


def meant(item: str) -> list[str] | None:
    """The methods that `all` and `family:NAME` stand for, whatever they need of an encoder; None of a method's own name."""
    if item.startswith(FAMILY):
        return of_family(item.removeprefix(FAMILY).strip())
    return every() if item == ALL else None


def every() -> list[str]:
    """What `all` means: what a budget can be spent on, and floors; not what is for somebody else's weights."""
    return [name for name in methods.names() if not methods.takes_weights(name)]


def is_open(text: str) -> bool:
    """Whether the methods' names depend on the encoder."""
    return any(item.strip() == ALL or item.strip().startswith(FAMILY) for item in text.split(","))


def of_family(family: str) -> list[str]:
    """Its methods, sorted."""
    by_family: dict[str, list[str]] = {}
    for name in methods.names():
        by_family.setdefault(methods.family(name), []).append(name)
    by_family.pop("", None)  # yardsticks have none
    if family not in by_family:
        raise unknown("family", family, by_family, f"Families: {', '.join(sorted(by_family))}; all methods: {COMMAND} list methods")
    return by_family[family]


def in_full(settings: tuple[str, ...], chosen: list[str]) -> tuple[str, ...]:
    """'lr=0.1' -> 'recipe.lr=0.1': a recipe's field goes without that word where no chosen method has a hyper-parameter of its name, as
    `momentum` is the teacher's in some."""
    return tuple(f"recipe.{setting.strip()}" if is_field(name_of(setting), chosen) else setting for setting in settings)


def name_of(setting: str) -> str:
    """' batch-size=64' -> 'batch_size'"""
    return setting.partition("=")[0].strip().replace("-", "_")


def is_field(key: str, chosen: list[str]) -> bool:
    """Whether this is a field of a recipe, and a hyper-parameter of none of the methods."""
    return key in FIELDS and not any(key in keyword_defaults(methods.require(name)) for name in chosen)


def combinations(settings: tuple[str, ...], chosen: list[str]) -> list[tuple[str, ...]]:
    """Every combination of the values that are listed with commas, in the order given. A setting that is a list itself keeps its commas:
    it is one of a recipe's that are, or a hyper-parameter that is text in one of the methods."""
    each = []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or "," not in text or is_list(name_of(setting), chosen):
            each.append([setting])
        else:
            each.append([f"{key}={value}" for value in comma_list(text, f"--set {key.strip()}")])
    return list(itertools.product(*each))


def is_list(key: str, chosen: list[str]) -> bool:
    """Whether a comma is a part of this setting's value."""
    if key.startswith("recipe."):
        return key.removeprefix("recipe.") in SEVERAL
    return any(isinstance(keyword_defaults(methods.require(name)).get(key), str) for name in chosen)
