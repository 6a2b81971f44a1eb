"""Likeness of words: equal to gensim's own evaluation of the same vectors; who is refused, and who has no results.

V words, D features.
"""

import warnings
from pathlib import Path

import gensim
import numpy as np
import pytest
from gensim.models import KeyedVectors

from bench.encoders.table import require
from bench.errors import UserError
from bench.evaluation import registry
from bench.evaluation.evaluators import word_similarity
from bench.plan.fits import require_offer

FOLDER = Path(gensim.__file__).parent / "test/test_data"


@pytest.fixture(scope="module")
def vectors():
    """Words of the lists, every third left out, with special tokens; vectors in which a word is near those that it is written like."""
    listed = sorted(
        {word for name in word_similarity.LISTS for line in word_similarity.read(name) for word in line.split() if word.isalpha()}
    )
    words = ("[PAD]", "[UNK]", *(word for number, word in enumerate(listed) if number % 3))
    draws = np.random.RandomState(0)
    letters = draws.randn(256, 16)
    found = np.array([sum(letters[ord(letter) % 256] for letter in word) + draws.randn(16) for word in words], dtype=np.float32)
    return words, found


def test_numbers_are_gensims(vectors):
    words, found = vectors
    theirs = KeyedVectors(found.shape[1])
    theirs.add_vectors(list(words[2:]), found[2:])
    by_metric = {result.metric: result for result in word_similarity.measure("some", words, found)}
    for metric, file, count in (("spearman_wordsim353", "wordsim353.tsv", 353), ("spearman_simlex999", "simlex999.txt", 999)):
        _, spearman, unknown = theirs.evaluate_word_pairs(str(FOLDER / file))
        assert by_metric[metric].value == pytest.approx(spearman.statistic, abs=1e-6)
        assert by_metric[metric].n == round(count * (1 - unknown / 100)) and 100 < by_metric[metric].n < count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score, sections = theirs.evaluate_word_analogies(str(FOLDER / "questions-words.txt"))
    asked = len(sections[-1]["correct"]) + len(sections[-1]["incorrect"])
    assert (
        by_metric["analogies"].n == asked > 1_000 and by_metric["analogies"].value == pytest.approx(100 * score, abs=0.1) and score > 0.01
    )


def test_without_known_words_there_is_no_number():
    found = word_similarity.measure("some", ("[PAD]", "love", "sex"), np.ones((3, 2), dtype=np.float32))
    assert [(result.value, result.n) for result in found] == [(None, 1), (None, 0), (None, 0)]


def test_a_list_that_changed_is_refused(monkeypatch):
    monkeypatch.setitem(word_similarity.LISTS, "wordsim353.tsv", "0" * 16)
    with pytest.raises(ValueError, match="is not the list that it was"):
        word_similarity.read("wordsim353.tsv")


class NoWords:
    dataset = "sst2"

    def words(self):
        return None


def test_what_it_needs_is_refused_by_the_plan_and_a_floor_has_no_results():
    assert registry.needs_of_encoder("word_similarity") == "words" and registry.splits("word_similarity") == ()
    require_offer("word_similarity", require("embedding_bag"))
    require_offer("knn", require("resnet8"))
    with pytest.raises(
        UserError, match="'word_similarity' needs words of the encoder, which resnet8 does not offer; expected one of embed"
    ):
        require_offer("word_similarity", require("resnet8"))
    assert word_similarity.evaluate(NoWords()) == []
