"""The check that a method gives one answer on any number of devices: two processes against one, on the same global batches.

In float64, six steps or more that run freely: losses and state equal to 1e-8, or to ten times what the last bit of the first weights makes
of them in one process. Then three steps of a batch that cannot be halved, with plain SGD, which shows a gradient of the wrong size where
LARS and Adam would hide it. In float32 the loss of each step starts from the one-process state, and is equal to 3e-5 to what one process
makes of it, in float32 or in float64: left to run, float32 drifts apart by rounding alone. Its gradients are those of the same lines as in
float64, which 1e-8 holds, and are not computed again. What one process makes of it is computed once, before the second process joins, and
both compare with that, so queues, memories, centres and assignments are the same on each.

    python -m bench.conformance.processes    the second process, started by the first check and kept for those that follow
"""

import copy
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist

from bench import registry
from bench.compute.collectives import alone
from bench.conformance.answers import Answer, apart
from bench.conformance.case import Broken, Case, require, steady_globals
from bench.encoders.batch_norm import GroupedBatchNorm, synchronise
from bench.errors import said
from bench.method import Method
from bench.run.folder import RunFolder
from bench.run.processes import FollowerDied, Kept, join_as_follower, serve, shared_by_processes
from bench.spec import Budget
from bench.training.controls import Controls
from bench.training.step import phase_of
from bench.training.trainer import Trainer

FEWEST, MOST = 6, 20
"""Steps of a whole run. An epoch is two, so that six begin three and what the second hook found is trained on. Rows that are not gathered,
or means that are not of the batch, are seen by the second step in each of our methods, or by the first after a hook."""

UNEVEN_STEPS = 3
"""Of the short run, the last after a second hook."""

EXACT, ROUNDED = 1e-8, 3e-5
"""Largest relative difference in float64 and of a single step's loss in float32: behind a head with BatchNorm and a temperature of 0.1
one process alone is off by 1.1e-5 of what it computes in float64, behind a whitening by up to 3.5e-5, and two are then nearer to that."""

DRIFT = 10
"""What is further apart than EXACT may be so by so many times what it is apart in one process that starts from weights one unit in the
last place higher: there are numbers without a say in the loss, such as the bias of a transformer's keys, of which Adam makes a walk of
rounding alone."""

SMALLEST_LOSS = 0.1
"""A loss in float32 below it is compared as if it were as large: a mean cosine may be near 0, where rounding is not."""

UNEVEN = {"optimizer": "sgd", "lr": 0.05, "lr_per_batch": None, "warmup": 0.0, "clip_grad": None}
"""Changes to the recipe for the short run."""

IMAGES_AT_ONCE = 8
"""Images of a forward pass in a hook, so that each process has some of the 40."""

RULE = "networks see this device's rows; whatever is computed across the batch goes through parts.gather or parts.mean_of_batch"

SECOND = Kept("bench.conformance.processes")
"""The second process of every check that this process makes."""


def steps_for(method: Method) -> int:
    """The least number of steps, of FEWEST to MOST, that is in as many of the method's phases as any of them."""
    return max(range(FEWEST, MOST + 1), key=lambda steps: len({phase_of(method, step / steps) for step in range(steps)}))


def begin(case: Case, double: bool, report=lambda trainer: None, steps: int = 0, nudge: bool = False, **recipe_changes) -> Trainer:
    """A run that has not begun, in float64 or float32. steps: 0 for `steps_for`. nudge: from weights one unit in the last place higher."""
    method = case.build()
    synchronise(method)
    method, controls = method.double() if double else method, Controls(report=report)
    for parameter in method.parameters() if nudge else ():
        parameter.data = parameter.data.nextafter(torch.full_like(parameter, float("inf")))
    trainer = case.trainer(method, budget=Budget("steps", steps or steps_for(method)), controls=controls, **recipe_changes)
    trainer.images_at_once = IMAGES_AT_ONCE
    if double:  # views and features are normalised with these, and take their type
        trainer.batches.source = dataclasses.replace(trainer.source, mean=case.mean.double(), std=case.std.double())
    trainer.meter.step_flops = dict(case.step_flops)
    return trainer


def follow(case: Case, **options) -> Answer:
    """A whole run in float64. Options as for `begin`."""
    losses = []
    trainer = begin(case, True, lambda trainer: losses.append(trainer.loss), **options)
    with steady_globals():
        trainer.run()
    return losses, trainer.method.state_dict(), trainer.meter.flops


