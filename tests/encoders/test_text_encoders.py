"""Encoders of text: what they come to, what they leave out of a text, and that no text depends on another."""

import pytest
import torch

from bench.compute.flops import count_flops
from bench.data.text import CLS, PAD, SEP, SPECIAL, UNK
from bench.encoders import factory, table

KINDS = 10_000
"""Words of the vocabulary for which facts hold."""
OF_TEXT = [name for name, entry in table.entries().items() if entry.takes == "text"]

pytestmark = pytest.mark.usefixtures("fixed_weights")


@pytest.mark.parametrize("name", OF_TEXT)
def test_facts_are_measured(name):
    size = table.FACTS_SIZE
    with torch.device("meta"):
        encoder = factory.factory(name, size, kinds=KINDS)()
        text = torch.empty(1, size, dtype=torch.int64)
        measured = sum(p.numel() for p in encoder.parameters()), count_flops(lambda: encoder.eval()(text)), encoder.dim
    facts, entry = table.require(name).facts, table.require(name)
    assert (facts.parameters, facts.flops, facts.dim) == measured and entry.offers == encoder.offers and encoder.takes == "text"


@pytest.mark.parametrize("name", OF_TEXT)
def test_a_text_is_encoded_by_itself_in_32_bits_and_padding_says_nothing(name):
    encoder = factory.factory(name, 16, kinds=50)(width=0.5).eval()
    words = torch.randint(len(SPECIAL), 50, (3, 6))
    text = torch.cat([torch.full((3, 1), CLS), words, torch.full((3, 1), SEP), torch.full((3, 8), PAD)], 1)
    with torch.no_grad():
        together = encoder(text)
        assert together.shape == (3, encoder.dim) and together.dtype == torch.float32
        assert torch.allclose(torch.cat([encoder(one[None]) for one in text]), together, atol=1e-6)
        assert torch.allclose(encoder(text[:, :8]), together, atol=1e-5), "what is behind a text's end is nothing"
        with torch.autocast("cpu", torch.bfloat16):
            assert encoder(text).dtype == torch.float32
        assert encoder.double()(text).dtype == torch.float64
        assert encoder(torch.full((1, 16), PAD)).isfinite().all(), "a text without a word"


def test_a_bag_is_the_mean_of_its_words_and_a_word_its_vector():
    encoder = factory.factory("embedding_bag", 8, kinds=20)()
    vectors = encoder.word_vectors()
    text = torch.tensor([[CLS, 7, 9, 9, UNK, SEP, PAD, PAD], [CLS, 7, SEP, PAD, PAD, PAD, PAD, PAD], [CLS, SEP, *[PAD] * 6]])
    found = encoder(text)
    assert torch.allclose(found[0], (vectors[7] + 2 * vectors[9]) / 3) and torch.allclose(found[1], vectors[7]) and not found[2].any()
    assert vectors.abs().max() <= 0.5 / encoder.dim and encoder.dim == 128
    found[:2].sum().backward()
    assert vectors.grad[[7, 9]].any(1).all() and not vectors.grad[[PAD, UNK, CLS, SEP]].any()


def test_a_factory_tells_what_is_of_whole_numbers_how_many_there_are():
    with pytest.raises(TypeError, match="kinds"):
        factory.factory("embedding_bag", 8)()
    assert factory.factory("embedding_bag", 8, kinds=9)(width=0.25).word_vectors().shape == (9, 32)
    assert factory.factory("resnet8", 8)().dim == 64
