"""Words from their neighbours: losses against the papers' formulas and against gensim's own, and what is drawn against gensim's tables.

B texts, L tokens, D features, V words, M words drawn for a text.
"""

import math

import numpy as np
import pytest
import torch
from gensim.models import Word2Vec
from gensim.models.word2vec_inner import train_batch_cbow, train_batch_sg

from bench.compute.randomness import Draws, generator
from bench.data.text import PAD, SPECIAL, TextInfo
from bench.encoders.factory import factory
from bench.method import Batch
from bench.parts import words
from methods.cbow import CBOW, cbow_loss
from methods.skip_gram import SkipGram, skip_gram_loss

FIRST, WORDS, DIM, WINDOW, NEGATIVES = len(SPECIAL), 12, 8, 2, 3
SENTENCES = [[str(word) for word in row] for row in ((0, 1, 2, 1, 3, 4, 0, 5), (6, 7, 0, 8, 9, 10, 11, 6), (1, 0, 2, 2))]
LOSSES = {"skip_gram": skip_gram_loss, "cbow": cbow_loss}


def tables():
    """Vectors [V, D] whose inner products are far from those at which gensim cuts its table of sigmoids off."""
    draws = generator("words")
    return [torch.randn(FIRST + WORDS, DIM, generator=draws, dtype=torch.float64) * 0.7 for _ in range(2)]


