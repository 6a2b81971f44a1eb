"""A view of text: a window of words as it is, with what a method must know of the numbers in it.

Words()             the window, int64 [B, L]
is_word(tokens)     where it has words, and no special token
"""

from dataclasses import dataclass

from torch import Tensor

from bench.compute.randomness import Draws
from bench.data.text import CLS, MASK, PAD, SEP, SPECIAL, UNK
from bench.spec import DatasetInfo

__all__ = ["CLS", "MASK", "PAD", "SEP", "SPECIAL", "UNK", "Words", "is_word"]


@dataclass(frozen=True)
class Words:
    """`count` times the window, in which nothing is changed: what a method hides or draws of it is its loss's matter."""

    count: int = 1

    def shape(self, data: DatasetInfo) -> tuple[int, ...]:
        """Of an item as a method sees it in this view."""
        return data.shape

    def ready(self, items: Tensor, draws: list[Draws], data: DatasetInfo, mean: Tensor, std: Tensor) -> tuple[Tensor, ...]:
        """int32 [B, L] -> int64 [B, L], one for each of the draws."""
        return (items.long(),) * len(draws)


def is_word(tokens: Tensor) -> Tensor:
    """Of numbers of words [...] whether they are of a word of the vocabulary, and not of a special token: bool [...]."""
    return tokens >= len(SPECIAL)
