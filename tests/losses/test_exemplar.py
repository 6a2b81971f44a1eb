"""Exemplar-CNN: the loss against loops from the definition of the softmax over surrogate classes, all of them or some."""

import copy
import math

import pytest
import torch

import methods
import methods.exemplar
from bench.compute.randomness import Draws, seeded
from bench.method import Batch
from bench.spec import DatasetInfo
from loss_cases import agree, dot, mutate, narrow

SIZE, IMAGES = 16, 30


def make(encoder="resnet8", **hyper_parameters):
    make_encoder, data = narrow(encoder, SIZE), DatasetInfo(num_images=IMAGES, image_size=SIZE)
    with seeded("weights", encoder):
        return methods.load("exemplar")(make_encoder, data, **hyper_parameters).train()


def make_batch(count, samples=1):
    draws = Draws("images", total=count)
    images = tuple(draws.randn(3, SIZE, SIZE) for _ in range(samples))
    return Batch(images, draws.permutation(IMAGES)[:count], Draws("test", total=count))


def case(count=5, samples=1, candidates=0, encoder="resnet8"):
    """-> the method's loss and the reference's."""
    method, batch = make(encoder, candidates=candidates, samples=samples), make_batch(count, samples)
    twin, own = copy.deepcopy(method), batch.index.tolist()
    with torch.no_grad():
        features = twin.encoder(torch.cat(batch.views)).double().tolist()
    weight, bias = twin.classifier.weight.double().tolist(), twin.classifier.bias.double().tolist()
    compared = set(range(IMAGES))
    if candidates:
        compared = {*own, *Draws("test", total=count).permutation(IMAGES)[:candidates].tolist()}
    total = 0.0
    for number, feature in enumerate(features):
        scores = {name: dot(feature, weight[name]) + bias[name] for name in compared}
        total += math.log(sum(math.exp(score) for score in scores.values())) - scores[own[number % count]]
    return method.loss(batch, 0.3).item(), total / len(features)


@pytest.mark.parametrize(
    "options",
    [
        {"count": 1},
        {"count": 7, "samples": 3},
        {"candidates": 1},
        {"candidates": 12, "samples": 2},
        {"candidates": IMAGES},
        {"candidates": 100},
        {"candidates": 9, "encoder": "vit_micro"},
    ],
    ids=str,
)
def test_the_loss_is_the_softmax_over_classes(options):
    assert agree(case(**options))


def test_all_candidates_are_all_classes():
    batch = make_batch(5)
    assert make(candidates=IMAGES).loss(batch, 0.0).item() == pytest.approx(make().loss(batch, 0.0).item(), rel=1e-5)


MISTAKES = {
    "the class is the place in the batch": (
        "target = self.classifier(features), batch.index",
        "target = self.classifier(features), torch.arange(len(batch.index))",
    ),
    "disguises take turns": ("target.repeat(len(batch.views))", "target.repeat_interleave(len(batch.views))"),
}
MISTAKES_WITH_CANDIDATES = {
    "a class counts twice": ("~torch.isin(others, own)", "torch.ones_like(others, dtype=torch.bool)"),
    "bias of other classes": ("self.classifier.bias[classes]", "self.classifier.bias[: len(classes)]"),
    "only the others": ('masked_fill(~first, float("-inf"))', "masked_fill(first, -9.0)"),
}


@pytest.mark.parametrize("mistake", [*MISTAKES, *MISTAKES_WITH_CANDIDATES])
def test_a_mistake_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.exemplar, *{**MISTAKES, **MISTAKES_WITH_CANDIDATES}[mistake])
    assert not agree(case(samples=2, candidates=12 if mistake in MISTAKES_WITH_CANDIDATES else 0))


def test_disguises_share_one_encoder_call():
    method, calls = make(samples=3), []
    method.encoder.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method.loss(make_batch(4, samples=3), 0.0)
    assert calls == [12]
