"""Committed records that take a second to make again, copied to where a test may change them."""

import shutil
from pathlib import Path

import pytest

from places import ROOT

FLOORS = sorted((ROOT / "results/figures/digits").glob("random-[0-4]-*.json"))
"""Untrained features of digits, which come with a library, at five seeds."""


@pytest.fixture
def floors(here):
    """results/ in the working directory with these records: their paths by seed."""
    folder = here / "results/digits"
    folder.mkdir(parents=True)
    return [Path(shutil.copy(path, folder)).relative_to(here) for path in FLOORS]
