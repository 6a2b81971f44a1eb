"""What is searched of each method, as data: learning rate and weight decay by one rule for all, and what a method's class declares.

    search = {"temperature": ("log", 0.05, 0.5)}        in the class; also ("linear", 0.1, 0.9) and ("choice", 0.9, 0.99)

    space_of(run, cls)                                  the Space of a complete run, each range checked against its domain

Every method has as many dimensions as every other, so that as many trials look as closely at each. Imports no torch.
"""

import inspect
import math
from dataclasses import dataclass, replace
from typing import Any

from bench.domains import Domain, apart, domains
from bench.errors import UserError, unknown
from bench.spec import Recipe, RunSpec, Value, method_name, settled

RULED = ("lr", "weight_decay")
"""Fields of the recipe that are searched for every method."""

DIMENSIONS = 3
"""Of every search: those, and what the class declares."""

LR_FACTORS = (0.1, 30.0)
"""The range of the learning rate, on the recipe's. Higher above than below: recipes are of long runs, and in shorter ones the rates that
won were up to 30 times theirs (results/demo_search, results/cifar10_search)."""

DECAY_FACTORS = (0.1, 10.0)
"""The range of weight decay, on the recipe's."""

DECAYS = (0.0, 1e-5, 1e-4, 1e-3)
"""The choices where the recipe has none, which no factor moves."""

SCALES = ("log", "linear", "choice")

SHIFT = 0.5
"""By how much of its width a range moves whose edge wins."""

DIGITS = 3
"""Of a number that is proposed: as a person writes it."""


@dataclass(frozen=True)
class Dimension:
    """One range, or several choices in their order."""

    name: str
    scale: str
    """One of SCALES."""
    values: tuple[Any, ...]
    """(low, high), or the choices."""
    paper: Value
    """What the recipe, or the constructor's default, has: nearest to it is nearest to the paper."""
    whole: bool = False
    """Whether only whole numbers are meant."""

    def holds(self, value: Any) -> bool:
        """Whether it lies in the range, or is one of the choices."""
        if self.scale == "choice":
            return value in self.values
        return is_number(value) and self.values[0] <= value <= self.values[1]

    def place(self, value: Any) -> float:
        """Where a value lies, 0 at the low edge and 1 at the high one, on the scale; choices lie evenly apart."""
        if self.scale == "choice":
            return self.values.index(value) / max(1, len(self.values) - 1)
        low, high = self.values
        if self.scale == "log":
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def value(self, place: float) -> float:
        """The inverse of `place`, for a range."""
        low, high = self.values
        return low * (high / low) ** place if self.scale == "log" else low + place * (high - low)

    def rounded(self, value: Any) -> Any:
        """A proposed value as people write it, within the range."""
        if self.scale == "choice" or self.whole:
            return value
        return min(max(float(f"{value:.{DIGITS}g}"), self.values[0]), self.values[1])

    def shifted(self, up: bool, holds) -> "Dimension | None":
        """The range moved by half its width over the edge that won, so that its middle is there, or by less where the domain ends before;
        None where it has no room. holds: whether the hyper-parameter may have a value."""
        if self.scale == "choice":
            return None
        shift = SHIFT
        for _ in range(6):
            places = (SHIFT, 1 + shift) if up else (-shift, 1 - SHIFT)
            values = tuple(round(self.value(place)) if self.whole else float(f"{self.value(place):.{DIGITS}g}") for place in places)
            if holds(values[up]) and values[0] < values[1] and values[up] != self.values[up]:
                return replace(self, values=values)
            shift /= 2
        return None

    def words(self) -> str:
        """'lr 0.1 to 30', 'momentum 0.9, 0.99 or 0.999'"""
        if self.scale == "choice":
            *others, last = (f"{value:g}" if is_number(value) else repr(value) for value in self.values)
            return f"{self.name} {', '.join(others)} or {last}"
        return f"{self.name} {self.values[0]:g} to {self.values[1]:g}"


@dataclass(frozen=True)
class Space:
    """All that is searched of one method."""

    method: str
    dimensions: tuple[Dimension, ...]
    decay_end: float | None = None
    """The recipe's weight_decay_end, over its weight_decay: it moves with that."""

    @property
    def paper(self) -> dict[str, Value]:
        """The values of the recipe as it is."""
        return {dimension.name: dimension.paper for dimension in self.dimensions}

    def settings(self, values: dict[str, Any]) -> tuple[dict[str, Value], dict[str, Any]]:
        """Hyper-parameters and changes of the recipe that these values come to."""
        changes = {name: values[name] for name in RULED}
        if self.decay_end is not None:
            changes["weight_decay_end"] = float(f"{self.decay_end * values['weight_decay']:.{DIGITS}g}")
        return {name: value for name, value in values.items() if name not in RULED}, changes

    def distance(self, values: dict[str, Any]) -> float:
        """From the paper's values, each dimension by its width."""
        return math.dist(*([dimension.place(one[dimension.name]) for dimension in self.dimensions] for one in (values, self.paper)))

    def words(self) -> str:
        """'lr 0.1 to 30, weight_decay 1e-05 to 0.001, temperature 0.1 to 1'"""
        return ", ".join(dimension.words() for dimension in self.dimensions)


