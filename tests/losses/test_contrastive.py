"""SimCLR, MoCo (v2 and v1), NPID and BYOL: each loss against loops over images, written from the paper's formula in float64 and sharing no
code with the method; against lightly's loss; and mutations that must turn the comparisons red."""

import pytest
import torch
from contrastive_cases import (
    CASES,
    DATA,
    METHODS,
    loop_contrast,
    loop_instance_softmax,
    loop_nt_xent,
    loop_regression,
    make_batch,
    make_method,
    patch,
    random_rows,
    same_order,
    shuffled_keys,
)
from torch.nn import functional as F

import methods.byol
from bench.compute.randomness import Draws
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.method import Batch
from bench.parts import losses
from bench.parts.losses import info_nce, nt_xent
from bench.parts.memories import Queue
from loss_cases import TOLERANCE, close, from_lightly
from methods.byol import BYOL, regression
from methods.moco import MoCo
from methods.moco_v1 import MoCoV1
from methods.npid import NPID, instance_softmax
from methods.simclr import SimCLR

NegativeCosineSimilarity = from_lightly("loss", "NegativeCosineSimilarity")

NTXentLoss = from_lightly("loss", "NTXentLoss")


# What a whole method's loss must be, from the outputs of its own networks.


def expect_simclr(method, batch, temperature):
    """One call for both views, so that BatchNorm sees 2B images."""
    rows = method.projector(method.encoder(torch.cat(batch.views)))
    return loop_nt_xent(rows[: len(batch.index)], rows[len(batch.index) :], temperature)


def expect_moco(method, batch, temperature):
    order = Draws(*batch.draws.key, total=len(batch.index)).permutation(len(batch.index)).tolist()
    queries = method.projector(method.encoder(batch.views[0]))
    return loop_contrast(queries, shuffled_keys(method, batch.views[1], order), method.queue.rows, temperature)


def expect_npid(method, batch, temperature):
    embeddings = method.projector(method.encoder(batch.views[0]))
    return loop_instance_softmax(embeddings, method.memory.rows, batch.index, temperature)


def expect_byol(method, batch, temperature):
    """Each view alone through both networks."""
    first, second = batch.views
    online = [method.predictor(method.projector(method.encoder(images))) for images in (first, second)]
    target = [method.teacher.network(images) for images in (first, second)]
    return loop_regression(online[0], target[1]) + loop_regression(online[1], target[0])


EXPECT = {SimCLR: expect_simclr, MoCo: expect_moco, MoCoV1: expect_moco, NPID: expect_npid, BYOL: expect_byol}


def check_loss(cls, size=8, temperature=0.3, seed=0, mutate=None):
    """method.loss against the loops, after `mutate(method, batch)` has had its way with the method but not with the loops."""
    method = make_method(cls, seed, **({} if cls is BYOL else {"temperature": temperature}))
    batch = make_batch(size, seed, views=1 if cls is NPID else 2)
    expected = EXPECT[cls](method, batch, temperature)
    if mutate:
        mutate(method, batch)
    close(method.loss(batch, 0.0), expected)


@pytest.mark.parametrize(("size", "temperature", "seed"), CASES)
@pytest.mark.parametrize("cls", METHODS)
def test_whole_loss_is_the_papers_formula(cls, size, temperature, seed):
    check_loss(cls, size, temperature, seed)


@pytest.mark.parametrize(("size", "temperature", "seed"), [*CASES, (1, 0.1, 5), (7, 0.03, 6)])
@pytest.mark.parametrize("dim", [1, 3, 16])
def test_loss_functions_are_the_papers_formulas(size, temperature, seed, dim):
    first, second, queue = random_rows(size, size, 11, dim=dim, seed=seed)
    close(nt_xent(first, second, temperature), loop_nt_xent(first, second, temperature))
    close(regression(first, second), loop_regression(first, second))
    index = torch.randint(11, (size,), generator=torch.Generator().manual_seed(seed))
    first, second, unit_queue = (F.normalize(rows, dim=1) for rows in (first, second, queue))
    close(info_nce(first, second, unit_queue, temperature), loop_contrast(first, second, unit_queue, temperature))
    close(instance_softmax(first, queue, index, temperature), loop_instance_softmax(first, queue, index, temperature))


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize(("size", "temperature", "seed"), CASES)
def test_losses_and_gradients_are_lightlys(size, temperature, seed):
    first, second, queue = random_rows(size, size, 11, dim=9, seed=seed, dtype=torch.float32)
    first.requires_grad_()
    second.requires_grad_()
    ours, theirs = nt_xent(first, second, temperature), NTXentLoss(temperature)(first, second)
    close(ours, theirs.item())
    torch.testing.assert_close(gradients(ours, first, second), gradients(theirs, first, second), rtol=1e-4, atol=TOLERANCE)

    ours, theirs = regression(first, second), 2 + 2 * NegativeCosineSimilarity()(first, second)
    close(ours, theirs.item())
    torch.testing.assert_close(gradients(ours, first, second), gradients(theirs, first, second), rtol=1e-4, atol=TOLERANCE)

    queue, keys = F.normalize(queue, dim=1), F.normalize(second.detach(), dim=1)
    lightly = NTXentLoss(temperature, memory_bank_size=(11, 9))
    lightly.memory_bank.bank.copy_(queue)
    ours, theirs = info_nce(F.normalize(first, dim=1), keys, queue, temperature), lightly(first, keys)
    close(ours, theirs.item())
    torch.testing.assert_close(gradients(ours, first), gradients(theirs, first), rtol=1e-4, atol=TOLERANCE)


