"""MoCo's own choices: shuffled keys, the batches that it can hold, when its teacher first moves, and what v1 has otherwise."""

import copy

import pytest
import torch
from contrastive_cases import DATA, SMALL, loop_contrast, make_batch, make_method, shuffled_keys
from torch.nn import functional as F

from bench.views.ops import ColorJitter
from loss_cases import TOLERANCE, close, make_encoder
from methods.moco import MoCo
from methods.moco_v1 import MoCoV1


@pytest.mark.parametrize("cls", [MoCo, MoCoV1])
def test_keys_that_are_not_shuffled_share_their_queries_groups(cls):
    """arXiv:1911.05722, section 3.3."""
    method = make_method(cls, shuffle=False, temperature=0.3)
    batch = make_batch(8)
    queries = method.projector(method.encoder(batch.views[0]))
    keys = shuffled_keys(method, batch.views[1], list(range(8)))
    close(method.loss(batch, 0.0), loop_contrast(queries, keys, method.queue.rows, 0.3))
    torch.testing.assert_close(method.new_keys, F.normalize(keys, dim=1), rtol=0, atol=TOLERANCE)
    assert not torch.allclose(method.new_keys, F.normalize(shuffled_keys(method, batch.views[1], [0, 2, 4, 6, 1, 3, 5, 7]), dim=1))


def test_moco_refuses_batches_it_cannot_hold():
    with pytest.raises(ValueError, match="BatchNorm groups"):
        make_method(MoCo).loss(make_batch(7), 0.0)
    method = make_method(MoCo, queue=6)
    method.loss(make_batch(8), 0.0)
    with pytest.raises(
        ValueError, match="a queue of 6 rows cannot take 8 at once"
    ):  # in its first step, which a plan makes without numbers
        method.after_step(0.0)


def test_first_move_of_the_teacher_comes_after_the_first_keys():
    """The authors move the key encoder at the start of a step; so does ours, seen from the second step on: keys of step t are made by
    a teacher that has followed the weights of steps 0 to t - 1, and the move before step 0 is one between equal weights."""
    torch.manual_seed(0)
    method = MoCo(make_encoder, DATA, **SMALL[MoCo])
    before = copy.deepcopy(method.teacher.state_dict())
    method.teacher.follow(method.followed(), 0.5)
    torch.testing.assert_close(dict(method.teacher.state_dict()), dict(before), rtol=0, atol=1e-7)


def test_moco_v1_has_a_linear_head_and_other_views():
    first, second = make_method(MoCoV1), make_method(MoCo)
    assert isinstance(first.projector, torch.nn.Linear) and len(second.projector) == 3
    jitters = [next(op for op in method.views[0].ops if isinstance(op, ColorJitter)) for method in (first, second)]
    assert [(jitter.hue, jitter.p) for jitter in jitters] == [(0.4, 1.0), (0.1, 0.8)]