def space_of(run: RunSpec, cls: type) -> Space:
    """The space of a complete run's method; a UserError where its class declares another number of ranges, or one outside a domain, or
    where the run is set to a value that a range leaves out."""
    recipe, name = settled(run.recipe), method_name(run.method)
    own = declared(name, cls)
    # A hyper-parameter that came later is left out of a complete run that has its default.
    dimensions = [*ruled(recipe), *(replace(one, paper=run.hyper_parameters.get(one.name, one.paper)) for one in own)]
    for dimension in dimensions:
        if not dimension.holds(dimension.paper):
            set_to = f"{dimension.name} = {dimension.paper!r}"
            raise UserError(f"{name}'s search leaves out {set_to}, which is set: expected {dimension.words()}")
    end = recipe.weight_decay_end
    return Space(name, tuple(dimensions), end / recipe.weight_decay if end is not None and recipe.weight_decay else None)


def ruled(recipe: Recipe) -> tuple[Dimension, Dimension]:
    """Learning rate and weight decay: around the recipe's, by the same factors for every method."""
    lr = Dimension("lr", "log", tuple(rounded(factor * recipe.lr) for factor in LR_FACTORS), recipe.lr)
    decay = recipe.weight_decay
    if not decay:
        return lr, Dimension("weight_decay", "choice", DECAYS, decay)
    return lr, Dimension("weight_decay", "log", tuple(rounded(factor * decay) for factor in DECAY_FACTORS), decay)


def rounded(value: float) -> float:
    """0.3 and not 0.30000000000000004."""
    return float(f"{value:.{DIGITS}g}")


def declared(name: str, cls: type) -> list[Dimension]:
    """What a method's class declares in `search`, each with its default; a UserError where it is not what it should be."""
    search, known = getattr(cls, "search", {}), domains(cls)
    if not isinstance(search, dict) or len(search) != DIMENSIONS - len(RULED):
        number = DIMENSIONS - len(RULED)
        raise UserError(
            f"{name}'s search is {search!r}: expected {number} of its hyper-parameters with a range, as in "
            'search = {"temperature": ("log", 0.05, 0.5)}, since every method is searched in as many dimensions'
        )
    for parameter in search:
        if parameter not in known:
            raise unknown(f"hyper-parameter in the search of {name}", parameter, known)
    return [dimension_of(f"{name}'s search of {parameter}", range_, known[parameter]) for parameter, range_ in search.items()]


def dimension_of(what: str, range_: Any, domain: Domain) -> Dimension:
    """The range, or the choices, that a class declares of a hyper-parameter; a UserError where it is not what it should be, or not within
    the domain. what: of which method and hyper-parameter, in words."""
    if not isinstance(range_, tuple | list) or not range_:
        raise UserError(f'{what} is {range_!r}: expected a scale and values, as in ("log", 0.05, 0.5)')
    scale, *values = range_
    if scale not in SCALES:
        raise unknown(f"scale of {what}", scale, SCALES)
    wrong = next((value for value in values if not domain.holds(value)), None)
    if wrong is not None:
        raise UserError(f"{what} goes to {wrong!r}: expected {domain.expected(wrong)}")
    # By the type and not by the default, which may be a whole number that a person wrote for 1.0.
    whole = (apart(domain.declared)[0] if domain.declared is not inspect.Parameter.empty else type(domain.default)) is int
    if scale == "choice":
        sound, expected = all(map(is_choice, values)) and len(values) == len(set(values)) > 1, "two different values or more"
    else:
        numbers = len(values) == 2 and all(is_number(value) and (not whole or value == int(value)) for value in values)
        sound = numbers and values[0] < values[1] and (scale == "linear" or values[0] > 0)
        expected = f"a low and a higher {'whole ' * whole}number{' above 0' * (scale == 'log')}"
    if not sound:
        raise UserError(f"{what} is {tuple(values)!r}: expected {expected}")
    return Dimension(domain.name, scale, tuple(values), domain.default, whole)


def is_number(value: Any) -> bool:
    """Whether a range may end there, or hold it."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_choice(value: Any) -> bool:
    """Whether it is one value of a hyper-parameter as a run has it."""
    return value is None or isinstance(value, bool | int | float | str)
