"""Rules that judge a claim, as frozen data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What every rule has."""

    def names(self) -> tuple[str, ...]:
        """The arms that it is about."""
        raise NotImplementedError
