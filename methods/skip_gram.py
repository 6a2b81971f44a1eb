"""Skip-gram (Mikolov et al. 2013, arXiv:1310.4546): each word's vector tells which words stand near it, from words drawn at random.

Negative sampling (section 2.2), frequent words thinned out (2.3), and windows of a random radius (arXiv:1301.3781, section 3.2), as in
word2vec.c; numbers are the defaults of gensim 4.4, which is tested to have the same loss.
Differs from word2vec.c:
- A step is of a batch of texts, by Adam, and not of a pair, by SGD: the updates of one word's many pairs, made at once, are too large.
- A text's pairs share the words drawn against them (bench/parts/words.py); a text is cut at the window; unknown words are left out.
- The word in the middle has the vector that is kept, as in the paper, where word2vec.c has its neighbour's: each pair comes in both orders.
B texts of the global batch, L tokens, D features, V words, M words drawn for a text.
"""

from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Probability
from bench.method import Method
from bench.parts.words import WordsFromNeighbours, negative_sampling
from bench.spec import Recipe
from bench.views.text import Words


def skip_gram_loss(inputs: Tensor, outputs: Tensor, words: Tensor, pairs: Tensor, against: Tensor, negatives: int) -> Tensor:
    """Of the tables of vectors [V, D] the loss of words int64 [B, L], of which `pairs`, bool [B, L, L], are a word and its neighbour,
    against the words int64 [B, M]; a drawn word that is the neighbour itself does not count, as in word2vec.c."""
    middle = F.embedding(words, inputs)
    others = pairs.to(middle.dtype) @ (words[:, :, None] != against[:, None]).to(middle.dtype)
    scores, wrong = (middle @ F.embedding(chosen, outputs).transpose(1, 2) for chosen in (words, against))
    return negative_sampling(scores, pairs, wrong, others, negatives)


class SkipGram(WordsFromNeighbours, Method):
    paper = "arXiv:1310.4546"
    source = "tmikolov/word2vec@06dca5f"
    family = "pretext"
    takes = ("text",)
    needs = "words"
    search = {"window": ("choice", 2, 5, 10)}

    def __init__(self, make_encoder, data, *, window: Count = 5, negatives: Count = 5, drawn: Count = 64, threshold: Probability = 1e-3):
        """window: the largest radius, 5. negatives: of a pair, 5. drawn: M. threshold: the share of all words above which a word is thinned
        out, 1e-3; in the paper, of a billion words, 1e-5; 0 keeps all."""
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
        return self.mean_over_texts(batch, skip_gram_loss)
