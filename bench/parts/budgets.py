"""What a method needs of a budget before its loss says what its paper means: steps, and what has happened by then.

A method declares it (bench.method.Method.needed), a plan warns of a budget that gives less, and a record says what it was short of.
N images of the pretraining split, B of the global batch, Q places of a queue.
"""

import math
from dataclasses import dataclass

LEFT = 0.05
"""A teacher has left its start behind once that counts less than this in it."""


@dataclass(frozen=True)
class Needed:
    """One thing that must have happened."""

    steps: int
    """By which it has, from the first on."""
    what: str
    """'the queue is full'"""


def queue_full(length: int, batch_size: int, by: float = 1.0) -> Needed:
    """Every place of a queue holds a row. by: in this part of the budget, after which it is used."""
    when = " before it is used" if by < 1 else ""
    return Needed(math.ceil(math.ceil(length / batch_size) / by), f"the queue of {length:,} is full{when}")


def images_seen(images: int, batch_size: int, what: str) -> Needed:
    """Every image was in a batch once."""
    return Needed(math.ceil(images / batch_size), what)


def teacher_left(momentum: float, rising: bool = False, end: float = 1.0) -> Needed:
    """A teacher is to less than 5 % what it began as. rising: its momentum goes to `end` along half a cosine, with 1 half as far."""
    what = "the teacher is to less than 5 % what it began as"
    if momentum <= 0:
        return Needed(1, what)
    # What a step leaves of the start, as a logarithm: along the cosine its mean, which has a closed form.
    kept = 2 * math.log((math.sqrt(momentum) + math.sqrt(end)) / 2) if rising else math.log(momentum)
    return Needed(math.ceil(math.log(LEFT) / kept) if kept < 0 else 2**31, what)


def short_of(needed: tuple[Needed, ...], steps: float) -> tuple[str, ...]:
    """What so many steps do not reach, in words."""
    return tuple(f"{each.what} after {each.steps:,} steps, and it has {math.floor(steps):,}" for each in needed if each.steps > steps)
