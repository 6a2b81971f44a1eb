"""Which values a hyper-parameter may have: declared by its type in a method's signature, and read by the plan, `check` and docs/methods.md.

    def __init__(self, make_encoder, data, *, temperature: Positive = 0.1, queue: Count = 4096, colour: Literal["drop", "keep"] = "drop")

    domains(cls)["temperature"].words            'more than 0'
    domains(cls)["temperature"].holds(-1.0)      False

The names below are short for what most hyper-parameters are; any constraint of annotated_types does as well, since pydantic checks it
(Annotated[int, Interval(ge=2, le=1000)]), and a choice among names is a Literal. A text says what it holds by annotated_types.doc. What
depends on several values at once is checked by the constructor and in the step that a plan makes without numbers (bench/plan/step.py).
Imports no torch.
"""

import inspect
import math
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import DocInfo, Ge, GroupedMetadata, Gt, Interval, Le, Lt, MultipleOf, doc
from pydantic import TypeAdapter, ValidationError

from bench.errors import did_you_mean

Positive = Annotated[float, Gt(0)]
"""A temperature, a margin, a deviation."""
NonNegative = Annotated[float, Ge(0)]
"""A weight, a strength: 0 is none."""
Share = Annotated[float, Interval(ge=0, le=1)]
"""A part of a whole, from nothing to all of it: of the budget, of a moving average."""
Fraction = Annotated[float, Interval(gt=0, le=1)]
"""A part of a whole that cannot be nothing: of an image's area or side."""
Probability = Annotated[float, Interval(ge=0, le=1)]
"""Of an operation: 0 is never, 1 always."""
Count = Annotated[int, Ge(1)]
"""Of what there must be: features, rows, clusters."""
Several = Annotated[int, Ge(2)]
"""Of what one alone says nothing: classes, prototypes, negatives, images that statistics are of."""
CountOrZero = Annotated[int, Ge(0)]
"""Of what there need not be."""
Names = Annotated[str, doc("names with commas between them, or nothing")]
Numbers = Annotated[str, doc("numbers with commas between them, or nothing")]
"""Texts that the constructor reads."""


@dataclass(frozen=True)
class Domain:
    """A hyper-parameter as its method's signature declares it."""

    name: str
    default: Any
    declared: Any
    """Its type; inspect.Parameter.empty where it has none."""

    @property
    def is_declared(self) -> bool:
        """Whether the type says more than what kind of number or text it is."""
        kind, constraints = apart(self.declared)
        return bool(constraints) or kind is bool or typing.get_origin(kind) is Literal

    @property
    def words(self) -> str:
        """'more than 0', 'a whole number, 1 or more', 'masking or gaussian'; '' where nothing is declared."""
        return in_words(self.declared)

    def holds(self, value: Any) -> bool:
        """Whether it may have this value; nothing is cast. A number that is not finite is none."""
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if self.declared is inspect.Parameter.empty:
            return True
        try:
            TypeAdapter(self.declared).validate_python(value, strict=True)
        except ValidationError:
            return False
        return True

    def expected(self, value: Any) -> str:
        """What was expected in the place of a value that it cannot have, with the nearest name where it is one of several."""
        names = map(str, typing.get_args(self.declared)) if typing.get_origin(self.declared) is Literal else ()
        return (self.words or "a finite number") + did_you_mean(value, names, before=". ")


def domains(cls: type) -> dict[str, Domain]:
    """Every hyper-parameter of a method's class by its name: the keyword-only arguments of its constructor."""
    found, namespace = {}, getattr(cls.__init__, "__globals__", {})
    for parameter in inspect.signature(cls.__init__).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            declared = parameter.annotation
            if isinstance(declared, str):  # from __future__ import annotations
                declared = eval(declared, namespace)  # the file's own text, which was imported already
            found[parameter.name] = Domain(parameter.name, parameter.default, declared)
    return found


def apart(declared: Any) -> tuple[Any, list[Any]]:
    """A type without its constraints, and they."""
    if typing.get_origin(declared) is not Annotated:
        return declared, []
    kind, *metadata = typing.get_args(declared)
    return kind, [one for entry in metadata for one in (entry if isinstance(entry, GroupedMetadata) else (entry,))]


def in_words(declared: Any) -> str:
    """A type as a person reads it: see `Domain.words`."""
    kind, constraints = apart(declared)
    told = [entry.documentation for entry in constraints if isinstance(entry, DocInfo)]
    if told:
        return told[0]
    if typing.get_origin(kind) is Literal:
        *others, last = map(str, typing.get_args(kind))
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join("none" if part is types.NoneType else in_words(part) for part in typing.get_args(kind))
    if kind is bool:
        return "true or false"
    whole = ["a whole number"] if kind is int else []
    return ", ".join([*whole, *bounds(constraints), *[f"a multiple of {entry.multiple_of}" for entry in of(MultipleOf, constraints)]])


def of(kind: type, constraints: list[Any]) -> list[Any]:
    """Those of one kind."""
    return [entry for entry in constraints if isinstance(entry, kind)]


def bounds(constraints: list[Any]) -> list[str]:
    """['more than 0 and below 1'], ['2 to 1000'], ['1 or more']; [] where there are none."""
    above, least = ([entry.gt for entry in of(Gt, constraints)], [entry.ge for entry in of(Ge, constraints)])
    below, most = ([entry.lt for entry in of(Lt, constraints)], [entry.le for entry in of(Le, constraints)])
    if least and most:
        return [f"{least[0]} to {most[0]}"]
    low = [f"more than {value}" for value in above] + [f"{value} or more" for value in least]
    high = [f"below {value}" for value in below] + [f"at most {value}" for value in most]
    return [" and ".join(low + high)] if low or high else []
