"""MoCo v3: its loss against algorithm 1 as loops, in float64, and against lightly's; keys without gradient, the teacher's steps, what is
frozen of a ViT; mistakes that the comparisons must notice.

B images, P projection.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.moco_v3
from bench.encoders.networks.vit import VisionTransformer
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, cross_entropy_of_one, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

NTXentLoss = from_lightly("loss", "NTXentLoss")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)


def make(seed=0, encoder=make_encoder, **hyper_parameters):
    """A tiny method in training mode, whose teacher is another network than its student."""
    torch.manual_seed(seed)
    method = methods.moco_v3.MoCoV3(encoder, DATA, **{"hidden": 7, "projection": 5, **hyper_parameters}).train()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return method


def loop_ctr(queries, keys, temperature):
    """arXiv:2104.02057, algorithm 1: ctr of two [B, P]."""
    keys = [unit(row) for row in rows_of(keys)]
    logits = [[dot(unit(query), key) / temperature for key in keys] for query in rows_of(queries)]
    return 2 * temperature * sum(cross_entropy_of_one(row, place) for place, row in enumerate(logits)) / len(keys)


def expected(method, batch):
    """What the loss must be, from the outputs of the method's own networks: one call for each view."""
    first, second = (method.predictor(method.projector(method.encoder(images))) for images in batch.views)
    first_keys, second_keys = (method.teacher.network(images) for images in batch.views)
    return loop_ctr(first, second_keys, method.temperature) + loop_ctr(second, first_keys, method.temperature)


def check_loss(size=8, **hyper_parameters):
    method = make(size, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    close(method.loss(batch, 0.0), expected(method, batch))


@pytest.mark.parametrize("changed", [{}, {"temperature": 1.0}, {"head_layers": 3, "predictor_norm": True}], ids=str)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(size, changed):
    check_loss(size, **changed)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_with_a_queue_of_the_other_keys_it_is_lightlys(temperature):
    """lightly's loss of one image, whose negatives are the keys of all others in its memory."""
    queries, keys = (torch.randn(6, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    total = 0.0
    for place in range(6):
        theirs = NTXentLoss(temperature=temperature, memory_bank_size=(5, 5))
        theirs.memory_bank.bank.copy_(F.normalize(keys[torch.arange(6) != place], dim=1))
        # Without a gradient its memory takes no new rows in.
        with torch.no_grad():
            total += theirs(queries[place : place + 1], keys[place : place + 1]).item() / 6
    close(methods.moco_v3.find_the_key(queries, keys, temperature), 2 * temperature * total)


def check_gradients():
    """As of a loss whose keys are numbers."""
    method = make()
    batch = random_batch(method, 8, SIZE)
    method.loss(batch, 0.0).backward()
    found = [parameter.grad.clone() for parameter in method.encoder.parameters()]
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    method.zero_grad()
    predictions = [F.normalize(method.predictor(method.project(images)), dim=1) for images in batch.views]
    keys = [F.normalize(method.teacher.network(images), dim=1).detach() for images in batch.views]
    sum(0.4 * F.cross_entropy(predictions[own] @ keys[1 - own].T / 0.2, torch.arange(8)) for own in (0, 1)).backward()
    for own, parameter in zip(found, method.encoder.parameters(), strict=True):
        torch.testing.assert_close(own, parameter.grad, rtol=1e-3, atol=1e-5)


def test_keys_are_constants():
    check_gradients()


def check_step(end=1.0):
    """The teacher follows with a momentum along half a cosine: adjust_moco_momentum of the authors' main_moco.py."""
    method = make(momentum=0.9, momentum_end=end)
    momentum = end - 0.5 * (1 + math.cos(math.pi * 0.3)) * (end - 0.9)
    check_follows(method, method.followed(), 0.3, momentum)


@pytest.mark.parametrize("end", [1.0, 0.95])
def test_the_teacher_follows(end):
    check_step(end)


MISTAKES = [
    ("2 * temperature * find_own", "find_own", check_loss),
    ("find_own(queries, keys,", "find_own(keys, queries,", check_loss),
    ("find_the_key(first, second_keys", "find_the_key(first, first_keys", check_loss),
    ("find_the_key(second, first_keys", "find_the_key(first, second_keys", check_loss),
    ("gather(self.predictor(self.project(images)))", "gather(self.project(images))", check_loss),
    (
        "(gather(self.teacher(images)) for images in batch.views)",
        "gather(self.teacher(__import__('torch').cat(batch.views))).chunk(2)",
        check_loss,
    ),
    ("gather(self.teacher(images))", "gather(self.project(images))", check_gradients),
    ("(momentum, momentum_end, ", "(momentum_end, momentum, ", check_step),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.moco_v3, right, wrong)
    with pytest.raises(AssertionError):
        check()
    monkeypatch.undo()
    check()


def test_heads_are_those_of_the_authors_two_encoders():
    def kinds(head):
        return [type(layer).__name__ for layer in head]

    hidden = ["Linear", "BatchNorm1d", "ReLU"]
    resnet, vit = make(), make(head_layers=3, predictor_norm=True)
    assert kinds(resnet.projector) == [*hidden, "Linear", "BatchNorm1d"] and kinds(resnet.predictor) == [*hidden, "Linear"]
    assert kinds(vit.projector) == [*hidden, *hidden, "Linear", "BatchNorm1d"]
    assert kinds(vit.predictor) == [*hidden, "Linear", "BatchNorm1d"] and not vit.predictor[-1].affine
    assert all(layer.bias is None for head in (resnet.projector, resnet.predictor) for layer in head if isinstance(layer, torch.nn.Linear))


@pytest.mark.parametrize("frozen", [True, False])
def test_a_vits_layer_of_patches_stays_as_it_began(frozen):
    """The authors' --stop-grad-conv1. Nothing else of it is frozen, and nothing of a ResNet."""

    def vit(**options):
        return VisionTransformer(depth=1, dim=12, heads=3, image_size=SIZE, patch_size=4)

    method = make(encoder=vit, frozen_patches=frozen)
    still = {name for name, parameter in method.encoder.named_parameters() if not parameter.requires_grad}
    assert still == ({"vit.patch_embed.proj.weight", "vit.patch_embed.proj.bias"} if frozen else set())
    assert all(parameter.requires_grad for parameter in make(frozen_patches=frozen).encoder.parameters())
