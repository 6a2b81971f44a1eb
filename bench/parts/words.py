"""What methods that predict words from their neighbours share: which words of a text count, which are neighbours, which are drawn, and the
two tables of vectors.

Mikolov et al. 2013 (arXiv:1310.4546), section 2, with the formulas of the authors' word2vec.c (tmikolov/word2vec@06dca5f) where they
differ.
B texts, L tokens of a window, V words, M words drawn for a text. Where nothing stands there is [PAD].
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.collectives import mean_of_batch
from bench.compute.randomness import Draws
from bench.data.text import PAD, SPECIAL
from bench.parts.losses import full_precision

POWER = 0.75
"""Of a word's count, in the distribution that negatives are drawn from (section 2.2)."""


def occurrences(tokens: Tensor, kinds: int) -> Tensor:
    """How often each of V words stands in windows [N, L]: float64 [V]. Special tokens are not counted, unknown words among them."""
    counts = torch.bincount(tokens.long().flatten(), minlength=kinds).double()
    counts[: len(SPECIAL)] = 0
    return counts


def keep_probabilities(counts: Tensor, threshold: float) -> Tensor:
    """With which probability an occurrence of each word is kept: float64 [V]; 1 of rare ones, 0 of those that there are not.

    (sqrt(f / t) + 1) t / f for a word that is f of all words, as word2vec.c and gensim have it; the paper's is sqrt(t / f). 0 keeps all."""
    frequency = counts / counts.sum().clamp(min=1)
    if threshold == 0:
        return (counts > 0).double()
    share = threshold / frequency.clamp(min=1e-300)
    return torch.where(counts > 0, (share.rsqrt() + 1) * share, 0.0).clamp(max=1)


def kept(tokens: Tensor, uniform: Tensor, probabilities: Tensor) -> Tensor:
    """Of int64 [B, L] the words that are kept, uniform [B, L] being below their probability, moved together to the front, as word2vec.c
    takes the others away before it looks for neighbours; then [PAD]. int64 [B, L]."""
    keep = uniform < probabilities[tokens]
    order = (~keep).long().argsort(dim=1, stable=True)
    return torch.where(keep, tokens, PAD).gather(1, order)


def neighbours(tokens: Tensor, radius: Tensor) -> Tensor:
    """Whether the second word is a neighbour of the first: no further from it than the first's radius [B, L], not itself, and both words:
    bool [B, L, L]."""
    place, there = torch.arange(tokens.shape[1], device=tokens.device), tokens != PAD
    apart = (place[:, None] - place).abs()
    return (apart > 0) & (apart <= radius[:, :, None]) & there[:, :, None] & there[:, None]


def cumulative(counts: Tensor) -> Tensor:
    """The distribution that negatives are drawn from, each word as often as its count to the power of 3/4, summed up: float64 [V]."""
    weights = counts**POWER
    return (weights / weights.sum().clamp(min=1e-300)).cumsum(0)


def drawn_words(uniform: Tensor, sums: Tensor) -> Tensor:
    """Of uniform numbers [B, M] the words at which the summed distribution [V] passes them: int64 [B, M]."""
    return torch.searchsorted(sums, uniform.double(), right=True).clamp(max=len(sums) - 1)


@full_precision
def negative_sampling(scores: Tensor, counted: Tensor, against: Tensor, how_often: Tensor, negatives: int) -> Tensor:
    """Equation 4 with its sign turned, summed over each text's pairs and averaged over texts.

    scores [B, ...]: inner products of pairs, of which `counted` says, as 1 or 0, which there are. against [B, L, M]: inner products with
    the words drawn for the text, each of them for `how_often` [B, L, M] of a word's pairs. The paper draws `negatives` words anew for each
    pair; here all pairs of a text are set against the text's M, each counting negatives / M: the same in expectation."""
    right = (F.softplus(-scores) * counted).flatten(1).sum(1)
    wrong = (F.softplus(against) * how_often).flatten(1).sum(1)
    return (right + negatives / against.shape[2] * wrong).mean()


class Neighbourhoods(nn.Module):
    """What is drawn of a batch of texts, by the counts of the training words, which it has to be shown first: `count`."""

    counts: Tensor
    keep: Tensor
    sums: Tensor

    def __init__(self, kinds: int, window: int, drawn: int, threshold: float):
        """window: the largest radius. drawn: M. threshold: of `keep_probabilities`. Before it has counted, all words are alike and kept."""
        super().__init__()
        self.window, self.drawn, self.threshold = window, drawn, threshold
        self.register_buffer("counts", torch.zeros(kinds, dtype=torch.float64))
        self.register_buffer("keep", torch.ones(kinds, dtype=torch.float64))
        self.register_buffer("sums", cumulative(torch.ones(kinds, dtype=torch.float64)))

    @torch.no_grad()
    def count(self, extract: Callable) -> None:
        """Once, of all training texts, by what a method's `before_epoch` is handed."""
        if self.counts.any():
            return
        tokens = extract(lambda tokens: tokens.float())  # exact: there are fewer words than 2**24
        self.counts.copy_(occurrences(tokens, len(self.counts)))
        self.keep.copy_(keep_probabilities(self.counts, self.threshold))
        self.sums.copy_(cumulative(self.counts))

    def forward(self, tokens: Tensor, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Windows int64 [B, L] -> the words that are kept [B, L], which are neighbours [B, L, L], the words drawn against them [B, M]."""
        length = tokens.shape[1]
        words = kept(tokens, draws.rand(length), self.keep)
        return words, neighbours(words, 1 + draws.randint(self.window, length)), drawn_words(draws.rand(self.drawn), self.sums)


class WordsFromNeighbours(nn.Module):
    """What skip-gram (arXiv:1310.4546) and CBOW (arXiv:1301.3781) share, a base beside Method, named before it: two tables of vectors, the
    encoder's, which is kept, and one of outputs; words that are counted, then drawn. A method calls `build_tables` once, and
    `mean_over_texts` in its loss."""

    encoder: Any

    def build_tables(
        self, make_encoder: Callable[[], nn.Module], kinds: int, *, window: int, negatives: int, drawn: int, threshold: float
    ) -> None:
        """Makes both tables, and what draws. kinds: V. negatives: of `negative_sampling`. The others: of `Neighbourhoods`."""
        self.negatives = negatives
        self.neighbourhoods = Neighbourhoods(kinds, window, drawn, threshold)
        self.encoder = make_encoder()
        self.outputs = nn.Embedding(kinds, self.encoder.dim)
        nn.init.zeros_(self.outputs.weight)  # word2vec.c

    def before_epoch(self, extract: Callable, generator: torch.Generator) -> tuple[str, ...]:
        self.neighbourhoods.count(extract)
        return ()

    def mean_over_texts(self, batch, loss: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]) -> Tensor:
        """The mean over the global batch of a loss of: the two tables [V, D], the encoder's first, words int64 [B, L], which of them are a
        word and its neighbour, bool [B, L, L], the words drawn for a text, int64 [B, M], and the number of negatives."""
        words, pairs, against = self.neighbourhoods(batch.views[0], batch.draws)
        found = loss(self.encoder.word_vectors(), self.outputs.weight, words, pairs, against, self.negatives)
        return mean_of_batch(found, len(words))