def as_windows(sentences, length=10):
    found = torch.full((len(sentences), length), PAD)
    for row, sentence in zip(found, sentences, strict=True):
        row[: len(sentence)] = torch.tensor([FIRST + int(word) for word in sentence])
    return found


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def in_steps(x):
    """As word2vec.c and gensim look it up: 1,000 values over -6 to 6, of which whole-number division takes every one 83 to a unit of x."""
    return log_sigmoid(int((x + 6) * (1000 // 6 // 2)) / 1000 * 12 - 6)


def slowly(name, inputs, outputs, tokens, radius, against, log_sigmoid=log_sigmoid):
    """The papers' objective with its sign turned, word by word: equation 4 of 1310.4546, and the same of a mean of neighbours."""
    summed = 0.0
    for row, radii, drawn in zip(tokens.tolist(), radius.tolist(), against.tolist(), strict=True):
        for place, word in enumerate(row):
            near = [n for at, n in enumerate(row) if n != PAD and 0 < abs(at - place) <= radii[place]] if word != PAD else []
            told = [(inputs[word], other) for other in near] if name == "skip_gram" else [(inputs[near].mean(0), word)] if near else []
            for vector, target in told:
                summed -= log_sigmoid(float(vector @ outputs[target]))
                for other in (other for other in drawn if other != target):
                    summed -= NEGATIVES / len(drawn) * log_sigmoid(-float(vector @ outputs[other]))
    return summed / len(tokens)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_the_papers(name):
    (inputs, outputs), tokens = tables(), as_windows(SENTENCES)
    radius = torch.randint(1, WINDOW + 1, tokens.shape, generator=generator("radius"))
    against = torch.randint(FIRST, FIRST + WORDS, (len(tokens), 5), generator=generator("against"))
    found = LOSSES[name](inputs, outputs, tokens, words.neighbours(tokens, radius), against, NEGATIVES)
    assert float(found) == pytest.approx(slowly(name, inputs, outputs, tokens, radius, against), rel=1e-12)


def oracle(name, **options):
    """gensim's model of the sentences, which has their vocabulary."""
    options = {"vector_size": DIM, "window": WINDOW, "min_count": 1, "negative": NEGATIVES, "sample": 0, "workers": 1} | options
    return Word2Vec(SENTENCES, sg=int(name == "skip_gram"), shrink_windows=False, epochs=1, seed=1, **options)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_gensims(name):
    """On equal pairs, negatives and weights: full windows, and one word that is drawn always. gensim's sigmoids are of a table, so the
    formula is worked out twice: with the table it gives gensim's number, without it ours."""
    model, (inputs, outputs), drawn = oracle(name), tables(), FIRST
    rows = [FIRST + int(word) for word in model.wv.index_to_key]
    model.wv.vectors, model.syn1neg = (table[rows].float().numpy().copy() for table in (inputs, outputs))
    place = model.wv.key_to_index[str(drawn - FIRST)]
    model.cum_table = np.where(np.arange(WORDS) < place, 0, 2**31 - 1).astype(np.uint32)
    model.running_training_loss = 0.0
    work = [np.zeros(DIM, dtype=np.float32) for _ in range(2)]
    train = train_batch_sg if name == "skip_gram" else train_batch_cbow
    train(model, SENTENCES, 0.0, *work[: 1 if name == "skip_gram" else 2], True)
    tokens = as_windows(SENTENCES)
    radius, against = torch.full_like(tokens, WINDOW), torch.full((len(tokens), 4), drawn)
    by_table, exactly = (slowly(name, inputs, outputs, tokens, radius, against, form) for form in (in_steps, log_sigmoid))
    assert by_table * len(tokens) == pytest.approx(model.running_training_loss, rel=1e-4) and by_table == pytest.approx(exactly, rel=0.03)
    found = LOSSES[name](inputs, outputs, tokens, words.neighbours(tokens, radius), against, NEGATIVES)
    assert float(found) == pytest.approx(exactly, rel=1e-12)


def test_what_is_kept_and_drawn_is_gensims():
    model = oracle("skip_gram", sample=0.02)
    counts = words.occurrences(as_windows(SENTENCES), FIRST + WORDS)
    rows = [FIRST + int(word) for word in model.wv.index_to_key]
    assert counts[rows].tolist() == [model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key] and counts.sum() == 20
    kept = [model.wv.get_vecattr(word, "sample_int") / (2**32 - 1) for word in model.wv.index_to_key]
    assert words.keep_probabilities(counts, 0.02)[rows].tolist() == pytest.approx(kept, abs=1e-6) and min(kept) < 0.5
    assert (words.keep_probabilities(counts, 0)[FIRST:] == 1).all() and (words.keep_probabilities(counts, 0)[:FIRST] == 0).all()
    share = np.diff(model.cum_table.astype(float), prepend=0) / (2**31 - 1)
    assert np.diff(words.cumulative(counts).numpy(), prepend=0)[rows] == pytest.approx(share, abs=1e-8)
    uniform = Draws("uniform", total=50).rand(2_000)
    drawn = torch.bincount(words.drawn_words(uniform, words.cumulative(counts)).flatten(), minlength=FIRST + WORDS) / uniform.numel()
    assert drawn[rows].numpy() == pytest.approx(share, abs=0.006) and drawn[:FIRST].sum() == 0


def test_words_that_are_left_out_bring_their_neighbours_together():
    tokens = torch.tensor([[2, 5, 6, 1, 7, 8, 3, 0]])
    probabilities = torch.tensor([0.0] * FIRST + [1.0, 0.5, 1.0, 0.5])
    uniform = torch.tensor([[0.0, 0.9, 0.6, 0.0, 0.1, 0.4, 0.0, 0.0]])
    assert words.kept(tokens, uniform, probabilities).tolist() == [[5, 7, 8, 0, 0, 0, 0, 0]]
    near = words.neighbours(torch.tensor([[5, 7, 8, 0]]), torch.tensor([[1, 2, 1, 3]]))
    assert near[0].int().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def made(cls, **hyper_parameters):
    data = TextInfo(3, 10, kinds=FIRST + WORDS)
    return cls(factory("embedding_bag", 10, kinds=data.kinds), data, **hyper_parameters)


@pytest.mark.parametrize(("name", "cls"), [("skip_gram", SkipGram), ("cbow", CBOW)])
def test_a_methods_loss_is_the_papers_of_its_encoders_table_and_its_own(name, cls):
    method, tokens = made(cls, window=WINDOW, negatives=NEGATIVES, drawn=5), as_windows(SENTENCES)
    own = method.encoder.word_vectors(), method.outputs.weight
    for number, table in enumerate(own):  # at their start, near 0, they could be taken for each other
        torch.nn.init.normal_(table, std=0.2, generator=generator("own", number))
    found = method.loss(Batch((tokens,), torch.arange(len(tokens)), Draws("words", total=len(tokens))), 0.0)
    draws = Draws("words", total=len(tokens))
    shown = words.kept(tokens, draws.rand(10), torch.ones(FIRST + WORDS))
    radius = 1 + draws.randint(WINDOW, 10)
    against = words.drawn_words(draws.rand(5), words.cumulative(torch.ones(FIRST + WORDS)))
    exactly = (table.detach().double() for table in own)
    assert found.item() == pytest.approx(slowly(name, *exactly, shown, radius, against), rel=1e-5)


@pytest.mark.parametrize("cls", [SkipGram, CBOW])
def test_a_method_counts_its_training_words_once(cls):
    method, seen = made(cls), []

    def extract(function):
        seen.append(function)
        return function(as_windows(SENTENCES))

    for _ in range(2):
        assert method.before_epoch(extract, generator("unused")) == ()
    assert len(seen) == 1 and method.neighbourhoods.counts.sum() == 20
    assert {"neighbourhoods.counts", "neighbourhoods.keep", "neighbourhoods.sums"} <= method.state_dict().keys()
