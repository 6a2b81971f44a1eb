"""BERT: which words are chosen and what becomes of them, by counting; the loss against the cross-entropy of each word, written out."""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.bert
from bench.compute.randomness import Draws
from bench.data.text import CLS, MASK, PAD, SEP, SPECIAL, UNK, TextInfo
from bench.encoders.factory import factory
from bench.method import Batch, build
from loss_cases import close, cross_entropy_of_one, mutate, rows_of, text_batch

LENGTH, KINDS = 20, 50

pytestmark = pytest.mark.usefixtures("fixed_weights")


def make(length=LENGTH, kinds=KINDS, **hyper_parameters):
    """An untrained method with a narrow encoder; without dropout where none is asked for."""
    make_encoder = factory("text_transformer_nano", length, kinds=kinds)
    data = TextInfo(64, length, mirror_safe=False, kinds=kinds)
    method = build(methods.bert.BERT, lambda: make_encoder(width=0.25), data, 0, {"dropout": 0.0} | hyper_parameters)
    torch.nn.init.normal_(method.bias)
    return method


def chosen_places(method, batch):
    """Of each text the places that are to be told, from the method's own draw, which is the first of a loss."""
    again = Batch(batch.views, batch.index, Draws("test", 0, total=len(batch.index)))
    places, chosen = method.choose(again, batch.views[0])
    return [row[those].tolist() for row, those in zip(places, chosen, strict=True)]


def many(count=4_000, **hyper_parameters):
    """(method, texts, shown, bool [B, L] which places are to be told)."""
    method, batch = make(**hyper_parameters), text_batch(count, LENGTH, KINDS, shortest=0)
    (words,) = batch.views
    words[::7, 2] = UNK
    places, chosen = method.choose(batch, words)
    shown = method.hide(batch, words, places, chosen)
    return method, words, shown, torch.zeros_like(words, dtype=torch.bool).scatter(1, places, chosen)


@pytest.mark.parametrize("ratio", [0.15, 0.4])
def test_as_many_words_are_chosen_as_are_that_part_of_a_text_and_no_special_token(ratio):
    _, words, shown, told = many(mask_ratio=ratio)
    assert not told[words < len(SPECIAL)].any() and not (words[told] == UNK).any()
    for text, own in zip(words.tolist(), told.sum(1).tolist(), strict=True):
        tokens, candidates = sum(word != PAD for word in text), sum(word >= len(SPECIAL) for word in text)
        assert own == min(candidates, max(1, round(tokens * ratio)))
    assert torch.equal(shown[~told], words[~told]), "nothing else is changed"
    long = words[:, -2] >= len(SPECIAL)
    share = told[long][:, 3:-1].double().mean(0)
    deviation = math.sqrt(share.mean() * (1 - share.mean()) / long.sum())
    assert (share - share.mean()).abs().max() < 4 * deviation, "every place alike"


def test_eighty_ten_ten():
    """In the share of chosen words that become [MASK], another word, or stay: within four deviations of a draw."""
    _, words, shown, told = many()
    before, after = words[told], shown[told]
    count = len(before)
    words_there = KINDS - len(SPECIAL)
    shares = {0.8: after == MASK, 0.1 * (1 - 1 / words_there): (after != MASK) & (after != before)}
    shares[0.1 * (1 + 1 / words_there)] = after == before
    for share, found in shares.items():
        assert abs(found.double().mean() - share) < 4 * math.sqrt(share * (1 - share) / count)
    other = after[(after != MASK) & (after != before)]
    assert other.min() == len(SPECIAL) and other.max() == KINDS - 1, "of the whole vocabulary, and never a special token"


