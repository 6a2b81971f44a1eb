"""A teacher's half-life as a part of the run: against a loop over steps, at its bounds, resumed, and taken by all that have a teacher."""

import inspect

import pytest
import torch
from torch import nn

import methods
from bench.method import Method
from bench.parts import MomentumContrast, WithTeacher
from bench.parts.teachers import LEAST_MOMENTUM
from bench.spec import DatasetInfo
from loss_cases import make_encoder

TAUGHT = [name for name in methods.names() if issubclass(methods.load(name), WithTeacher)]


class Taught(WithTeacher, Method):
    """A teacher of one number, 1 at first, and a student that is 0 from then on."""

    def __init__(self, momentum=0.999, momentum_end=1.0, half_life=0.05):
        super().__init__()
        self.encoder = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.encoder.weight)
        self.build_teacher(momentum, momentum_end, half_life)
        nn.init.zeros_(self.encoder.weight)

    def loss(self, batch, progress):
        raise NotImplementedError

    def left_of_start(self):
        return self.teacher.network.weight.item()


def momenta(method, steps):
    """Of every move of a run of so many steps."""
    return [method.momentum_now(step / steps) for step in range(steps)]


@pytest.mark.parametrize("steps", [400, 3000])
@pytest.mark.parametrize("half_life", [0.05, 0.2])
def test_half_of_the_teacher_is_new_after_its_half_life(steps, half_life):
    method = Taught(half_life=half_life, momentum=0.9999)
    for step in range(int(steps * half_life) + 1):  # the first moves by what is declared, nearly nothing
        method.after_step(step / steps)
    assert method.left_of_start() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize(("steps", "expected"), [(40, LEAST_MOMENTUM), (1000, 0.5 ** (1 / 50)), (10**6, 0.999)])
def test_the_momentum_is_between_its_bounds(steps, expected):
    """A short run's is 0.9, a long run's what is declared."""
    method = Taught(momentum_end=0.999)
    first, *others = [method.momentum_now(step / steps) for step in range(9)]
    assert first == 0.999 and others == pytest.approx([expected] * 8)


def test_a_lower_momentum_that_is_declared_stays_and_so_does_one_that_rises():
    assert momenta(Taught(momentum=0.5, momentum_end=0.5), 20) == [0.5] * 20
    rising = momenta(Taught(momentum=0.5, half_life=0.5), 20)
    assert rising == pytest.approx([min(0.5 + step / 40, 0.5 ** (1 / 10)) for step in range(20)])


def test_without_a_half_life_nothing_is_counted():
    method = Taught(half_life=0.0)
    assert "moves" not in method.state_dict() and momenta(method, 10) == pytest.approx([0.999 + step / 10000 for step in range(10)])


def test_a_resumed_teacher_goes_on_as_it_would_have():
    whole, first, second = (Taught(half_life=0.1) for _ in range(3))
    expected = momenta(whole, 200)
    found = [first.momentum_now(step / 200) for step in range(70)]
    second.load_state_dict(first.state_dict())
    assert found + [second.momentum_now(step / 200) for step in range(70, 200)] == expected


def test_what_it_needs_of_a_run_is_what_the_shortest_takes():
    assert [needed.steps for needed in Taught().needed(256)] == [29]
    assert Taught(half_life=0.0, momentum=0.99).needed(256)[0].steps == 597


def test_there_are_teachers():
    assert {"byol", "moco", "dino", "ijepa", "tico"} <= set(TAUGHT)


@pytest.mark.parametrize("name", TAUGHT)
def test_every_method_with_a_teacher_hands_it_on(name):
    cls = methods.load(name)
    if issubclass(cls, MomentumContrast) or cls.needs != "tokens":
        taken = {key: 2 for key in ("bn_groups", "heads") if key in inspect.signature(cls).parameters}
        method = cls(make_encoder, DatasetInfo(num_images=64, image_size=8), half_life=0.25, **taken)
        assert method.half_life == 0.25 and method.moves.dtype == torch.int64
    assert inspect.signature(cls).parameters["half_life"].default == cls.added["half_life"] == 0.0
