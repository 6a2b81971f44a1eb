"""docs/methods.md is what the code says."""

import pytest

from bench.pages import methods as methods_page
from places import ROOT


@pytest.mark.slow
def test_the_page_of_methods_is_the_codes():
    """Where it fails: python -m bench.pages.methods simclr > docs/methods.md"""
    assert (ROOT / "docs/methods.md").read_text() == methods_page.page("simclr")
