"""The queue, the memory and the teachers of MoCo, NPID and BYOL: how they move, against loops, and mutations that must turn the comparisons
red."""

import math

import pytest
import torch
from contrastive_cases import make_batch, make_method, patch, random_rows, same_order, shuffled_keys

from bench.compute.randomness import Draws
from bench.parts.memories import Memory, Queue
from loss_cases import TOLERANCE, dot, rows_of
from methods.byol import BYOL
from methods.moco import MoCo
from methods.npid import NPID


def check_queue(sizes=(5, 5, 5, 7, 1)):
    """Q = 12 rows and batches that wrap around, one of them inside a batch, against a list of rows."""
    torch.manual_seed(0)
    queue = Queue(12, 3)
    expected, place = rows_of(queue.rows), 0
    for seed, size in enumerate(sizes):
        (rows,) = random_rows(size, dim=3, seed=seed, dtype=torch.float32)
        queue.enqueue(rows)
        for row in rows_of(rows):
            expected[place] = row
            place = (place + 1) % 12
        assert rows_of(queue.rows) == expected
        assert queue.position == place


def check_moco_steps(momentum=0.9, mutate=None):
    """Two steps: the queue gets each step's keys in the batch's order, of the teacher as it was in `loss`; then the teacher moves."""
    method = make_method(MoCo, momentum=momentum)
    if mutate:
        mutate(method)
    queue, place = rows_of(method.queue.rows), int(method.queue.position)
    for step in range(2):
        batch = make_batch(8, seed=step)
        order = Draws(*batch.draws.key, total=8).permutation(8).tolist()
        keys = rows_of(shuffled_keys(method, batch.views[1], order))
        expected = moved(method, momentum)
        method.loss(batch, 0.0)
        method.after_step(0.0)
        for key in keys:
            queue[place] = [value / math.sqrt(dot(key, key)) for value in key]
            place = (place + 1) % 12
        torch.testing.assert_close(method.queue.rows.double(), torch.tensor(queue, dtype=torch.float64), rtol=0, atol=TOLERANCE)
        check_teacher(method, expected)


def moved(method, momentum):
    """Every weight of the teacher after a move towards the student, as lists."""
    student = [parameter for part in (method.encoder, method.projector) for parameter in part.parameters()]
    return [
        [momentum * old + (1 - momentum) * new for old, new in zip(*(p.detach().double().flatten().tolist() for p in pair), strict=True)]
        for pair in zip(method.teacher.network.parameters(), student, strict=True)
    ]


def check_teacher(method, expected):
    for parameter, values in zip(method.teacher.network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.flatten().double(), torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-6)


def check_memory(momentum=0.3, mutate=None):
    """Two steps of NPID: rows of the batch's images move, the others stay."""
    method = make_method(NPID, momentum=momentum)
    if mutate:
        mutate(method)
    memory = rows_of(method.memory.rows)
    for step in range(2):
        batch = make_batch(6, seed=step, views=1)
        embeddings = rows_of(method.projector(method.encoder(batch.views[0])))
        method.loss(batch, 0.0)
        method.after_step(0.0)
        for place, embedding in zip(batch.index.tolist(), embeddings, strict=True):
            length = math.sqrt(dot(embedding, embedding))
            mixed = [momentum * old + (1 - momentum) * new / length for old, new in zip(memory[place], embedding, strict=True)]
            memory[place] = [value / math.sqrt(dot(mixed, mixed)) for value in mixed]
        torch.testing.assert_close(method.memory.rows.double(), torch.tensor(memory, dtype=torch.float64), rtol=0, atol=TOLERANCE)


def check_byol_schedule(momentum=0.9, mutate=None, end=1.0):
    """The teacher's momentum rises along half a cosine; the first and the last value are hyper-parameters."""
    method = make_method(BYOL, momentum=momentum, momentum_end=end)
    if mutate:
        mutate(method)
    for progress, rate in ((0.0, momentum), (1 / 3, momentum + (end - momentum) / 4), (0.5, (end + momentum) / 2), (1.0, end)):
        expected = moved(method, rate)
        method.after_step(progress)
        check_teacher(method, expected)


@pytest.mark.parametrize("check", [check_queue, check_moco_steps, check_memory, check_byol_schedule])
def test_state_moves_as_in_loops(check):
    check()


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_byols_momentum_goes_where_it_is_told(momentum):
    """arXiv:2006.07733, table 5a: it stays as it is; or it goes to something else than 1."""
    check_byol_schedule(momentum, end=momentum)
    check_byol_schedule(momentum, end=0.5)


# Mutations: each breaks a method in one way, and its comparison must notice.


def swap_momentum(method):
    method.momentum = 1 - method.momentum


def enqueue_reversed(self, rows, enqueue=Queue.enqueue):
    enqueue(self, rows.flip(0))


def enqueue_at_start(self, rows):
    self.rows[: len(rows)] = rows


def move_without_normalising(self, index, rows, momentum):
    self.rows[index] = momentum * self.rows[index] + (1 - momentum) * rows


def follow_before(method):
    """The teacher moves before the keys are made, with the weights of the step to come."""
    encode = method.teacher.forward

    def late_keys(*arguments):
        method.teacher.follow(method.followed(), method.momentum)
        return encode(*arguments)

    method.teacher.forward = late_keys


def freeze_schedule(method):
    after_step = method.after_step
    method.after_step = lambda progress: after_step(0.0)


def reverse_schedule(method):
    after_step = method.after_step
    method.after_step = lambda progress: after_step(1 - progress)


MUTATED_STATES = [
    (check_queue, "queue starts anew with each batch", patch(Queue, "enqueue", enqueue_at_start), None),
    (check_moco_steps, "keys enqueued backwards", patch(Queue, "enqueue", enqueue_reversed), None),
    (check_moco_steps, "un-permutation forgotten", patch(torch.Tensor, "argsort", same_order), None),
    (check_moco_steps, "momentum swapped", None, swap_momentum),
    (check_moco_steps, "teacher moves first", None, follow_before),
    (check_memory, "momentum swapped", None, swap_momentum),
    (check_memory, "row not normalised", patch(Memory, "move", move_without_normalising), None),
    (check_byol_schedule, "momentum swapped", None, swap_momentum),
    (check_byol_schedule, "momentum constant", None, freeze_schedule),
    (check_byol_schedule, "momentum falls", None, reverse_schedule),
]


@pytest.mark.parametrize(
    ("check", "name", "patching", "mutate"), MUTATED_STATES, ids=[f"{c.__name__}: {name}" for c, name, *_ in MUTATED_STATES]
)
def test_mutated_state_is_noticed(check, name, patching, mutate, monkeypatch):
    if patching:
        patching(monkeypatch)
    with pytest.raises(AssertionError):
        check(**({"mutate": mutate} if mutate else {}))
    monkeypatch.undo()
    check()