@pytest.mark.parametrize(("hidden", "replaced"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_the_shares_are_hyper_parameters(hidden, replaced):
    _, words, shown, told = many(200, hidden=hidden, replaced=replaced)
    after, before = shown[told], words[told]
    assert (after == MASK).all() == (hidden == 1) and (after == before).all() == (hidden == replaced == 0)


def expected(method, batch):
    """The mean of -log p(word) over the chosen places, word by word; what is shown is the method's own draw."""
    (words,), places = batch.views, chosen_places(method, batch)
    again = Batch(batch.views, batch.index, Draws("test", 0, total=len(batch.index)))
    shown = method.hide(again, words, *method.choose(again, words))
    states, errors = method.encoder.tokens(shown), []
    first, _, norm = method.head
    for text, own, those in zip(words, states, places, strict=True):
        for place in those:
            hidden = F.gelu(own[place] @ first.weight.T + first.bias)
            hidden = (hidden - hidden.mean()) / (hidden.var(unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias
            logits = rows_of((method.encoder.embedding.weight @ hidden + method.bias)[None])[0]
            errors.append(cross_entropy_of_one(logits, int(text[place])))
    return sum(errors) / len(errors)


def check_loss(**hyper_parameters):
    method, batch = make(**hyper_parameters), text_batch(6, LENGTH, KINDS)
    wanted = expected(method, batch)
    close(method.loss(batch, 0.5), wanted, torch.float32)


@pytest.mark.parametrize("case", [{}, {"mask_ratio": 0.5}, {"hidden": 0.2, "replaced": 0.5}], ids=str)
def test_the_loss_is_the_papers(case):
    check_loss(**case)


def test_the_words_are_the_embedding():
    """Tied: the output layer has a bias of its own, and no matrix."""
    method, encoder = make(), factory("text_transformer_nano", LENGTH, kinds=KINDS)(width=0.25)
    beside = sum(parameter.numel() for parameter in method.parameters()) - sum(parameter.numel() for parameter in encoder.parameters())
    assert beside == 16 * 16 + 16 + 2 * 16 + KINDS
    method.loss(text_batch(6, LENGTH, KINDS), 0.0).backward()
    assert method.encoder.embedding.weight.grad[len(SPECIAL) :].abs().sum(1).min() > 0, "of words that no text has too"


def test_dropout_is_of_the_batchs_draws():
    method, batches = make(dropout=0.3).train(), [text_batch(6, LENGTH, KINDS, key) for key in (0, 0, 1)]
    batches[2] = Batch(batches[0].views, batches[0].index, batches[2].draws)
    torch.manual_seed(1)
    first = method.loss(batches[0], 0.0)
    torch.manual_seed(2)
    assert torch.equal(method.loss(batches[1], 0.0), first) and not torch.equal(method.loss(batches[2], 0.0), first)
    assert not torch.equal(make().loss(text_batch(6, LENGTH, KINDS), 0.0), first)


def test_texts_without_a_word_count_for_nothing():
    method = make()
    empty = torch.tensor([[CLS, SEP] + [PAD] * (LENGTH - 2)] * 3)
    batch = Batch((empty,), torch.arange(3), Draws("test", 0, total=3))
    assert method.loss(batch, 0.0).item() == 0
    whole = text_batch(6, LENGTH, KINDS)
    both = Batch((torch.cat([whole.views[0], empty]),), torch.arange(9), Draws("test", 0, total=9))
    places, chosen = method.choose(both, both.views[0])
    assert chosen[:6].any(1).all() and not chosen[6:].any() and places.shape == (9, 3)


def test_an_even_guess_is_chance():
    method = make()
    with torch.no_grad():
        method.bias.zero_()
        method.encoder.embedding.weight.zero_()
    close(method.loss(text_batch(6, LENGTH, KINDS), 0.0), method.chance_loss(6))


def test_shares_that_are_more_than_the_whole_are_refused():
    with pytest.raises(ValueError, match=r"hidden=0.8 and replaced=0.3 are more than 1 together"):
        make(replaced=0.3)


def check_shares():
    test_eighty_ten_ten()


def check_special():
    test_as_many_words_are_chosen_as_are_that_part_of_a_text_and_no_special_token(0.15)


MISTAKES = [
    ("where(is_word(words), 2.0)", "where(words != PAD, 2.0)", check_special),
    (" & is_word(words.gather(1, places))", "", check_special),
    (".clamp(min=1)\n        rank", ".clamp(min=0)\n        rank", check_special),
    ("(words != PAD).sum(1).double()", "is_word(words).sum(1).double()", check_special),
    ("len(SPECIAL) + batch.randint(len(self.bias) - len(SPECIAL), ", "batch.randint(len(self.bias), ", check_shares),
    ("lot < self.hidden + self.replaced", "lot < self.replaced", check_shares),
    ("new.where(chosen, old)", "new", check_special),
    ("words.gather(1, places), chosen)\n", "shown.gather(1, places), chosen)\n", check_loss),
    ("self.encoder.tokens(shown,", "self.encoder.tokens(words,", check_loss),
    ("self.encoder.word_vectors(), self.bias", "self.encoder.word_vectors(), None", check_loss),
    ("nn.GELU()", "nn.ReLU()", check_loss),
    ('reduction="none"), chosen)', 'reduction="none"), chosen | True)', check_loss),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1].strip() for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.bert, right, wrong)
    with pytest.raises(AssertionError):
        check()
