"""docs/methods.md is what the code says."""

import pytest

from bench.pages import methods as methods_page
from places import ROOT


@pytest.mark.slow
def test_the_page_of_methods_is_the_codes():
    """Where it fails: python -m bench.pages.methods simclr > docs/methods.md"""
    assert (ROOT / "docs/methods.md").read_text() == methods_page.page("simclr")


@pytest.mark.parametrize(("name", "passes"), [("simclr", 1.0), ("emp_ssl", 16.0), ("split_brain", 0.5)])
def test_what_is_evaluated_costs_as_many_passes_of_the_encoder(name, passes):
    """EMP-SSL's features are of a grid of 4 x 4 patches, each as large as the image, and a layer; split-brain's halves are narrow."""
    data, method = methods_page.data_for(name), methods_page.made(name, methods_page.encoder_for(name))
    assert methods_page.encode_cost(name, method, data) == pytest.approx(passes, rel=0.01)
