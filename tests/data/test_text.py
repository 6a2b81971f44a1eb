"""Text: vocabulary, windows, the known sets against their libraries, and what cannot be text, said with its place."""

import numpy as np
import pytest
import torch
from sklearn.datasets import _twenty_newsgroups as theirs

from bench.data import catalogue, text
from bench.data.load import load, load_split
from bench.data.readers import texts
from bench.data.sets import newsgroups20
from bench.errors import UserError

KNOWN = {name: entry for name in catalogue.names() if (entry := catalogue.entry(name)).modality.name == "text"}
SENTENCES = ["The cat, the dog.", "the Café", "cat [MASK] \u0000 cat"]


def test_a_vocabulary_is_the_most_frequent_words_after_the_special_ones():
    tokenizer = text.train(SENTENCES, 100)
    words = text.vocabulary_of(tokenizer)
    assert words[:5] == text.SPECIAL and [words.index(name) for name in text.SPECIAL] == [text.PAD, text.UNK, text.CLS, text.SEP, text.MASK]
    assert words[5:] == ("cat", "the", ",", ".", "[", "]", "cafe", "dog", "mask"), "equals in alphabetical order"
    assert tokenizer.encode("[MASK]").ids == [words.index(word) for word in ["[", "mask", "]"]], "of a text nothing is a special token"
    assert tokenizer.encode("THE bird").ids == [words.index("the"), text.UNK]
    assert text.vocabulary_of(text.train(SENTENCES, 8))[5:] == ("cat", "the", ",")
    assert text.vocabulary_of(text.train(SENTENCES, 100, at_least=2))[5:] == ("cat", "the")
    assert text.digest_of(words) == text.digest_of(list(words)) != text.digest_of(words[:-1])


def test_a_window_has_begin_words_end_and_nothing():
    found = text.windows([[7, 8], [], [5, 6, 7, 8, 9]], 5)
    assert found.dtype == np.int32 and found.tolist() == [[2, 7, 8, 3, 0], [2, 3, 0, 0, 0], [2, 5, 6, 7, 3]]


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:.*and are cut")
@pytest.mark.parametrize("name", sorted(set(KNOWN) - {"newsgroups20"}))
def test_the_known_sets(name, real_set):
    """Counts and digests are compared whenever they are read; here that what is read is what it says."""
    data = catalogue.require(name, real_set(name))
    for split, count in data.entry.sizes.items():
        found = load(data, split)
        assert found.images.shape == (count, data.entry.image_size) and found.images.dtype == torch.int32
        assert len(found.labels) == count and found.labels.unique().tolist() == list(range(data.entry.classes))
    assert len(data.modality.vocabulary()) == data.info("train").kinds > found.images.max()
    assert data.info("train").shape == (data.entry.image_size,)


@pytest.mark.data
def test_a_text_is_what_it_was(real_set):
    data = catalogue.require("sst2", real_set("sst2"))
    words = data.modality.vocabulary()
    first = load_split("sst2", "train", root=data.root).images[0]
    assert " ".join(words[token] for token in first[1:9]) == "a stirring , funny and finally transporting re"
    assert data.items("train")[0][0].startswith("a stirring , funny and finally transporting re imagining")
    assert first[0] == text.CLS and text.SEP in first and first[-1] == text.PAD
    with pytest.warns(UserWarning, match=r"6,288 of 6,920 texts of sst2 have more words than the 6 of a window and are cut"):
        short = load_split("sst2", "train", 8, root=data.root).images[0]
    assert torch.equal(short[:7], first[:7]) and short[7] == text.SEP


@pytest.mark.data
def test_another_set_is_read_in_the_words_of_the_one_that_was_trained_on(real_set):
    source, target = catalogue.require("sst2", real_set("sst2")), catalogue.require("trec", real_set("trec"))
    own, on_its_terms = load(target, "test"), load(target, "test", modality=source.modality)
    sentence, words = target.items("test")[0][0], source.modality.vocabulary()
    shown = [words[token] for token in on_its_terms.images[0] if token >= len(text.SPECIAL)]
    assert set(shown) <= set(sentence.lower().split()) and shown and not torch.equal(own.images, on_its_terms.images)


@pytest.mark.data
def test_posts_are_stripped_as_scikit_learn_strips_them(real_set):
    data = catalogue.require("newsgroups20", real_set("newsgroups20"))
    for part, end in (("train", "\t"), ("test", "\n")):
        folder = data.root / f"text/20news-bydate-{part}/sci.space"
        posts = [path.read_bytes().decode("latin-1").replace(end, "\n") for path in sorted(folder.iterdir())]
        for post in posts:
            kept = theirs.strip_newsgroup_quoting(theirs.strip_newsgroup_footer(theirs.strip_newsgroup_header(post)))
            assert newsgroups20.stripped(post) == kept
        assert sum("From:" in newsgroups20.stripped(post) for post in posts) < len(posts) / 20


def test_what_cannot_be_text_is_said_with_its_place(tmp_path):
    file = tmp_path / "some.txt"
    for content, says in {
        b"good\nb\xffd\n": "byte 0xff at offset 6 is not UTF-8",
        b"": "is empty; expected a text in each of two lines or more",
        b"\n": "is empty; expected a text in each of two lines or more",
        b"one line\n": "is one line; expected a text in each of two lines or more",
    }.items():
        file.write_bytes(content)
        for expected in ((), ("utf-8", "0" * 16, "sst2")):  # before anything is said of a known set's content
            with pytest.raises(UserError, match=says) as raised:
                texts.lines(file, *expected)
            assert str(file) in str(raised.value)
    file.write_bytes(b"a\x85b\nc\x0cd\n")
    assert texts.lines(file, "latin-1") == ["a\x85b", "c\x0cd"], "a line ends at a line feed alone"
    with pytest.raises(UserError, match="refused, not the text of sst2: content"):
        texts.lines(file, "latin-1", "0" * 16, "sst2")
    with pytest.raises(UserError, match="a vocabulary of 5 has no room for 5 special tokens and a word; expected 6 or more"):
        text.Text(5)


@pytest.mark.data
def test_another_vocabulary_is_refused(real_set):
    data = catalogue.require("sst2", real_set("sst2"))
    other = text.Text(7_000, 2, data.entry.modality.digest, source=data)
    with pytest.raises(
        UserError, match=r"the vocabulary of sst2 is refused, 7,000 words with content .*; expected 7,000 with content 15eea"
    ):
        other.vocabulary()


@pytest.mark.data
def test_a_check_counts_what_is_cut_and_what_is_unknown(bench, real_set):
    real_set("sst2")
    code, out, error = bench("data", "check", "sst2")
    assert code == 0, error
    assert "0 of 6,920 texts of train have more words than the 62 of a window and are cut; 5.0 % of its 131,964 words are unknown" in out
    assert "vocabulary 15eea1a14ede4f32 of 7,201 words, 5 special tokens among them" in out and "revision 3c60a964cb14" in out
