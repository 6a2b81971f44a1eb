"""What a worker does a run for: the folder of its records and the evaluators. It stands in the lease, since a run's id says neither, and
whoever wants the same run for another folder, or evaluated by more, is not served by it.
"""

from collections.abc import Iterable
from pathlib import Path


def aim(results: Path, requests: Iterable[str]) -> dict:
    """For the lease."""
    return {"results": str(results.resolve()), "evals": sorted(requests)}


def is_for(facts: dict, results: Path) -> bool:
    """Whether a holder's records go to this folder; yes, where its lease says nothing of it."""
    return facts.get("results") in (None, str(results.resolve()))


def serves(facts: dict, results: Path, requests: Iterable[str]) -> bool:
    """Whether all of these evaluators' results will be in this folder's records once the holder has ended."""
    return is_for(facts, results) and (facts.get("evals") is None or set(requests) <= set(facts["evals"]))
