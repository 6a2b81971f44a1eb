"""TF-IDF (Sparck Jones 1972, doi:10.1108/eb026526): how often a text has each word, rare words counting for more.

No encoder, no label and no order of words: with a linear probe on it, what text was classified with before there were word vectors. In
how many training texts each word stands is looked at once. As scikit-learn's TfidfVectorizer: counts times log((1 + N) / (1 + n)) + 1, for
n of N training texts that have the word, over their norm.
B texts, L tokens, N training texts that are looked at, V words of the vocabulary, D words that count, one feature each.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count
from bench.method import Floor
from bench.views.text import SPECIAL

TEXTS_AT_ONCE = 500


def word_counts(tokens: Tensor, first: int, count: int, kinds: int) -> Tensor:
    """Of windows int64 [B, L] how often each has the words from the `first` on: float32 [B, count]."""
    counts = torch.zeros(len(tokens), kinds, device=tokens.device)
    return counts.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=counts.dtype))[:, first : first + count]


class TFIDF(Floor):
    takes = ("text",)
    deterministic = True

    def __init__(self, make_encoder, data, *, words: Count = 3_000, weighting: Literal["tfidf", "counts"] = "tfidf"):
        """words: D at most, the most frequent ones; as many as raw pixels of CIFAR-10, since a probe's time goes with them. weighting:
        counts is a bag of words, in which all words count alike and nothing is divided by a norm."""
        super().__init__()
        self.kinds, self.words, self.weighting = data.kinds, min(words, data.kinds - len(SPECIAL)), weighting
        self.register_buffer("inverse", torch.ones(self.words))

    def counts(self, tokens):
        """int64 [B, L] -> float32 [B, D]"""
        return word_counts(tokens, len(SPECIAL), self.words, self.kinds)

    @torch.no_grad()
    def before_epoch(self, extract, generator):
        if self.weighting == "tfidf":
            texts = extract(lambda tokens: tokens.float())  # exact: there are fewer words than 2**24
            having = sum((self.counts(some.long()) > 0).sum(0) for some in texts.split(TEXTS_AT_ONCE))
            self.inverse.copy_(((1 + len(texts)) / (1 + having)).log() + 1)
        return ()

    def encode(self, images):
        """int64 [B, L] -> float32 [B, D]"""
        counts = self.counts(images)
        return F.normalize(counts * self.inverse) if self.weighting == "tfidf" else counts
