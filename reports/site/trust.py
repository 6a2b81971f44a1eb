"""Whether somebody has made a run again, in words: what the files beside the records say (bench/records/verification.py)."""

from collections.abc import Sequence

from bench.records.verification import Verification
from reports.site.source import Source

OFF, UNVERIFIED = "off", "unverified"


def sentence(one: Verification) -> str:
    """'Verified on 2026-11-28, by another machine: bit-equal.'"""
    day = one.finished[:10] or "a day that is not said"
    words = "Verified" if one.holds else "Made again" if one.why is None else "Looked at"
    said = [one.why, *one.findings, *(f"{each.evaluator} {each.dataset} {each.metric} {each.outcome}" for each in one.compared)]
    reasons = "; ".join(filter(None, said))
    return f"{words} on {day}, by {one.by}: {one.outcome}{f' ({reasons})' if reasons else ''}."


def of_runs(source: Source, runs: Sequence[tuple[int, str]]) -> str:
    """'3 of 3', 'unverified', or 'off' where one came out differently. runs: (seed, id)."""
    found = [source.verified.get(run, ()) for _, run in runs]
    if any(one.outcome == OFF for those in found for one in those):
        return OFF
    held = sum(any(one.holds for one in those) for those in found)
    return f"{held} of {len(found)}" if held else UNVERIFIED