def steps_of_run(case: Case) -> list[tuple[dict, float]]:
    """Of each step of a whole run in float32: the trainer's state before it, and its loss."""
    states, losses = [], []

    def report(trainer: Trainer) -> None:
        states.append(copy.deepcopy(trainer.state_dict()))
        losses.append(trainer.loss)

    trainer = begin(case, False, report)
    with steady_globals():
        states.append(copy.deepcopy(trainer.state_dict()))
        trainer.run()
    return list(zip(states[:-1], losses, strict=True))


def loss_from(trainer: Trainer, state: dict) -> float:
    """The loss of the step that begins at this state."""
    trainer.load_state_dict(state)
    with steady_globals():
        if trainer.epoch > trainer.hooked_epoch:
            trainer.before_epoch()
        return trainer.method.loss(trainer.batch(), trainer.progress).item()


def uneven(case: Case) -> dict:
    """Options of the short run. Groups of BatchNorm are held whole: their batch has to be even."""
    grouped = any(isinstance(module, GroupedBatchNorm) and module.groups > 1 for module in case.build().modules())
    odd = case.batch_size - 1 if case.batch_size > case.cls.smallest_batch else case.batch_size + 1
    return {"steps": UNEVEN_STEPS, **UNEVEN, "batch_size": case.batch_size if grouped else odd}


def given(value=None):
    """The first process's value, in both."""
    box = [value]
    dist.broadcast_object_list(box, 0)
    return box[0]


def near(loss: float, other: float) -> bool:
    return abs(loss - other) <= ROUNDED * max(abs(loss), SMALLEST_LOSS)


def exact_loss_from(case: Case, state: dict) -> float:
    """In float64 and one process, from a state in float32."""
    with alone():
        return loss_from(begin(case, True), state)


def require_one_answer(case: Case, one: Answer | None, what: str, **options) -> None:
    """A run in float64 by both processes, held against the first one's run by itself: Broken where losses, state or cost differ."""
    one = given(one)
    both = follow(case, **options)
    found = apart(one, both)
    if max(found.values()) > EXACT:
        with alone():
            drift = apart(one, follow(case, nudge=True, **options)).values()
        for (told, off), own in zip(found.items(), drift, strict=True):
            require(off <= max(EXACT, DRIFT * own), f"{told}, by {off:.1g} in float64{what}, where rounding alone makes {own:.1g}: {RULE}")
    require(one[2] == both[2], f"{one[2]:.12g} FLOPs are counted in one process and {both[2]:.12g} in two")


def compare(case: Case, run: Answer | None = None, short: Answer | None = None, steps=()) -> None:
    """What each of the processes does, at the same time; the first has its own answers, of `check_processes`. Raises Broken."""
    changes = uneven(case)
    require_one_answer(case, run, "")
    require_one_answer(case, short, f" with SGD and a batch of {changes['batch_size']}", **changes)
    trainer = begin(case, False)
    for number in range(given(len(steps))):
        state, loss = given(steps[number] if steps else None)
        other = loss_from(trainer, state)
        told = f"in float32 the loss of step {number + 1} is {loss:.8g} in one process and {other:.8g} in two"
        require(near(loss, other) or near(exact_loss_from(case, state), other), told)


def require_float64(case: Case) -> None:
    """Broken where the loss of a method in float64 is not float64."""
    trainer, told = begin(case, True), "`.float()` cuts it to float32; processes are compared in float64; use bench.parts.upcast(x) instead"
    try:
        with steady_globals():
            trainer.before_epoch()
            loss = trainer.method.loss(trainer.batch(), 0.0)
    except RuntimeError as error:  # of two types that cannot be multiplied: in float32 the loss was made
        raise Broken(f"in float64 {said(error)}: {told}") from error
    require(loss.dtype == torch.float64, f"in float64 the loss is {loss.dtype}: {told}")


def check_processes(case: Case) -> None:
    """Two processes give what one gives."""
    require_float64(case)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    job = {"file": str(case.file), "name": case.cls.__qualname__, "encoder": case.encoder, "step_flops": case.step_flops}
    try:
        answers = follow(case), follow(case, **uneven(case)), steps_of_run(case)
        with tempfile.TemporaryDirectory() as folder, shared_by_processes(2, job, RunFolder(Path(folder)), kept=SECOND):
            compare(case, *answers)
    except FollowerDied as error:
        raise Broken(f"in two processes: {error}") from error
    finally:
        torch.set_num_threads(threads)


def main(text: str) -> None:
    """The second process."""
    job = json.loads(text)
    case = Case(getattr(registry.import_file(Path(job["file"])), job["name"]), job["encoder"])
    case.step_flops = job["step_flops"]
    join_as_follower(job)
    try:
        compare(case)
    except Broken as broken:
        sys.exit(str(broken))
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(main)
