"""What a plan, or a reader, must know of an encoder before it is built. Imports no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What an encoder comes to at width 1, for an image of 32 pixels (table.py, FACTS_SIZE) in 3 channels."""

    parameters: int
    flops: int
    """Of one image forward, 2 for a multiply-add, counted as a run's budget is."""
    dim: int
    """Features."""


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder of table.py, or one that is none of ours (foreign.py)."""

    name: str
    """As a complete spec has it."""
    family: str
    """The file of networks/ that builds it, or of libraries/; 'own' of a user's own file."""
    offers: tuple[str, ...]
    """features | feature_map | tokens | frames: of the family's class."""
    summary: str
    facts: Facts | None
    """None of one that is none of ours."""
    shape: dict
    """What the family's constructor takes."""
    version: int = 1
    """Raised when a change may move the numbers of runs with it, or what their budget buys; above 1 it is part of their ids."""
    takes: str = "images"
    """The name of the modality that it is for."""
