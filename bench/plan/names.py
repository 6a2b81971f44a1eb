"""Whether every name that was typed exists, before anything heavy is imported."""

import methods
from bench.data.catalogue import DataSets
from bench.encoders import table
from bench.errors import unknown
from bench.evaluation import registry
from bench.spec import RunSpec


def check_names(spec: RunSpec, requests: tuple[str, ...], data: DataSets) -> None:
    """A UserError for the first name in the spec, or in the evaluators asked for, that does not exist. Imports no torch."""
    methods.require(spec.method)
    entry = data.require(spec.dataset).entry
    if spec.pretrain_split not in entry.pretrain_splits:
        raise unknown(f"pretraining split of {spec.dataset}", spec.pretrain_split, entry.pretrain_splits)
    table.require(spec.encoder or entry.encoder)
    for request in requests:
        name, _ = registry.parse(request)
        # An evaluator without a target measures the pretraining data set itself.
        found = data.require(registry.target(request) or spec.dataset)
        found.require_evaluable(registry.reads_test(name), registry.needs_classes(name), f"the evaluator '{name}'")
        found.require_labels(registry.labels_a_class(request) or 0, f"the evaluator '{request}'")


def check_all(specs: tuple[RunSpec, ...], requests: tuple[str, ...], data: DataSets) -> None:
    """`check_names` of every spec; those that name the same things once."""
    for spec in {(s.method, s.dataset, s.encoder, s.pretrain_split): s for s in specs}.values():
        check_names(spec, requests, data)
