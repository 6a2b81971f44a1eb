"""SimCSE without labels (Gao et al. 2021, arXiv:2104.08821): a text finds itself, through another dropout, among all texts of the batch.

Differs from the paper:
- The transformer begins with new weights; the authors' with BERT's, and a rate of 3e-5 and one epoch are enough for it.
- A text is the mean of its tokens' states (their pooler "avg"), before and behind the head; theirs is [CLS].
- The encoder's: norms come first, no dropout of attention's shares (bench/encoders/networks/text_transformer.py).
As in the paper's evaluation the head is left out (mlp_only_train).
B texts in the global batch, D features.
"""

import math

from torch import nn

from bench.domains import Positive, Share
from bench.method import Method
from bench.parts import dropout, find_own, gather
from bench.spec import Recipe
from bench.views.text import Words


class SimCSE(Method):
    paper = "arXiv:2104.08821"
    source = "princeton-nlp/SimCSE@49fa580"
    family = "contrastive"
    takes = ("text",)
    needs = "tokens"
    smallest_batch = 2
    search = {"temperature": ("log", 0.01, 0.5)}

    def __init__(self, make_encoder, data, *, temperature: Positive = 0.05, dropout: Share = 0.1):
        """temperature: of the softmax, 0.05. dropout: 0.1, both of section 3; without it both views are one."""
        super().__init__()
        self.encoder = make_encoder()
        self.projector = nn.Sequential(nn.Linear(self.encoder.dim, self.encoder.dim), nn.Tanh())  # simcse/models.py, MLPLayer
        nn.init.trunc_normal_(self.projector[0].weight, std=0.02, a=-0.04, b=0.04)  # BERT's, as the rest
        nn.init.zeros_(self.projector[0].bias)
        self.temperature, self.rate = temperature, dropout
        self.views = (Words(),)
        self.recipe = Recipe(
            "adamw",  # transformers' default, as the rest where README is silent
            lr=1e-3,  # README: 3e-5, from BERT's weights; new ones want bert.py's
            lr_per_batch=None,
            batch_size=64,  # README
            weight_decay=0.0,
            warmup=0.1,  # none there; new weights
            schedule="linear",
            clip_grad=1.0,
        )

    def project(self, words):
        """int64 [B, L] -> [B, D]"""
        return self.projector(self.encoder(words))

    def chance_loss(self, batch_size):
        return math.log(batch_size) if batch_size > 1 else None

    def loss(self, batch, progress):
        (words,) = batch.views
        first, second = (gather(self.projector(self.encoder(words, dropout(batch, self.rate)))) for _ in range(2))
        return find_own(first, second, self.temperature)
