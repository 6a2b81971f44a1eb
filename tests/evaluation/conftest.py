"""An untrained encoder on digits, as evaluators are handed it."""

import pytest

from bench.data.catalogue import DataSets
from bench.data.source import load_source
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.plan.complete import complete
from bench.run.build import build_method
from bench.spec import Budget, RunSpec


@pytest.fixture(scope="module")
def measured():
    """(method, spec, source): an untrained encoder on digits, of 8 pixels."""
    spec = complete(RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), image_size=8))
    source, classes = load_source(spec, DataSets().require("digits"), 1)
    return build_method(spec, source, classes), spec, source


@pytest.fixture
def features(measured):
    method, spec, source = measured
    return FrozenEncoder(method, method.encode, spec, source, DataSets())
