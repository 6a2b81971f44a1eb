"""The transformer of words: against a slow one written out, and that padding, batch and window's end change nothing."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.compute.flops import count_flops
from bench.compute.precision import computing_in
from bench.data.text import CLS, MASK, PAD, SEP
from bench.encoders import table
from bench.encoders.factory import factory
from loss_cases import texts

pytestmark = pytest.mark.usefixtures("fixed_weights")

LENGTH, KINDS = 12, 40


def make(width=0.25, length=LENGTH, kinds=KINDS):
    """A narrow one, whose vectors and positions are large enough for an error to be seen."""
    encoder = factory("text_transformer_nano", length, kinds=kinds)(width=width).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    return encoder


def slow(encoder, words):
    """States [n, D] of one text's tokens, without padding: each head's attention as sums over tokens."""
    states = torch.stack([encoder.embedding.weight[word] + encoder.positions[0, place] for place, word in enumerate(words)])
    dim = encoder.dim
    for block in encoder.blocks:
        normed = F.layer_norm(states, (dim,), block.attention_norm.weight, block.attention_norm.bias)
        projected = normed @ block.attention_in.weight.T + block.attention_in.bias
        size, attended = dim // block.heads, torch.zeros_like(states)
        for head in range(block.heads):
            query, key, value = (projected[:, part * dim + head * size : part * dim + (head + 1) * size] for part in range(3))
            for own in range(len(words)):
                scores = [float(query[own] @ key[other]) / math.sqrt(size) for other in range(len(words))]
                total = sum(math.exp(score) for score in scores)
                for other, score in enumerate(scores):
                    attended[own, head * size : (head + 1) * size] += math.exp(score) / total * value[other]
        states = states + attended @ block.attention_out.weight.T + block.attention_out.bias
        normed = F.layer_norm(states, (dim,), block.layers_norm.weight, block.layers_norm.bias)
        hidden = F.gelu(normed @ block.layers_in.weight.T + block.layers_in.bias)
        states = states + hidden @ block.layers_out.weight.T + block.layers_out.bias
    return F.layer_norm(states, (dim,), encoder.norm.weight, encoder.norm.bias)


@torch.no_grad()
def test_states_and_features_are_the_slow_ones():
    encoder, words = make(), texts(4, LENGTH, KINDS)
    states, features = encoder.tokens(words), encoder(words)
    assert states.shape == (4, LENGTH, 16) and features.shape == (4, encoder.dim) == (4, 16)
    for text, own, feature in zip(words, states, features, strict=True):
        expected = slow(encoder, text[text != PAD].tolist())
        torch.testing.assert_close(own[: len(expected)], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(feature, expected[1:].mean(0), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_padding_changes_nothing():
    """Neither that there is some, nor what its vector and its places are."""
    encoder, words = make(), texts(4, LENGTH, KINDS)
    words[:, 8:] = PAD
    together, states = encoder(words), encoder.tokens(words)
    torch.testing.assert_close(encoder(words[:, :8]), together)
    torch.testing.assert_close(encoder.tokens(words[:, :8]), states[:, :8])
    encoder.embedding.weight[PAD] += 100 * torch.randn(encoder.dim)
    encoder.positions[:, 8:] *= -100
    torch.testing.assert_close(encoder(words), together)
    with computing_in("bf16", "cpu"):
        torch.testing.assert_close(encoder(words), together, rtol=0.1, atol=0.1)
    whole = encoder(texts(1, LENGTH, KINDS, shortest=LENGTH))
    encoder.positions[:, -1] *= -1
    assert not torch.allclose(encoder(texts(1, LENGTH, KINDS, shortest=LENGTH)), whole), "a text that fills the window reaches its end"


@torch.no_grad()
def test_a_text_is_encoded_by_itself_whatever_its_neighbours():
    encoder, words = make(), texts(5, LENGTH, KINDS)
    together = encoder(words)
    torch.testing.assert_close(torch.cat([encoder(text[None]) for text in words]), together)
    assert len({tuple(row.tolist()) for row in together.round(decimals=4)}) == 5
    empty = torch.tensor([[CLS, SEP] + [PAD] * 10, [PAD] * 12])
    assert encoder(empty).isfinite().all() and not encoder(empty)[1].any()


@torch.no_grad()
def test_order_counts():
    encoder, words = make(), torch.tensor([[CLS, 7, 8, 9, SEP, PAD]])
    assert not torch.allclose(encoder(words), encoder(words[:, [0, 3, 2, 1, 4, 5]]), atol=1e-3)
    assert not torch.allclose(encoder(words), encoder(torch.tensor([[CLS, 7, MASK, 9, SEP, PAD]])), atol=1e-3)


def test_features_have_32_bits_or_more_and_every_parameter_a_gradient():
    encoder, words = make(), texts(8, LENGTH, KINDS)
    words[0] = torch.arange(LENGTH) + 5  # no padding: every place has a word
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(words).dtype == torch.float32
    encoder(words).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())
    wide = encoder.double()(words)
    assert wide.dtype == torch.float64 and torch.allclose(wide.float(), encoder.float()(words), rtol=1e-3, atol=1e-3)


def test_facts_are_measured():
    """Of a vocabulary of 10,000 words."""
    size = table.FACTS_SIZE
    with torch.device("meta"):
        encoder = factory("text_transformer_nano", size, kinds=10_000)()
        words = torch.zeros(1, size, dtype=torch.long)
        measured = sum(p.numel() for p in encoder.parameters()), count_flops(lambda: encoder.eval()(words)), encoder.dim
    facts, blocks = table.require("text_transformer_nano").facts, 4
    assert (facts.parameters, facts.flops, facts.dim) == measured
    assert measured[1] == blocks * (2 * size * 12 * 64**2 + 2 * 2 * size**2 * 64), "by hand"
    assert count_flops(lambda: factory("text_transformer_nano", size, kinds=99)().eval()(texts(1, size, 99))) == measured[1]


def test_what_is_dropped_is_the_callers_matter():
    """After the embedding and on both halves of every block; without it nothing is drawn, in training neither."""
    encoder, words, seen = make().train(), texts(3, LENGTH, KINDS), []
    assert torch.equal(encoder(words), encoder(words))
    encoder.tokens(words, lambda states: seen.append(tuple(states.shape)) or states)
    assert seen == [(3, LENGTH, 16)] * (1 + 2 * 4)
    nothing = encoder.tokens(words, torch.zeros_like)
    assert torch.equal(nothing, encoder.norm(torch.zeros(3, LENGTH, 16)))
