"""Supervised training on text: the mean cross-entropy of a linear layer on the encoder's features, some words unknown where it is asked."""

import pytest
import torch

import methods.supervised_text
from bench.compute.randomness import Draws
from bench.data.text import SPECIAL, UNK, TextInfo
from bench.encoders.factory import factory
from bench.method import LabelledBatch, build
from loss_cases import close, cross_entropy, texts

LENGTH, KINDS, CLASSES = 12, 40, 3

pytestmark = pytest.mark.usefixtures("fixed_weights")


def make(encoder="embedding_bag", **hyper_parameters):
    make_encoder = factory(encoder, LENGTH, kinds=KINDS)
    data = TextInfo(64, LENGTH, mirror_safe=False, kinds=KINDS)
    return build(methods.supervised_text.SupervisedText, lambda: make_encoder(width=0.25), data, CLASSES, hyper_parameters)


def make_batch(count=6):
    return LabelledBatch((texts(count, LENGTH, KINDS),), torch.arange(count), Draws("test", 0, total=count), torch.arange(count) % CLASSES)


@pytest.mark.parametrize("encoder", ["embedding_bag", "text_transformer_nano"])
def test_the_loss_is_the_cross_entropy_of_the_labels(encoder):
    method, batch = make(encoder), make_batch()
    logits = method.encoder(batch.views[0]) @ method.classifier.weight.T + method.classifier.bias
    close(method.loss(batch, 0.5), cross_entropy(logits, batch.labels.tolist()), torch.float32)


def test_that_part_of_the_words_is_unknown_and_nothing_else():
    method, batch, seen = make(word_dropout=0.3), make_batch(3_000), []
    method.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method.loss(batch, 0.0)
    (words,), (shown,) = batch.views, seen
    changed = shown != words
    assert (shown[changed] == UNK).all() and (words[changed] >= len(SPECIAL)).all()
    assert changed.sum() / (words >= len(SPECIAL)).sum() == pytest.approx(0.3, abs=0.02)


def test_an_even_guess_is_chance():
    method = make()
    for parameter in method.classifier.parameters():
        torch.nn.init.zeros_(parameter)
    close(method.loss(make_batch(), 0.0), method.chance_loss(6))
