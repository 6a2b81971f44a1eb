"""docs/methods.md is what the code says."""

from pathlib import Path

import pytest

from bench import catalogue


@pytest.mark.slow
def test_the_page_of_methods_is_the_codes():
    """Where it fails: python -m bench.catalogue simclr > docs/methods.md"""
    assert (Path(__file__).parent.parent / "docs/methods.md").read_text() == catalogue.page("simclr")
