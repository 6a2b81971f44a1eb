"""A plan warns of budgets that are too short for a method, whatever their unit."""

import pytest

from bench.data.catalogue import DataSets
from bench.plan.complete import complete
from bench.plan.estimate import Rate, setting, steps_of, too_short
from bench.spec import Budget, RunSpec

RATE = Rate(0.5, 1e9)
EPOCH = 20
"""Steps of 64 of the 1,295 images that digits' train has."""


def planned(method: str, budget: Budget, **changes) -> RunSpec:
    facts = {"dataset": "digits", "image_size": 16, "encoder": "resnet8", "precision": "float32"}
    return complete(RunSpec(method=method, budget=budget, recipe_changes={"batch_size": 64}, **facts, **changes))


def warned(*specs: RunSpec) -> list[str]:
    return too_short(specs, DataSets(None), {setting(spec): RATE for spec in specs})


@pytest.mark.parametrize("unit", ["steps", "images", "flops", "seconds"])
def test_a_memory_that_is_not_filled_once(unit):
    amount = {"steps": 1, "images": 64, "flops": RATE.flops, "seconds": RATE.seconds}[unit]
    few, many = planned("npid", Budget(unit, 5 * amount)), planned("npid", Budget(unit, 40 * amount))
    assert (steps_of(few, RATE, EPOCH), steps_of(many, RATE, EPOCH)) == (5, 40)
    (line,) = warned(few, few.replace(seed=1))
    assert line == f"{few.budget} are short for npid: the memory holds every image after 21 steps, and it has 5"
    assert warned(many) == []


def test_a_queue_and_a_teacher_in_one_line_and_others_in_none():
    (line,) = warned(*(planned(name, Budget("steps", 30)) for name in ("moco", "simclr", "random")))
    assert "for moco: the queue of 4,096 is full after 64 steps, and it has 30; the teacher is to less than 5 %" in line


def test_the_hyper_parameters_count():
    assert warned(planned("moco", Budget("steps", 30), hyper_parameters={"queue": 640, "momentum": 0.5})) == []


def test_what_no_rate_is_known_of_is_left_out():
    assert too_short((planned("npid", Budget("steps", 1)),), DataSets(None), {}) == []
