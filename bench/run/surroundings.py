"""On what a run was made, for its record: hardware, libraries, commit; and what of it was another at its end."""

from bench.machine import hardware
from bench.run.place import Place
from bench.spec import RunSpec
from bench.training.trainer import Trainer


def surroundings(place: Place, spec: RunSpec, threads: int) -> dict:
    """Hardware and environment, for the record. What is not trained has no recipe, and nothing of it is compiled."""
    environment = hardware.environment(threads) | ({"compiled": True} if place.compile and spec.recipe else {})
    return {"hardware": hardware.hardware(place.processes), "environment": environment}


def provenance(trainer: Trainer | None, now: dict) -> dict:
    """Hardware and environment for the record: those that the training began with, and what was different at its end."""
    if trainer is None or trainer.origin == now:
        return now
    before, after = trainer.origin["environment"], now["environment"]
    ended = {key: after.get(key) for key in before | after if before.get(key) != after.get(key)}
    if now["hardware"] != trainer.origin["hardware"]:
        ended["hardware"] = now["hardware"]
    return {"hardware": trainer.origin["hardware"], "environment": {**before, "ended_with": ended}}
