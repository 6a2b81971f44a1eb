"""Supervised training on text: the encoder and a linear layer learn the labels, as BERT is fine-tuned (Devlin et al. 2019,
arXiv:1810.04805, section 4.1), but from new weights and at the same budget as all methods.

A ceiling, not a competitor: it is given what the others must do without. With an embedding_bag it is fastText's classifier (Joulin et
al. 2016, arXiv:1607.01759), softmax over all classes, without word pairs. A file of its own beside supervised.py, which crops, jitters and
greys images by hyper-parameters and trains by a ResNet's recipe: none of these is of words, and its runs keep their ids.
Differs from the paper: Adam's learning rate is 1e-3, for new weights; no dropout but of words, for which any encoder has a place.
B texts in the global batch, D features.
"""

import math

from torch import nn

from bench.domains import Share
from bench.method import Reference
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views.text import UNK, Words, is_word


class SupervisedText(Reference):
    paper = "arXiv:1810.04805"
    source = "google-research/bert@eedf571"
    takes = ("text",)
    search = {"word_dropout": ("linear", 0.0, 0.5)}

    def __init__(self, make_encoder, data, num_classes, *, word_dropout: Share = 0.0):
        """word_dropout: part of the words that are unknown in a step, 0; 0.3 of deep averaging networks (Iyyer et al. 2015,
        doi:10.3115/v1/P15-1162, section 4)."""
        super().__init__()
        self.word_dropout = word_dropout
        self.views = (Words(),)
        self.recipe = Recipe(
            "adamw",  # optimization.py
            lr=1e-3,  # appendix A.3: 2e-5 to 5e-5, from BERT's weights
            lr_per_batch=None,
            batch_size=32,  # appendix A.3
            weight_decay=0.01,  # optimization.py
            warmup=0.1,  # run_classifier.py
            schedule="linear",  # optimization.py
            exclude=("bias", "norm"),  # optimization.py, from decay
            clip_grad=1.0,  # optimization.py
        )
        self.encoder = make_encoder()
        self.classifier = nn.Linear(self.encoder.dim, num_classes)

    def chance_loss(self, batch_size):
        return math.log(len(self.classifier.bias))

    def loss(self, batch, progress):
        (words,) = batch.views
        if self.word_dropout:
            words = words.where(~is_word(words) | (batch.rand(words.shape[1]) >= self.word_dropout), UNK)
        return mean_of_batch(classify(self.classifier(self.encoder(words)), batch.labels), len(batch.labels))
