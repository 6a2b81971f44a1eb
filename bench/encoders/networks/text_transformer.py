"""A small transformer of words that looks both ways, as BERT's (Devlin et al. 2019, arXiv:1810.04805), with its norms first.

Differs from BERT (google-research/bert@eedf571): a norm before each half of a block and one at the end, and none after the
embedding, which trains without a long warm-up (Xiong et al. 2020, arXiv:2002.04745); no segments, of which a text has one. Features are the
mean of a text's states, and not that of [CLS]. Weights begin as BERT's: normal, cut off at two deviations of 0.02; biases at 0.
B texts, L tokens, V words, D features, H heads.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.data.text import PAD
from bench.encoders.encoder import Encoder
from bench.encoders.table import EncoderEntry

VARIANTS = {
    "text_transformer_nano": {
        "summary": "transformer of words with 4 layers, 64 features and 2 heads, as deep and wide as vit_nano",
        "facts": {"parameters": 842_112, "flops": 13_631_488, "dim": 64},
        "shape": {"depth": 4, "dim": 64, "heads": 2},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""

DEVIATION = 0.02
"""Of new weights (BERT's initializer_range)."""

Drop = Callable[[Tensor], Tensor]
"""What is done to states [B, L, D] where a transformer has dropout: nothing, or a method's own draws (bench.parts.dropout)."""


def kept(states: Tensor) -> Tensor:
    """All of it."""
    return states


class Block(nn.Module):
    """Attention, then two layers, each added to what went in."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.attention_in = nn.Linear(dim, 3 * dim)
        self.attention_out = nn.Linear(dim, dim)
        self.layers_norm = nn.LayerNorm(dim)
        self.layers_in = nn.Linear(dim, 4 * dim)
        self.layers_out = nn.Linear(4 * dim, dim)

    def forward(self, states: Tensor, seen: Tensor, drop: Drop) -> Tensor:
        """[B, L, D] -> [B, L, D]. seen: bool [B, 1, 1, L], which tokens are looked at by all."""
        projected = self.attention_in(self.attention_norm(states)).unflatten(2, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # each [B, H, L, D / H]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen).transpose(1, 2).flatten(2)
        states = states + drop(self.attention_out(attended))
        return states + drop(self.layers_out(F.gelu(self.layers_in(self.layers_norm(states)))))


class TextTransformer(Encoder):
    """Features are the mean of the states of a text's tokens, [SEP] and unknown words among them, without [CLS] and padding."""

    offers = ("features", "tokens", "words")
    takes = "text"

    def __init__(self, depth: int, dim: int, heads: int, image_size: int, kinds: int, width: float = 1.0):
        """image_size: the most tokens of a text, which have a position each. kinds: V."""
        super().__init__()
        self.dim = heads * max(1, round(width * dim / heads))
        self.positions = nn.Parameter(torch.empty(1, image_size, self.dim))
        self.embedding = nn.Embedding(kinds, self.dim)
        self.blocks = nn.ModuleList(Block(self.dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(self.dim)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.trunc_normal_(parameter, std=DEVIATION, a=-2 * DEVIATION, b=2 * DEVIATION)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def word_vectors(self) -> Tensor:
        """[V, D], those of special tokens among them."""
        return self.embedding.weight

    def stage_modules(self) -> list[nn.Module]:
        """The blocks, whose outputs are all tokens [B, L, D]."""
        return list(self.blocks)

    def tokens(self, images: Tensor, drop: Drop = kept) -> Tensor:
        """int64 [B, L], no longer than the window -> states [B, L, D] after the last norm. Nothing depends on what padding holds; states at
        it mean nothing. drop: see Drop; called where BERT has dropout but on attention's shares: after the embedding, and on what
        each half of a block adds."""
        # The first token is looked at whatever it is, so that a window of padding alone, as a plan tries, has shares too.
        seen = (images != PAD) | (torch.arange(images.shape[1], device=images.device) == 0)
        states = drop(self.embedding(images) + self.positions[:, : images.shape[1]])
        for block in self.blocks:
            states = block(states, seen[:, None, None], drop)
        return self.norm(states)

    def forward(self, images: Tensor, drop: Drop = kept) -> Tensor:
        """int64 [B, L] -> [B, D]. drop: as of `tokens`."""
        counted = (images != PAD)[:, 1:, None]
        states = upcast(self.tokens(images, drop))[:, 1:]
        return states.where(counted, 0).sum(1) / counted.sum(1).clamp(min=1)


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int, kinds: int) -> TextTransformer:
    """One of VARIANTS, for windows of this size and a vocabulary of `kinds` words; without BatchNorm, so bn_groups change nothing."""
    return TextTransformer(**entry.shape, image_size=image_size, kinds=kinds, width=width)
