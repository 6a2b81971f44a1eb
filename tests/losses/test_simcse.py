"""SimCSE: its loss against the softmax of cosines, written out; and that its two views are one text through two dropouts."""

import math

import pytest
import torch

import methods.simcse
from bench.compute.randomness import Draws
from bench.data.text import TextInfo
from bench.encoders.factory import factory
from bench.method import Batch, build
from bench.parts import dropout
from loss_cases import close, cross_entropy_of_one, dot, mutate, rows_of, text_batch, unit

LENGTH, KINDS = 12, 40

pytestmark = pytest.mark.usefixtures("fixed_weights")


def make(**hyper_parameters):
    make_encoder = factory("text_transformer_nano", LENGTH, kinds=KINDS)
    data = TextInfo(64, LENGTH, mirror_safe=False, kinds=KINDS)
    method = build(methods.simcse.SimCSE, lambda: make_encoder(width=0.25), data, 0, hyper_parameters)
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return method


def check_loss(count=5, temperature=0.05, rate=0.1):
    """Each text of the first pass finds its own of the second among all of it, by cosine over temperature."""
    method, batch = make(temperature=temperature, dropout=rate), text_batch(count, LENGTH, KINDS)
    again = text_batch(count, LENGTH, KINDS)
    passes = [rows_of(method.projector(method.encoder(again.views[0], dropout(again, rate)))) for _ in range(2)]
    first, second = ([unit(row) for row in rows] for rows in passes)
    errors = [cross_entropy_of_one([dot(row, other) / temperature for other in second], own) for own, row in enumerate(first)]
    close(method.loss(batch, 0.5), sum(errors) / count, torch.float32)


@pytest.mark.parametrize("case", [{}, {"count": 2, "temperature": 0.5}, {"rate": 0.5}], ids=str)
def test_the_loss_is_the_papers(case):
    check_loss(**case)


def test_without_dropout_both_views_are_one():
    method, batch = make(dropout=0.0, temperature=1.0), text_batch(4, LENGTH, KINDS)
    rows = [unit(row) for row in rows_of(method.project(batch.views[0]))]
    errors = [cross_entropy_of_one([dot(row, other) for other in rows], own) for own, row in enumerate(rows)]
    close(method.loss(batch, 0.0), sum(errors) / 4)


def test_dropout_drops_that_part_and_keeps_the_mean():
    """Each number of each text by itself, by the batch's draws, in the states' own type."""
    states, batch = torch.full((50, 6, 40), 2.0, requires_grad=True), text_batch(50, LENGTH, KINDS)
    drop = dropout(batch, 0.25)
    first, second = drop(states), drop(states)
    assert first.unique().tolist() == [0.0, pytest.approx(2 / 0.75)]
    share = (first == 0).double().mean().item()
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / first.numel()) and not torch.equal(first, second)
    assert all(0 < (part == 0).double().mean() < 1 for part in (first[0], first[:, 0], first[:, :, 0]))
    first.sum().backward()
    assert torch.equal(states.grad == 0, first == 0)
    assert {drop(states.to(kind)).dtype for kind in (torch.bfloat16, torch.float64)} == {torch.bfloat16, torch.float64}
    assert dropout(batch, 0.0)(states) is states


def test_two_devices_drop_what_one_drops():
    words = text_batch(6, LENGTH, KINDS).views[0]
    method, found = make(), []
    for rows in (slice(0, 6), slice(0, 3), slice(3, 6)):
        draws = Draws("test", 0, total=6, rows=rows)
        found.append(method.encoder(words[rows], dropout(Batch((words[rows],), torch.arange(6)[rows], draws), 0.2)))
    torch.testing.assert_close(torch.cat(found[1:]), found[0])


def test_the_head_is_left_out_of_what_is_evaluated():
    method, words = make().eval(), text_batch(3, LENGTH, KINDS).views[0]
    assert torch.equal(method.encode(words), method.encoder(words)) and method.project(words).abs().max() < 1


def test_one_answer_for_all_is_chance():
    method = make()
    torch.nn.init.zeros_(method.projector[0].weight)
    close(method.loss(text_batch(4, LENGTH, KINDS), 0.0), method.chance_loss(4))


MISTAKES = [
    ("find_own(first, second,", "find_own(first, first,"),
    (", self.temperature)", ", 1.0)"),
    ("dropout(batch, self.rate)", "dropout(batch, self.rate / 2)"),
    ("gather(self.projector(self.encoder(words, dropout(batch, self.rate))))", "gather(self.encoder(words, dropout(batch, self.rate)))"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.simcse, right, wrong)
    with pytest.raises((AssertionError, ValueError)):
        check_loss()
