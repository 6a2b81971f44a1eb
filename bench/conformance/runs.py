"""Checks of whole runs: state, seeds, randomness, resuming, budget and labels, each held against an undisturbed run, bit for bit.

Each returns where the method keeps the rule, and raises Broken where it does not; bench/conformance/check.py runs them.
"""

import copy
import random
import tempfile
from pathlib import Path

import numpy
import torch

from bench.compute.randomness import generator, hashed
from bench.conformance.case import STEPS, Case, EndedRun, require, steady_globals
from bench.conformance.state import differing, plain_attributes
from bench.machine.signals import Interrupted
from bench.method import Batch, LabelledBatch
from bench.spec import Budget
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.trainer import Trainer

MOST_STEPS = 100
"""After so many steps without an end, the check of the budget gives up."""


def require_same(run: EndedRun, other: EndedRun, reason: str) -> None:
    """Both runs ended with the same weights and had the same losses, bit for bit."""
    names = differing(run.state, other.state)
    require(not names and run.losses == other.losses, f"{reason} ({', '.join(names[:3]) or 'the losses'} differ)")


def check_state_is_complete(case: Case) -> None:
    run = case.undisturbed
    late = sorted(set(run.state) ^ set(run.keys_before))
    require(not late, f"{', '.join(late[:3])}: in state_dict() only before or after training; register all state in __init__")
    for path in (path for path, value in run.plain_after.items() if run.plain_before.get(path) != value):
        # What loss leaves for after_step changes too, and is no state: a run that forgets it between steps goes the same way.
        try:
            harmless = not differing(run.state, forgetting(case, path).state)
        except (Exception, SystemExit):  # whatever the method raises where its own value is gone
            harmless = False
        require(
            harmless,
            f"self.{path} decides later steps and is not in state_dict(), so a resumed run would lose it: register it in "
            f"__init__ with register_buffer('{path.rpartition('.')[2]}', ...), as a tensor and persistent (layers: in an nn.ModuleList)",
        )


def forgetting(case: Case, path: str) -> EndedRun:
    """A run in which the plain attribute at `path` is put back to what it was at construction after every step."""
    kept = {}

    def reset(trainer: Trainer) -> None:
        # Copies share what is registered: a plain list of the method's own layers goes on holding those layers.
        known = {id(module): module for module in trainer.method.modules()}
        known |= {id(value): value for value in trainer.method.state_dict(keep_vars=True).values()}
        places = plain_attributes(trainer.method)
        if not trainer.meter.steps and path in places:
            kept[path] = copy.deepcopy(getattr(*places[path]), known)
        if path in kept:
            setattr(*places[path], copy.deepcopy(kept[path], known))
        elif path in places:
            delattr(*places[path])

    return case.run(reset)


def check_same_seed_same_run(case: Case) -> None:
    require_same(
        case.undisturbed, case.run(), "two runs with the same seed differ: look for state outside the method, or the order of a set"
    )
    changed = differing(case.undisturbed.state, case.run(seed=1).state)
    require(changed, "a run with another seed ends with the same weights: let torch initialise the layers, and use `batch`")


def scramble(number: int) -> None:
    """Put the global generators into another state."""
    key = hashed("scramble", number)
    torch.manual_seed(key)
    numpy.random.seed(key % 2**32)
    random.seed(key)


def check_only_batch_randomness(case: Case) -> None:
    require_same(
        case.undisturbed,
        case.run(lambda trainer: scramble(trainer.meter.steps)),
        "the run depends on global random generators: in loss draw with batch.rand, randn, randint and permutation, in "
        "before_epoch with its generator, and drop with bench.parts.dropout, not torch's",
    )


def check_resume(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), "conformance")
        # Stopped after every step: in the middle of an epoch, at its edge and right after. Each part starts from other weights.
        for part in range(STEPS):

            def go_on(trainer: Trainer, part=part) -> None:
                if part and not trainer.meter.steps:
                    trainer.load_state_dict(checkpoints.load())

            try:
                run = case.run(go_on, method=case.build(seed=1000 * part), controls=Controls(checkpoints=checkpoints, stop=lambda: True))
            except Interrupted:
                continue
    require_same(
        case.undisturbed,
        run,
        "a run that was stopped and resumed ends elsewhere than one that was not: everything a later step needs must be in state_dict()",
    )


def check_fit(case: Case) -> None:
    """Of what is not trained: its one look at the training images."""
    fits = []
    for key in (1, 2):
        with steady_globals():
            scramble(key)
            fits.append(case.fitted())
    method, again = fits
    late = sorted(set(method.state_dict()) ^ set(case.build().state_dict()))
    require(not late, f"{', '.join(late[:3])}: in state_dict() only before or after before_epoch; register all state in __init__")
    changed = differing(method.state_dict(), again.state_dict())
    require(not changed, f"two fits differ in {', '.join(changed[:3])}: draw with the generator that before_epoch gets")
    other = case.build(seed=1)
    other.load_state_dict(method.state_dict())
    with torch.no_grad():
        features = [each.eval().encode(case.normalised()) for each in (method, other)]
    require(torch.equal(*features), "features differ once state_dict() is loaded into another construction: it must hold what was found")
    if case.cls.deterministic:
        with torch.no_grad():
            of_seeds = [case.fitted(seed).eval().encode(case.normalised()) for seed in (0, 1)]
        require(torch.equal(*of_seeds), "deterministic = True, and two seeds have other features: no seed may decide anything of it")


def check_budget(case: Case) -> None:
    meter = case.undisturbed.meter
    step_flops = max(meter.step_flops.values())
    require(step_flops > 0, "a step costs no FLOPs: nothing in loss multiplies matrices, so a budget in FLOPs would never end")
    for budget in (
        Budget("steps", 3),
        Budget("images", 2.5 * case.batch_size),
        Budget("flops", 2.5 * step_flops),
        Budget("seconds", 2.5 * meter.seconds / STEPS),
    ):
        spent = []

        def watch(trainer: Trainer, budget=budget, spent=spent) -> None:
            spent.append(getattr(trainer.meter, budget.unit))
            # Seconds pass by themselves; how many steps they are depends on what else the machine does.
            ended = budget.unit == "seconds" or trainer.meter.steps < MOST_STEPS
            require(ended, f"a budget of {budget} has not ended after {MOST_STEPS} steps")

        end = getattr(case.run(watch, budget=budget).meter, budget.unit)
        require(end >= budget.amount, f"a budget of {budget} ended at {end:g}")
        require(end == budget.amount or budget.unit != "steps", f"a budget of {budget} took {end}")
        require(
            all(value < budget.amount for value in spent[:-1]), f"a budget of {budget} went on after {spent[-2:]}: over by more than a step"
        )


def check_labels(case: Case) -> None:
    """A Reference learns from labels; for everything else it is the same whether the harness holds true labels, wrong ones or none."""
    true = case.labels[: case.training_images]
    permuted = true[torch.randperm(case.training_images, generator=generator("permuted labels"))]
    if case.cls.uses_labels:
        require(type(case.trainer().batch()) is LabelledBatch, "a Reference must get a LabelledBatch")
        changed = differing(case.undisturbed.state, case.run(labels=permuted).state)
        require(changed, "permuted labels give the same weights: use batch.labels in loss, or subclass Method")
        return
    require(type(case.trainer(labels=true).batch()) is Batch, "the batch of a self-supervised method must not hold labels")
    for labels, what in ((true, "true"), (permuted, "permuted")):
        require_same(
            case.undisturbed,
            case.run(labels=labels),
            f"the run with {what} labels differs from the run without labels: the method sees them",
        )
