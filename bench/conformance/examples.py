"""Of which modality the items are that a method is checked with: images where it takes them, or else what a data set of ours has."""

from bench.data import catalogue
from bench.data.images import IMAGES
from bench.data.modality import Modality
from bench.encoders import table
from bench.errors import UserError
from bench.method import Method

DEFAULT_ENCODERS = "resnet8", "vit_micro"
"""For images."""


def modality_of(method: type[Method], encoder: str | None) -> tuple[Modality, tuple[str, ...]]:
    """What a method is checked with, and the encoders for it that come first: what the encoder takes, or else the method: images, or what
    some data set has. A UserError where that is nothing that has examples, or the encoder takes what the method does not."""
    takes = (table.require(encoder).takes,) if encoder else method.takes or (IMAGES.name,)
    if method.takes and not set(takes) & set(method.takes):
        raise UserError(f"{method.__name__} takes {' or '.join(method.takes)}, and {encoder} takes {takes[0]}")
    if IMAGES.name in takes:
        return IMAGES, DEFAULT_ENCODERS
    for entry in map(catalogue.entry, catalogue.names()):
        if entry.modality.name in takes and entry.modality.examples(1):
            return entry.modality, (entry.encoder,)
    raise UserError(f"check has no {' or '.join(takes)} to try {method.__name__} on; expected what a data set of ours has, with examples")
