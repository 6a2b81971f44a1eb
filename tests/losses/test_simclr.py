"""SimCLR's own choices: its head's layers and the one that is evaluated, rows that are not normalised, how often a view is grey."""

import math

import pytest
import torch
from contrastive_cases import CASES, loop_nt_xent, make_batch, make_method

from bench.views.ops import Grayscale
from loss_cases import close, dot, rows_of
from methods.simclr import SimCLR


def loop_dot_products(first, second, temperature):
    """The same loss of rows that are not normalised (table 5)."""
    views = [*rows_of(first), *rows_of(second)]
    total = 0.0
    for i, view in enumerate(views):
        logits = [dot(view, other) / temperature for k, other in enumerate(views) if k != i]
        partner = dot(view, views[(i + len(first)) % len(views)]) / temperature
        total += max(logits) + math.log(sum(math.exp(logit - max(logits)) for logit in logits)) - partner
    return total / len(views)


@pytest.mark.parametrize(("size", "temperature", "seed"), CASES)
@pytest.mark.parametrize("head_layers", [0, 1, 2])
def test_simclr_without_normalisation_and_with_fewer_layers(size, temperature, seed, head_layers):
    """arXiv:2002.05709, table 5 and figure 8: no head is the encoder's own output, 6 numbers here."""
    for normalise, loop in ((True, loop_nt_xent), (False, loop_dot_products)):
        method = make_method(SimCLR, seed, temperature=temperature, head_layers=head_layers, normalise=normalise)
        batch = make_batch(size, seed)
        features = method.encoder(torch.cat(batch.views))
        rows = features if head_layers == 0 else method.projector(features)
        assert rows.shape == (2 * size, 5 if head_layers else 6) and len(method.projector) == max(0, 3 * head_layers - 1)
        assert head_layers == 0 or method.projector[-1].weight.requires_grad, "its last BatchNorm learns a scale"
        close(method.loss(batch, 0.0), loop(rows[:size], rows[size:], temperature))
        torch.testing.assert_close(method.project(torch.cat(batch.views)), rows)


@pytest.mark.parametrize("encode_layers", [0, 1, 2])
def test_simclr_is_evaluated_after_as_many_layers_of_its_head_as_it_is_told(encode_layers):
    """SimCLR v2 (arXiv:2006.10029): after the first layer of a head of three, its ReLU included; the loss is as before."""
    method, batch = make_method(SimCLR, head_layers=3, encode_layers=encode_layers).eval(), make_batch(4)
    rows = method.encoder(batch.views[0])
    for number in range(encode_layers):
        linear, norm = method.projector[3 * number], method.projector[3 * number + 1]
        rows = (rows @ linear.weight.T - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        rows = rows.clamp(min=0)
    torch.testing.assert_close(method.encode(batch.views[0]), rows)
    assert same_loss(method.train(), make_method(SimCLR, head_layers=3), batch)


@pytest.mark.parametrize("encode_layers", [0, 1])
def test_what_simclr_is_evaluated_by_is_float32_in_a_bfloat16_run(encode_layers):
    method, batch = make_method(SimCLR, head_layers=3, encode_layers=encode_layers).eval(), make_batch(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method.encode(batch.views[0]).dtype == torch.float32
    assert method.double().encode(batch.views[0].double()).dtype == torch.float64


def same_loss(method, other, batch):
    return torch.equal(method.loss(batch, 0.0), other.loss(batch, 0.0))


@pytest.mark.parametrize(("head_layers", "encode_layers"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_simclr_is_not_evaluated_after_its_last_layer(head_layers, encode_layers):
    with pytest.raises(ValueError, match=f"encode_layers={encode_layers}: a head of {head_layers} layers"):
        make_method(SimCLR, head_layers=head_layers, encode_layers=encode_layers)


def test_simclr_greys_as_often_as_it_is_told():
    def greying(method):
        return [op.p for op in method.views[0].ops if isinstance(op, Grayscale)]

    assert greying(make_method(SimCLR)) == [0.2] and greying(make_method(SimCLR, grey=0.7)) == [0.7]
    assert greying(make_method(SimCLR, grey=0.0)) == []
