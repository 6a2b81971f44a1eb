"""Whether every name that was typed exists, before anything heavy is imported."""

import methods
from bench.data.catalogue import DataSets, annotated
from bench.data.dataset import DataSet
from bench.encoders import table
from bench.errors import UserError
from bench.evaluation import registry
from bench.evaluation.arrays import labels_a_class
from bench.folder_name import shown
from bench.plan.fits import require_encoder, require_evaluator, require_method, require_offer
from bench.spec import RunSpec


def check_names(spec: RunSpec, requests: tuple[str, ...], data: DataSets) -> None:
    """A UserError for the first name in the spec, or in the evaluators asked for, that does not exist. Imports no torch."""
    methods.require(spec.method)
    dataset = data.require(spec.dataset)
    require_method(spec.method, methods.takes(spec.method), dataset)
    dataset.require_pretraining(spec.pretrain_split)
    encoder = table.require(spec.encoder or dataset.entry.encoder)
    require_encoder(encoder, dataset)
    for request in requests:
        name, _ = registry.parse(request)
        evaluator = f"the evaluator '{name}'"
        # An evaluator without a target measures the pretraining data set itself.
        target = registry.target(request)
        found = data.require(target or spec.dataset)
        require_evaluator(request, dataset, found)
        require_offer(request, encoder)
        if kind := registry.annotation(name):
            found.require_annotation(kind, evaluator, annotated(kind))
        served = kind or (registry.takes_sets(name) and "classes" in found.entry.annotations)
        able = _serving(found, target is not None)
        found.require_evaluable(registry.splits(name), registry.needs_classes(name) and not served, evaluator, able)
        found.require_labels(_labels_a_class(request, found), f"the evaluator '{request}'")
        found.require_in_test(*registry.fewest_in_test(name), f"the evaluator '{request}'")
        if beside := registry.splits_of_pretraining(name):
            pretraining = data.require(spec.dataset)
            pretraining.require_evaluable(beside, registry.needs_classes(name), evaluator)
            if found.name == pretraining.name:
                raise UserError(f"'{request}': {shown(found.name)} is what was trained on; expected another data set")
            if registry.same_classes(name):
                found.require_known_to(pretraining, request)


def _serving(found: DataSet, named: bool) -> list[str]:
    """The evaluators that measure such a data set. named: those alone whose requests can name it."""
    able = []
    for name in registry.names():
        kind, takes = registry.annotation(name), registry.takes(name)
        classes = found.entry.one_class or kind or not registry.needs_classes(name) or registry.takes_sets(name)
        there = "train" in found.entry.sizes or {"train", "val"}.isdisjoint(registry.splits(name))
        fits = kind in (None, *found.entry.annotations) and (not takes or found.entry.modality.name in takes)
        if fits and classes and there and (not named or (registry.argument(name) and registry.smallest(name) is None)):
            able.append(name)
    return able


def _labels_a_class(request: str, found: DataSet) -> int:
    """How many train labels of every class an evaluator takes; 0 where that is not what was asked for. UserError where they are too few."""
    percent = registry.percent_of_labels(request)
    if percent is None:
        return registry.labels_a_class(request) or 0
    images, classes = found.train_labels
    count, fewest = labels_a_class(percent, images, classes), registry.fewest_labels(registry.parse(request)[0]) or 0
    if count < fewest:
        taken = f"{percent} % of {images:,} train labels of {shown(found.name)} are {count} of each of its {classes} classes"
        raise UserError(f"'{request}': {taken}; expected {fewest} or more of each")
    return count


def check_all(specs: tuple[RunSpec, ...], requests: tuple[str, ...], data: DataSets) -> None:
    """`check_names` of every spec; those that name the same things once."""
    for spec in {(s.method, s.dataset, s.encoder, s.pretrain_split): s for s in specs}.values():
        check_names(spec, requests, data)
