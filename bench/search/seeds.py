"""Seeds of trials, which nothing reports: what was chosen at a seed is better there than elsewhere, by what chance gave it.

    require_unsearched("the suite 'mine'", {0, 1, 2}, dict.fromkeys(TRIAL_SEEDS, "tune"))      a UserError where one of them was searched

Imports no Optuna, which takes a second: every command that takes a suite's name asks.
"""

from collections.abc import Mapping

from bench.errors import UserError

TRIAL_SEEDS: tuple[int, ...] = (1000, 1001)
"""Of trials alone: no reported run has them."""


def require_unsearched(name: str, reported: set[int], searched: Mapping[int, str]) -> None:
    """A UserError where a seed is reported that settings were chosen by. searched: seed -> by which search."""
    both = sorted(reported & searched.keys())
    if both:
        seeds = ", ".join(map(str, both))
        raise UserError(
            f"{name} reports seed{'s' * (len(both) > 1)} {seeds}, which {searched[both[0]]} searched: "
            "expected reported seeds that no setting was chosen by"
        )
