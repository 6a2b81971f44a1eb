"""BERT (Devlin et al. 2019, arXiv:1810.04805): what words were hidden in a text is told from the words around them.

Differs from the paper:
- No next-sentence prediction: an item is a text without a next one, and RoBERTa (arXiv:1907.11692, table 2) is as good or better without.
- Which words are hidden is drawn in every step, as RoBERTa's (section 4.1), and not ten times before the training.
- [UNK] is never chosen: it is every word that the vocabulary has not, and none to be told. Words are whole, and none of them is a piece.
- Recipe: a learning rate of 1e-3 and not 1e-4, since a transformer so small takes a larger one; batches of 64 and not 256, which give a
  short training four times the steps; warm-up of a tenth of it.
- The encoder's: norms come first, no dropout of attention's shares (bench/encoders/networks/text_transformer.py). Adam corrects the bias of
  its moments, which theirs does not.
The mean of the states of a text's tokens is evaluated; the paper fine-tunes that of [CLS], which its second task trains.
B texts in the global batch, L tokens, K of them chosen, D features, V words.
"""

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Probability, Share
from bench.method import Method
from bench.parts import choose, dropout, full_precision, mean_where
from bench.spec import Recipe
from bench.views.text import MASK, PAD, SPECIAL, Words, is_word


@full_precision
def cross_entropy_of_chosen(logits: Tensor, words: Tensor, chosen: Tensor) -> Tensor:
    """The mean over the places that are chosen, bool [B, K], of the whole batch; logits [B, K, V], words int64 [B, K] (run_pretraining.py,
    get_masked_lm_output)."""
    return mean_where(F.cross_entropy(logits.transpose(1, 2), words, reduction="none"), chosen)


class BERT(Method):
    paper = "arXiv:1810.04805"
    source = "google-research/bert@eedf571"
    family = "pretext"
    takes = ("text",)
    needs = "tokens"
    search = {"mask_ratio": ("linear", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        mask_ratio: Annotated[float, Interval(gt=0, lt=1)] = 0.15,
        hidden: Probability = 0.8,
        replaced: Probability = 0.1,
        dropout: Share = 0.1,
    ):
        """mask_ratio: part of a text's tokens that is to be told, 0.15. hidden: part of these that becomes [MASK], 0.8. replaced: part that
        becomes any word, 0.1; what is left of them stays as it is (section 3.1). dropout: 0.1 (appendix A.2)."""
        super().__init__()
        if hidden + replaced > 1:
            raise ValueError(f"hidden={hidden:g} and replaced={replaced:g} are more than 1 together; expected parts of one whole")
        self.encoder = make_encoder()
        dim, (self.length,) = self.encoder.dim, data.shape
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim))  # run_pretraining.py, "transform"
        nn.init.trunc_normal_(self.head[0].weight, std=0.02, a=-0.04, b=0.04)
        nn.init.zeros_(self.head[0].bias)
        self.bias = nn.Parameter(torch.zeros(data.kinds))
        self.mask_ratio, self.hidden, self.replaced, self.rate = mask_ratio, hidden, replaced, dropout
        self.views = (Words(),)
        self.recipe = Recipe(
            "adamw",  # optimization.py
            lr=1e-3,  # appendix A.2: 1e-4, of 110M parameters
            lr_per_batch=None,
            batch_size=64,  # appendix A.2: 256; of 6,000 sentences of sst2 batches of 64 make a loss of 7.0, and of 256 one of 8.2
            weight_decay=0.01,  # appendix A.2
            warmup=0.1,  # appendix A.2: 10,000 of 1,000,000 steps; Adam's second moments want some hundred
            schedule="linear",  # appendix A.2
            exclude=("bias", "norm"),  # optimization.py, from decay
            clip_grad=1.0,  # optimization.py
        )

    def chance_loss(self, batch_size):
        return math.log(len(self.bias))

    def choose(self, batch, words: Tensor) -> tuple[Tensor, Tensor]:
        """Places int64 [B, K], and which of them are to be told, bool [B, K]: words, as many as are that part of the text's tokens, or
        one. K is of a text that fills the window (create_pretraining_data.py, create_masked_lm_predictions)."""
        least = max(1, round(self.mask_ratio * self.length))
        places = batch.rand(self.length).where(is_word(words), 2.0).argsort(dim=1, stable=True)[:, :least]
        # In float64 half a token is rounded as Python rounds it.
        count = ((words != PAD).sum(1).double() * self.mask_ratio).round().clamp(min=1)
        rank = torch.arange(least, device=words.device)
        return places, (rank < count[:, None]) & is_word(words.gather(1, places))

    def hide(self, batch, words: Tensor, places: Tensor, chosen: Tensor) -> Tensor:
        """The texts as they are shown, int64 [B, L]."""
        old, lot = words.gather(1, places), batch.rand(places.shape[1])
        any_word = len(SPECIAL) + batch.randint(len(self.bias) - len(SPECIAL), places.shape[1])
        new = torch.where(lot < self.hidden, MASK, torch.where(lot < self.hidden + self.replaced, any_word, old))
        return words.scatter(1, places, new.where(chosen, old))

    def loss(self, batch, progress):
        (words,) = batch.views
        places, chosen = self.choose(batch, words)
        shown = self.hide(batch, words, places, chosen)
        states = choose(self.encoder.tokens(shown, dropout(batch, self.rate)), places)
        logits = F.linear(self.head(states), self.encoder.word_vectors(), self.bias)
        return cross_entropy_of_chosen(logits, words.gather(1, places), chosen)
