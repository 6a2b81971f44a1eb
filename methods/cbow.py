"""Continuous bag of words (Mikolov et al. 2013, arXiv:1301.3781): the mean of its neighbours' vectors tells a word, from others at random.

Section 3.1, with negative sampling and frequent words thinned out (arXiv:1310.4546, sections 2.2 and 2.3), as in word2vec.c; numbers are
the defaults of gensim 4.4, which is tested to have the same loss. The mean is the paper's and gensim's; word2vec.c took the sum.
Differs from word2vec.c as skip_gram.py does: steps of a batch of texts by Adam, drawn words shared by a text, which is cut at the window.
B texts of the global batch, L tokens, D features, V words, M words drawn for a text.
"""

from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Probability
from bench.method import Method
from bench.parts.words import WordsFromNeighbours, negative_sampling
from bench.spec import Recipe
from bench.views.text import Words


def cbow_loss(inputs: Tensor, outputs: Tensor, words: Tensor, pairs: Tensor, against: Tensor, negatives: int) -> Tensor:
    """Of the tables of vectors [V, D] the loss of words int64 [B, L], whose neighbours are those of `pairs`, bool [B, L, L], against the
    words int64 [B, M]; a word without neighbours is not told, and a drawn word that is the word itself does not count, as in word2vec.c."""
    among, there = pairs.to(inputs.dtype), pairs.any(2)
    mean = (among / among.sum(2, keepdim=True).clamp(min=1)) @ F.embedding(words, inputs)
    others = there[:, :, None] & (words[:, :, None] != against[:, None])
    right = (mean[:, :, None] @ F.embedding(words, outputs)[..., None])[:, :, 0, 0]
    return negative_sampling(right, there, mean @ F.embedding(against, outputs).transpose(1, 2), others, negatives)


class CBOW(WordsFromNeighbours, Method):
    paper = "arXiv:1301.3781"
    source = "tmikolov/word2vec@06dca5f"
    family = "pretext"
    takes = ("text",)
    needs = "words"
    search = {"window": ("choice", 2, 5, 10)}

    def __init__(self, make_encoder, data, *, window: Count = 5, negatives: Count = 5, drawn: Count = 64, threshold: Probability = 1e-3):
        """window: the largest radius, 5. negatives: of a word, 5. drawn: M. threshold: the share of all words above which a word is thinned
        out, 1e-3; 0 keeps all."""
        super().__init__()
        self.views = (Words(),)
        self.recipe = Recipe(
            "adam",
            lr=0.01,  # our own, for Adam: neither searched nor from a source
            lr_per_batch=None,
            batch_size=64,
            schedule="linear",  # word2vec.c
        )
        self.build_tables(make_encoder, data.kinds, window=window, negatives=negatives, drawn=drawn, threshold=threshold)

    def loss(self, batch, progress):
        return self.mean_over_texts(batch, cbow_loss)
