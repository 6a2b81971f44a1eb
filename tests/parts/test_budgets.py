"""What a method needs of a budget, counted out step by step."""

import math

import pytest
import torch
from torch import nn

from bench.parts import Queue, Teacher, images_seen
from bench.parts.budgets import LEFT, Needed, queue_full, short_of, teacher_left


@pytest.mark.parametrize(("length", "batch"), [(12, 4), (10, 4), (3, 4), (1, 1)])
def test_a_queue_is_full_after_so_many_steps(length, batch):
    queue, steps = Queue(length, 2), 0
    while queue.empty.any():
        for row in torch.ones(batch, 2):
            queue.enqueue(row[None])
        steps += 1
    assert queue_full(length, batch).steps == steps


@pytest.mark.parametrize(("images", "batch"), [(12, 4), (10, 4), (45_000, 256)])
def test_every_image_was_in_a_batch(images, batch):
    assert images_seen(images, batch, "x").steps == len(range(0, images, batch))


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_a_teacher_has_left_its_start(momentum):
    """One that follows a student at 0 from its start at 1 is what is left of its start."""
    student, teacher = nn.Linear(1, 1, bias=False), Teacher(nn.Linear(1, 1, bias=False))
    nn.init.zeros_(student.weight), nn.init.ones_(teacher.network.weight)
    steps = 0
    while teacher.network.weight >= LEFT:
        teacher.follow(student, momentum)
        steps += 1
    assert teacher_left(momentum).steps == steps


@pytest.mark.parametrize("momentum", [0.99, 0.996])
def test_a_teacher_whose_momentum_rises_takes_twice_as_long(momentum):
    def left(steps):
        parts = (1 - (1 - momentum) * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps))
        return math.prod(parts)

    steps = teacher_left(momentum, rising=True).steps
    assert left(math.ceil(1.02 * steps)) < LEFT < left(math.floor(0.98 * steps))


@pytest.mark.parametrize(("momentum", "end"), [(0.9, 1.0), (0.9, 0.99), (0.99, 0.5), (1.0, 0.9), (0.97, 0.97)])
def test_a_teacher_whose_momentum_goes_elsewhere(momentum, end):
    """Where it is so much of every training."""
    total = 1000
    mean = sum(math.log(end - (end - momentum) * (1 + math.cos(math.pi * (step + 0.5) / total)) / 2) for step in range(total)) / total
    assert teacher_left(momentum, rising=True, end=end).steps == math.ceil(math.log(LEFT) / mean)


def test_momenta_that_never_or_at_once_leave():
    assert teacher_left(0.0).steps == 1 and teacher_left(1.0).steps > 1e9
    assert teacher_left(0.0, True, 0.0).steps == 1 and teacher_left(1.0, True).steps > 1e9 and teacher_left(0.99, True, 0.0).steps == 3


def test_what_is_missed_is_said():
    needed = Needed(400, "the queue is full"), Needed(10, "the memory holds every image")
    assert short_of(needed, 47.9) == ("the queue is full after 400 steps, and it has 47",)
    assert short_of(needed, 400) == () and len(short_of(needed, 3)) == 2
