"""Encoders by name, and what a plan or a reader must know of each before it is built. Importing this does not import torch.

require("resnet8")     its entry: family, what it offers, what it comes to

A file of networks/ is a family of encoders; its VARIANTS name them, and are read in its text. What is none of ours, a library's model or
a file of a user's own, has a name too (foreign.py), and stands in no list.
"""

from functools import cache

from bench.defaults import COMMAND
from bench.encoders import foreign
from bench.encoders.entry import EncoderEntry, Facts
from bench.errors import UserError, unknown
from bench.registry import Registry

NETWORKS = Registry("family of encoders", "bench.encoders.networks", f"{COMMAND} list encoders")

FACTS_SIZE = 32
"""Pixels a side of the images for which an entry's numbers hold."""


def versioned(name: str, version: int) -> str:
    """An encoder as tables and plans call it: 'resnet8'; with its version where that is above 1, 'convnext_tiny (version 2)'."""
    return f"{name} (version {version})" if version > 1 else name


@cache
def entries() -> dict[str, EncoderEntry]:
    """Every encoder by name. A file that is added later is not seen by this process."""
    found: dict[str, EncoderEntry] = {}
    for family in NETWORKS.names():
        offers, takes = NETWORKS.declared(family, "offers"), NETWORKS.declared(family, "takes", "images")
        for name, variant in NETWORKS.declared(family, "VARIANTS").items():
            if name in found:
                raise UserError(f"two encoders are called {name}: one of {found[name].family} and one of {family}")
            found[name] = EncoderEntry(name, family, offers, **variant | {"facts": Facts(**variant["facts"]), "takes": takes})
    return found


def names() -> list[str]:
    """Every encoder, sorted."""
    return sorted(entries())


def require(name: str) -> EncoderEntry:
    """The entry, or a UserError with the nearest name. A library's model imports torch."""
    if foreign.is_foreign(name):
        return foreign.entry(name)
    if name not in entries():
        raise unknown("encoder", name, names(), f"All encoders: {COMMAND} list encoders")
    return entries()[name]
