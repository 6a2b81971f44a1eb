"""Encoders by name, and what a plan or a reader must know of each before it is built. Importing this does not import torch.

require("resnet8")     its entry: family, what it offers, what it comes to

A file of networks/ is a family of encoders; its VARIANTS name them, and are read in its text.
"""

from dataclasses import dataclass
from functools import cache

from bench.defaults import COMMAND
from bench.errors import UserError, unknown
from bench.registry import Registry

NETWORKS = Registry("family of encoders", "bench.encoders.networks", f"{COMMAND} list encoders")

FACTS_SIZE = 32
"""Pixels a side of the images for which an entry's numbers hold."""


@dataclass(frozen=True)
class Facts:
    """What an encoder comes to at width 1, for an image of 32 pixels (FACTS_SIZE) in 3 channels."""

    parameters: int
    flops: int
    """Of one image forward, 2 for a multiply-add, counted as a run's budget is."""
    dim: int
    """Features."""


@dataclass(frozen=True)
class EncoderEntry:
    """What a plan, or a reader, must know of an encoder before it is built."""

    name: str
    family: str
    """The file of networks/ that builds it."""
    offers: tuple[str, ...]
    """features | feature_map | tokens: of the family's class."""
    summary: str
    facts: Facts
    shape: dict
    """What the family's constructor takes."""
    version: int = 1
    """Raised when a change may move the numbers of runs with it, or what their budget buys; above 1 it is part of their ids."""


def versioned(name: str, version: int) -> str:
    """An encoder as tables and plans call it: 'resnet8'; with its version where that is above 1, 'convnext_tiny (version 2)'."""
    return f"{name} (version {version})" if version > 1 else name


@cache
def entries() -> dict[str, EncoderEntry]:
    """Every encoder by name. A file that is added later is not seen by this process."""
    found: dict[str, EncoderEntry] = {}
    for family in NETWORKS.names():
        offers = NETWORKS.declared(family, "offers")
        for name, variant in NETWORKS.declared(family, "VARIANTS").items():
            if name in found:
                raise UserError(f"two encoders are called {name}: one of {found[name].family} and one of {family}")
            found[name] = EncoderEntry(name, family, offers, **variant | {"facts": Facts(**variant["facts"])})
    return found


def names() -> list[str]:
    """Every encoder, sorted."""
    return sorted(entries())


def require(name: str) -> EncoderEntry:
    """The entry, or a UserError with the nearest name."""
    if name not in entries():
        raise unknown("encoder", name, names(), f"All encoders: {COMMAND} list encoders")
    return entries()[name]
