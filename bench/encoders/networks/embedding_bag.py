"""A vector for each word, and of a text the mean of its words': what word2vec's vectors are used as (Mikolov et al. 2013, arXiv:1301.3781).

Order counts for nothing. Special tokens have a row and are left out of the mean, an unknown word too: a text without a word is zero.
Rows begin uniform within 1 / (2 D) of 0, as in word2vec.c. B texts, L tokens, V words, D features.
"""

import contextlib

import torch
from torch import Tensor, nn

from bench.compute.precision import upcast
from bench.data.text import SPECIAL
from bench.encoders.encoder import Encoder
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "embedding_bag": {
        "summary": "a vector of 128 features for each word, and their mean",
        "facts": {"parameters": 1_280_000, "flops": 8_192, "dim": 128},
        "shape": {"dim": 128},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""


class EmbeddingBag(Encoder):
    """Features are the mean of the vectors of a text's words."""

    offers = ("features", "words")
    takes = "text"

    def __init__(self, dim: int, kinds: int, width: float = 1.0):
        super().__init__()
        self.dim = max(1, round(width * dim))
        self.embedding = nn.Embedding(kinds, self.dim)
        nn.init.uniform_(self.embedding.weight, -0.5 / self.dim, 0.5 / self.dim)

    def word_vectors(self) -> Tensor:
        """[V, D], those of special tokens among them."""
        return self.embedding.weight

    def forward(self, images: Tensor) -> Tensor:
        """int64 [B, L] -> float32 [B, D]"""
        counted = (images >= len(SPECIAL)).to(self.embedding.weight.dtype)
        shares = counted / counted.sum(1, keepdim=True).clamp(min=1)
        # A product of matrices, and so among the FLOPs of a budget; in float32, but on the meta device, where torch knows no autocast.
        with contextlib.nullcontext() if images.is_meta else torch.autocast(images.device.type, enabled=False):
            return upcast((shares[:, None] @ self.embedding(images))[:, 0])


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int, kinds: int) -> EmbeddingBag:
    """One of VARIANTS, for a vocabulary of `kinds` words and texts of any length."""
    return EmbeddingBag(**entry.shape, kinds=kinds, width=width)
