"""From a spec and its images to a method with the weights of its seed, and to a trainer at its checkpoint."""

import warnings
from dataclasses import replace
from pathlib import Path

import methods
from bench.compute.randomness import seeded
from bench.data.source import Source
from bench.encoders import factory
from bench.encoders.batch_norm import synchronise
from bench.method import Method, build
from bench.parts.budgets import short_of
from bench.spec import RunSpec, settled
from bench.training.controls import Controls
from bench.training.meter import Meter
from bench.training.trainer import Trainer


def build_method(spec: RunSpec, source: Source, num_classes: int, scratch: Path | None = None) -> Method:
    """The method with the weights that its seed gives it, on the device. scratch: where files of weights lie that somebody else trained."""
    cls = methods.load(spec.method)
    make_encoder = factory.factory(settled(spec.encoder), settled(spec.image_size), scratch, source.info.kinds)
    with seeded(spec.seed, "init"):
        method = build(cls, make_encoder, source.info, num_classes, spec.hyper_parameters)
    synchronise(method)
    return source.modality.laid_out(method.to(source.device))


def as_seen_by(method: Method, source: Source) -> Source:
    """What a method is trained on: only a Reference is handed the labels."""
    return source if method.uses_labels else replace(source, labels=None)


def make_trainer(
    method: Method, source: Source, spec: RunSpec, state: dict | None, controls: Controls | None = None, origin: dict | None = None
) -> Trainer:
    """A trainer, moved on to its checkpoint if there is one. origin: hardware and environment, of the process that records the run."""
    trainer = Trainer(method, as_seen_by(method, source), spec, controls)
    trainer.origin = origin or {}
    if state and origin:
        for what in ("commit", "versions"):
            if state["origin"]["environment"][what] != origin["environment"][what]:
                warnings.warn(f"{spec.name} goes on from a checkpoint of another {what}, as its record will say", stacklevel=2)
    if state:
        trainer.load_state_dict(state)
    return trainer


def of_its_task(method: Method, spec: RunSpec, meter: Meter) -> dict:
    """For the record: what the method needs of a budget and did not get, and its chance loss."""
    batch_size = settled(spec.batch_size)
    short = short_of(method.needed(batch_size), meter.steps)
    if not meter.steps and meter.share(spec.budget) == 1:
        short = ("no step was made, since what comes before an epoch took the whole budget", *short)
    return {"short_of": short, "chance_loss": method.chance_loss(batch_size)}
