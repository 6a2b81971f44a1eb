"""ReSSL: the loss against loops over images and the queue, written from arXiv:2107.09282 and its authors' ressl.py in float64; the queue
as it fills; mistakes that the comparison must notice.

B images, P projection, Q queue length.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.ressl
from bench.spec import DatasetInfo
from bench.views.ops import ColorJitter
from loss_cases import agree, dot, make_encoder, mutate, random_batch, rows_of, unit

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
SMALL = {"projection": 5, "hidden": 7, "queue": 12, "bn_groups": 1}


def make(seed=0, filled=7, **hyper_parameters):
    """A tiny method, whose teacher is not its student; so many places of its queue hold a row."""
    torch.manual_seed(seed)
    method = methods.ressl.ReSSL(make_encoder, DATA, **{**SMALL, **hyper_parameters}).train()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    if filled:
        method.queue.enqueue(F.normalize(torch.randn(filled, 5), dim=1))
    return method


def shared_out(row, queue, temperature):
    """A softmax over the rows of the queue, as a list of numbers."""
    scores = [math.exp(dot(unit(row), past) / temperature) for past in queue]
    return [score / sum(scores) for score in scores]


def loop_relations(queries, keys, queue, temperature, teacher_temperature):
    queue, total = [row for row in rows_of(queue) if any(row)], 0.0
    for query, key in zip(rows_of(queries), rows_of(keys), strict=True):
        asked, said = shared_out(key, queue, teacher_temperature), shared_out(query, queue, temperature)
        total -= sum(a * math.log(s) for a, s in zip(asked, said, strict=True))
    return total / len(queries)


def case(size=6, seed=0, filled=7, **hyper_parameters):
    """The method's loss and the loops': student and strong view, teacher and weak one. Without BatchNorm groups their order is nothing."""
    method = make(seed, filled, **hyper_parameters)
    batch = random_batch(method, size, SIZE, seed)
    queries = method.projector(method.encoder(batch.views[0]))
    keys = method.teacher.network(batch.views[1])
    temperatures = hyper_parameters.get("temperature", 0.1), hyper_parameters.get("teacher_temperature", 0.04)
    return method.loss(batch, 0.0).item(), loop_relations(queries, keys, method.queue.rows, *temperatures)


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"teacher_temperature": 0.2}, {"weak": False}])
@pytest.mark.parametrize(("size", "filled"), [(2, 12), (3, 1), (8, 7)])
def test_the_loss_is_the_papers(size, filled, settings):
    assert agree(case(size, size, filled, **settings))


def test_the_first_step_has_nothing_to_compare_with_and_changes_nothing():
    method = make(filled=0)
    batch = random_batch(method, 6, SIZE)
    loss = method.loss(batch, 0.0)
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in method.parameters())
    keys = method.new_keys
    method.after_step(0.0)
    torch.testing.assert_close(method.queue.rows[:6], keys)
    second = method.loss(random_batch(method, 6, SIZE, 1), 0.1)
    second.backward()
    assert second.item() > 0 and all(parameter.grad.isfinite().all() for parameter in method.encoder.parameters())


def test_the_teacher_gets_no_gradient_and_follows():
    method = make(momentum=0.5)
    before = [parameter.clone() for parameter in method.teacher.parameters()]
    method.loss(random_batch(method, 6, SIZE), 0.0).backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    method.after_step(0.0)
    for own, old, student in zip(method.teacher.parameters(), before, method.followed().parameters(), strict=True):
        torch.testing.assert_close(own, 0.5 * old + 0.5 * student)


def test_the_teachers_view_is_weak():
    """As its paper's title says; without, both are drawn alike."""
    strong, weak = make().views
    assert any(isinstance(op, ColorJitter) for op in strong.ops) and len(weak.ops) == 2
    (both,) = make(weak=False).views
    assert both.count == 2 and both.ops == strong.ops


MISTAKES = {
    "the teacher is not sharpened": ("relations(keys, queue, empty, teacher_temperature)", "relations(keys, queue, empty, temperature)"),
    "empty places have a share": (".masked_fill(empty, torch.finfo(logits.dtype).min).log_softmax(1)", ".log_softmax(1)"),
    "student and teacher are exchanged": ("queries, keys = self.pairs", "keys, queries = self.pairs"),
    "the views are exchanged": ("self.pairs(*batch.views,", "self.pairs(*batch.views[::-1],"),
    "a mean over the queue": (".sum(1).mean()", ".mean(1).mean()"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    assert agree(case())
    mutate(monkeypatch, methods.ressl, *MISTAKES[mistake])
    assert not agree(case())