def test_whole_losses_are_lightlys():
    batch = make_batch(8)
    method = make_method(SimCLR, temperature=0.3)
    rows = method.project(torch.cat(batch.views))
    close(method.loss(batch, 0.0), NTXentLoss(0.3)(rows[:8], rows[8:]).item())

    method = make_method(BYOL)
    first, second = (method.predictor(method.project(images)) for images in batch.views)
    targets = [method.teacher(images) for images in batch.views]
    theirs = NegativeCosineSimilarity()
    close(method.loss(batch, 0.0), (4 + 2 * theirs(first, targets[1]) + 2 * theirs(second, targets[0])).item())

    method = make_method(MoCo, temperature=0.3)
    theirs = NTXentLoss(0.3, memory_bank_size=(12, 5))
    method.queue.rows.copy_(F.normalize(torch.randn(12, 5), dim=1))  # theirs knows no empty places
    theirs.memory_bank.bank.copy_(method.queue.rows)
    order = Draws(*batch.draws.key, total=8).permutation(8).tolist()
    expected = theirs(method.project(batch.views[0]).detach(), shuffled_keys(method, batch.views[1], order))
    close(method.loss(batch, 0.0), expected.item())


# Mutations: each breaks a method in one way, and its comparison must notice.


def invert_temperature(method, batch):
    method.temperature = 1 / method.temperature


def forget_predictor(method, batch):
    method.predictor = torch.nn.Identity()


def target_own_view(method, batch):
    swapped = dict(zip(map(id, batch.views), batch.views[::-1], strict=True))
    network = method.teacher.network
    method.teacher.forward = lambda images: network(swapped[id(images)])


def share_one_call(method, batch):
    both = method.projector(method.encoder(torch.cat(batch.views))).chunk(2)
    method.project = lambda images: both[0] if images is batch.views[0] else both[1]


def use_student_for_keys(method, batch):
    method.teacher.network = method.followed()


def forget_groups(method, batch):
    for module in method.modules():
        if isinstance(module, GroupedBatchNorm):
            module.groups = 1


def shift_index(method, batch):
    batch.index.add_(1).remainder_(DATA.num_images)


def not_normalised(rows, dim):
    return rows


def each_view_alone(cls):
    def project(self, images):
        return torch.cat([self.projector(self.encoder(view)) for view in images.chunk(2)])

    return patch(cls, "project", project)


MUTATED_LOSSES = [
    (SimCLR, "temperature inverted", None, invert_temperature),
    (SimCLR, "a row is its own negative", patch(torch.Tensor, "masked_fill", lambda self, *_: self), None),
    (SimCLR, "not normalised", patch(F, "normalize", not_normalised), None),
    (SimCLR, "the partner is the neighbouring row", patch(torch.Tensor, "roll", lambda self, _: (self + 1) % len(self)), None),
    (SimCLR, "each view alone", each_view_alone(SimCLR), None),
    (MoCo, "temperature inverted", None, invert_temperature),
    (MoCo, "not normalised", patch(F, "normalize", not_normalised), None),
    (MoCo, "un-permutation forgotten", patch(torch.Tensor, "argsort", same_order), None),
    (MoCo, "permutation forgotten", patch(Batch, "permutation", lambda self, n: torch.arange(n)), None),
    (MoCo, "BatchNorm groups forgotten", None, forget_groups),
    (MoCo, "keys by the student", None, use_student_for_keys),
    (MoCo, "empty places are negatives", patch(Queue, "empty", property(lambda self: torch.zeros(len(self.rows), dtype=torch.bool))), None),
    (
        MoCo,
        "the key is not the first class",
        patch(losses, "classify", lambda logits, target: F.cross_entropy(logits, target + 1)),
        None,
    ),
    (NPID, "temperature inverted", None, invert_temperature),
    (NPID, "not normalised", patch(F, "normalize", not_normalised), None),
    (NPID, "another image's row", None, shift_index),
    (BYOL, "not normalised", patch(F, "cosine_similarity", lambda first, second, dim: (first * second).sum(dim)), None),
    (BYOL, "predictor forgotten", None, forget_predictor),
    (BYOL, "target of the same view", None, target_own_view),
    (BYOL, "one encoder call for both views", None, share_one_call),
]


@pytest.mark.parametrize(
    ("cls", "name", "patching", "mutate"), MUTATED_LOSSES, ids=[f"{cls.__name__}: {name}" for cls, name, *_ in MUTATED_LOSSES]
)
def test_mutated_loss_is_noticed(cls, name, patching, mutate, monkeypatch):
    def under_mutation(method, batch):
        if patching:
            patching(monkeypatch)
        if mutate:
            mutate(method, batch)

    with pytest.raises(AssertionError, match="is not"):
        check_loss(cls, mutate=under_mutation)
    monkeypatch.undo()
    check_loss(cls)


def test_loss_of_one_direction_only_is_noticed(monkeypatch):
    calls = iter([regression, lambda *_: 0.0])
    monkeypatch.setattr(methods.byol, "regression", lambda *arguments: next(calls)(*arguments))
    with pytest.raises(AssertionError, match="is not"):
        check_loss(BYOL)
