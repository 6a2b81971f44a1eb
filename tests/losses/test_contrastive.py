"""SimCLR, MoCo (v2 and v1), NPID and BYOL: each loss against loops over images, written from the paper's formula in float64 and sharing no
code with the method; against lightly's loss; the state they keep, against loops; and mutations that must turn the comparisons red.

B images, P projection, Q queue length, N images of the pretraining split.
"""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

import methods.byol
import methods.moco
import methods.npid
import methods.simclr
from bench.compute import collectives
from bench.compute.randomness import Draws
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.method import Batch
from bench.parts import losses, teachers
from bench.parts.losses import info_nce, nt_xent
from bench.parts.memories import Memory, Queue
from bench.spec import DatasetInfo
from bench.training.optim import build_optimizer, set_progress
from bench.views.ops import ColorJitter, Grayscale
from bench.views.view import render_views
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, rows_of
from methods.byol import BYOL, regression
from methods.moco import MoCo
from methods.moco_v1 import MoCoV1
from methods.npid import NPID, instance_softmax
from methods.simclr import SimCLR

NegativeCosineSimilarity = from_lightly("loss", "NegativeCosineSimilarity")
NTXentLoss = from_lightly("loss", "NTXentLoss")

METHODS = (SimCLR, MoCo, MoCoV1, NPID, BYOL)
DATA = DatasetInfo(num_images=20, image_size=8)
SMALL = {
    SimCLR: {"projection": 5},
    MoCo: {"projection": 5, "queue": 12, "bn_groups": 2},
    MoCoV1: {"projection": 5, "queue": 12, "bn_groups": 2},
    NPID: {"projection": 5},
    BYOL: {"projection": 5, "hidden": 7},
}
"""Hyper-parameters that make heads and queues tiny."""


def make_batch(size, seed=0, views=2):
    generator = torch.Generator().manual_seed(seed)
    images = tuple(torch.randn(size, 3, 8, 8, generator=generator) for _ in range(views))
    return Batch(images, torch.randperm(DATA.num_images, generator=generator)[:size], Draws(seed, "loss", total=size))


def make_method(cls, seed=0, **hyper_parameters):
    """A tiny method in training mode; where there is a teacher, it differs from the student, as after some steps."""
    torch.manual_seed(seed)
    method = cls(make_encoder, DATA, **{**SMALL[cls], **hyper_parameters}).train()
    if hasattr(method, "teacher"):
        with torch.no_grad():
            for parameter in method.teacher.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    if hasattr(method, "queue"):  # 7 of its places are filled
        method.queue.enqueue(F.normalize(torch.randn(min(7, len(method.queue.rows)), method.queue.rows.shape[1]), dim=1))
    return method


def cosine(first, second):
    return dot(first, second) / math.sqrt(dot(first, first) * dot(second, second))


# The papers' formulas, as loops over images.


def loop_nt_xent(first, second, temperature):
    """arXiv:2002.05709, algorithm 1: views of image k are neighbours 2k - 1 and 2k."""
    views = [view for pair in zip(rows_of(first), rows_of(second), strict=True) for view in pair]
    total = 0.0
    for i, view in enumerate(views):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = sum(math.exp(cosine(view, views[k]) / temperature) for k in range(len(views)) if k != i)
        total -= math.log(math.exp(cosine(view, views[partner]) / temperature) / others)
    return total / len(views)


def loop_contrast(queries, keys, queue, temperature):
    """arXiv:1911.05722, eq. 1, over a query's own key and the queue."""
    total = 0.0
    for query, key in zip(rows_of(queries), rows_of(keys), strict=True):
        positive = math.exp(cosine(query, key) / temperature)
        negative = sum(math.exp(cosine(query, row) / temperature) for row in rows_of(queue) if any(row))
        total -= math.log(positive / (positive + negative))
    return total / len(queries)


def loop_instance_softmax(embeddings, memory, index, temperature):
    """arXiv:1805.01978, eq. 2; the memory's rows are used as they are, the embedding has unit length."""
    total, memory = 0.0, rows_of(memory)
    for embedding, own in zip(rows_of(embeddings), index.tolist(), strict=True):
        length = math.sqrt(dot(embedding, embedding))
        scores = [math.exp(dot(row, embedding) / length / temperature) for row in memory]
        total -= math.log(scores[own] / sum(scores))
    return total / len(embeddings)


def loop_regression(predictions, targets):
    """arXiv:2006.07733, eq. 2: squared distance of two vectors of unit length."""
    total = 0.0
    for prediction, target in zip(rows_of(predictions), rows_of(targets), strict=True):
        lengths = math.sqrt(dot(prediction, prediction)), math.sqrt(dot(target, target))
        total += sum((p / lengths[0] - t / lengths[1]) ** 2 for p, t in zip(prediction, target, strict=True))
    return total / len(predictions)


# What a whole method's loss must be, from the outputs of its own networks.


def expect_simclr(method, batch, temperature):
    """One call for both views, so that BatchNorm sees 2B images."""
    rows = method.projector(method.encoder(torch.cat(batch.views)))
    return loop_nt_xent(rows[: len(batch.index)], rows[len(batch.index) :], temperature)


def shuffled_keys(method, images, order):
    """Keys in the images' own order; BatchNorm without groups, fed one group of shuffled images after the other."""
    teacher = copy.deepcopy(method.teacher.network)
    groups = 1
    for module in teacher.modules():
        if isinstance(module, GroupedBatchNorm):
            groups, module.groups = module.groups, 1
    size, keys = len(images) // groups, [None] * len(images)
    for group in range(groups):
        places = order[group * size : (group + 1) * size]
        encoded = teacher(torch.stack([images[place] for place in places]))
        for place, row in zip(places, encoded, strict=True):
            keys[place] = row
    return torch.stack(keys).detach()


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


CASES = [(2, 0.5, 1), (4, 0.07, 2), (6, 0.2, 3), (10, 1.0, 4)]


@pytest.mark.parametrize(("size", "temperature", "seed"), CASES)
@pytest.mark.parametrize("cls", METHODS)
def test_whole_loss_is_the_papers_formula(cls, size, temperature, seed):
    check_loss(cls, size, temperature, seed)


@pytest.mark.parametrize("cls", [MoCo, MoCoV1])
def test_keys_that_are_not_shuffled_share_their_queries_groups(cls):
    """arXiv:1911.05722, section 3.3."""
    method = make_method(cls, shuffle=False, temperature=0.3)
    batch = make_batch(8)
    queries = method.projector(method.encoder(batch.views[0]))
    keys = shuffled_keys(method, batch.views[1], list(range(8)))
    close(method.loss(batch, 0.0), loop_contrast(queries, keys, method.queue.rows, 0.3))
    torch.testing.assert_close(method.new_keys, F.normalize(keys, dim=1), rtol=0, atol=TOLERANCE)
    assert not torch.allclose(method.new_keys, F.normalize(shuffled_keys(method, batch.views[1], [0, 2, 4, 6, 1, 3, 5, 7]), dim=1))


def loop_dot_products(first, second, temperature):
    """The same loss of rows that are not normalised (table 5)."""
    views = [*rows_of(first), *rows_of(second)]
    total = 0.0
    for i, view in enumerate(views):
        logits = [dot(view, other) / temperature for k, other in enumerate(views) if k != i]
        partner = dot(view, views[(i + len(first)) % len(views)]) / temperature
        total += max(logits) + math.log(sum(math.exp(logit - max(logits)) for logit in logits)) - partner
    return total / len(views)


@pytest.mark.parametrize(("size", "temperature", "seed"), CASES)
@pytest.mark.parametrize("head_layers", [0, 1, 2])
def test_simclr_without_normalisation_and_with_fewer_layers(size, temperature, seed, head_layers):
    """arXiv:2002.05709, table 5 and figure 8: no head is the encoder's own output, 6 numbers here."""
    for normalise, loop in ((True, loop_nt_xent), (False, loop_dot_products)):
        method = make_method(SimCLR, seed, temperature=temperature, head_layers=head_layers, normalise=normalise)
        batch = make_batch(size, seed)
        features = method.encoder(torch.cat(batch.views))
        rows = features if head_layers == 0 else method.projector(features)
        assert rows.shape == (2 * size, 5 if head_layers else 6) and len(method.projector) == max(0, 3 * head_layers - 1)
        assert head_layers == 0 or method.projector[-1].weight.requires_grad, "its last BatchNorm learns a scale"
        close(method.loss(batch, 0.0), loop(rows[:size], rows[size:], temperature))
        torch.testing.assert_close(method.project(torch.cat(batch.views)), rows)


@pytest.mark.parametrize("encode_layers", [0, 1, 2])
def test_simclr_is_evaluated_after_as_many_layers_of_its_head_as_it_is_told(encode_layers):
    """SimCLR v2 (arXiv:2006.10029): after the first layer of a head of three, its ReLU included; the loss is as before."""
    method, batch = make_method(SimCLR, head_layers=3, encode_layers=encode_layers).eval(), make_batch(4)
    rows = method.encoder(batch.views[0])
    for number in range(encode_layers):
        linear, norm = method.projector[3 * number], method.projector[3 * number + 1]
        rows = (rows @ linear.weight.T - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        rows = rows.clamp(min=0)
    torch.testing.assert_close(method.encode(batch.views[0]), rows)
    assert same_loss(method.train(), make_method(SimCLR, head_layers=3), batch)


@pytest.mark.parametrize("encode_layers", [0, 1])
def test_what_simclr_is_evaluated_by_is_float32_in_a_bfloat16_run(encode_layers):
    method, batch = make_method(SimCLR, head_layers=3, encode_layers=encode_layers).eval(), make_batch(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method.encode(batch.views[0]).dtype == torch.float32
    assert method.double().encode(batch.views[0].double()).dtype == torch.float64


def same_loss(method, other, batch):
    return torch.equal(method.loss(batch, 0.0), other.loss(batch, 0.0))


@pytest.mark.parametrize(("head_layers", "encode_layers"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_simclr_is_not_evaluated_after_its_last_layer(head_layers, encode_layers):
    with pytest.raises(ValueError, match=f"encode_layers={encode_layers}: a head of {head_layers} layers"):
        make_method(SimCLR, head_layers=head_layers, encode_layers=encode_layers)


def test_simclr_greys_as_often_as_it_is_told():
    def greying(method):
        return [op.p for op in method.views[0].ops if isinstance(op, Grayscale)]

    assert greying(make_method(SimCLR)) == [0.2] and greying(make_method(SimCLR, grey=0.7)) == [0.7]
    assert greying(make_method(SimCLR, grey=0.0)) == []


def random_rows(*sizes, dim, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, dim, generator=generator, dtype=dtype) for size in sizes]


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


# State: queue, memory and teacher.


def check_queue(sizes=(5, 5, 5, 7, 1)):
    """Q = 12 rows and batches that wrap around, one of them inside a batch, against a list of rows."""
    torch.manual_seed(0)
    queue = Queue(12, 3)
    expected, place = rows_of(queue.rows), 0
    for seed, size in enumerate(sizes):
        (rows,) = random_rows(size, dim=3, seed=seed, dtype=torch.float32)
        queue.enqueue(rows)
        for row in rows_of(rows):
            expected[place] = row
            place = (place + 1) % 12
        assert rows_of(queue.rows) == expected
        assert queue.position == place


def check_moco_steps(momentum=0.9, mutate=None):
    """Two steps: the queue gets each step's keys in the batch's order, of the teacher as it was in `loss`; then the teacher moves."""
    method = make_method(MoCo, momentum=momentum)
    if mutate:
        mutate(method)
    queue, place = rows_of(method.queue.rows), int(method.queue.position)
    for step in range(2):
        batch = make_batch(8, seed=step)
        order = Draws(*batch.draws.key, total=8).permutation(8).tolist()
        keys = rows_of(shuffled_keys(method, batch.views[1], order))
        expected = moved(method, momentum)
        method.loss(batch, 0.0)
        method.after_step(0.0)
        for key in keys:
            queue[place] = [value / math.sqrt(dot(key, key)) for value in key]
            place = (place + 1) % 12
        torch.testing.assert_close(method.queue.rows.double(), torch.tensor(queue, dtype=torch.float64), rtol=0, atol=TOLERANCE)
        check_teacher(method, expected)


def moved(method, momentum):
    """Every weight of the teacher after a move towards the student, as lists."""
    student = [parameter for part in (method.encoder, method.projector) for parameter in part.parameters()]
    return [
        [momentum * old + (1 - momentum) * new for old, new in zip(*(p.detach().double().flatten().tolist() for p in pair), strict=True)]
        for pair in zip(method.teacher.network.parameters(), student, strict=True)
    ]


def check_teacher(method, expected):
    for parameter, values in zip(method.teacher.network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.flatten().double(), torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-6)


def check_memory(momentum=0.3, mutate=None):
    """Two steps of NPID: rows of the batch's images move, the others stay."""
    method = make_method(NPID, momentum=momentum)
    if mutate:
        mutate(method)
    memory = rows_of(method.memory.rows)
    for step in range(2):
        batch = make_batch(6, seed=step, views=1)
        embeddings = rows_of(method.projector(method.encoder(batch.views[0])))
        method.loss(batch, 0.0)
        method.after_step(0.0)
        for place, embedding in zip(batch.index.tolist(), embeddings, strict=True):
            length = math.sqrt(dot(embedding, embedding))
            mixed = [momentum * old + (1 - momentum) * new / length for old, new in zip(memory[place], embedding, strict=True)]
            memory[place] = [value / math.sqrt(dot(mixed, mixed)) for value in mixed]
        torch.testing.assert_close(method.memory.rows.double(), torch.tensor(memory, dtype=torch.float64), rtol=0, atol=TOLERANCE)


def check_byol_schedule(momentum=0.9, mutate=None, end=1.0):
    """The teacher's momentum rises along half a cosine; the first and the last value are hyper-parameters."""
    method = make_method(BYOL, momentum=momentum, momentum_end=end)
    if mutate:
        mutate(method)
    for progress, rate in ((0.0, momentum), (1 / 3, momentum + (end - momentum) / 4), (0.5, (end + momentum) / 2), (1.0, end)):
        expected = moved(method, rate)
        method.after_step(progress)
        check_teacher(method, expected)


@pytest.mark.parametrize("check", [check_queue, check_moco_steps, check_memory, check_byol_schedule])
def test_state_moves_as_in_loops(check):
    check()


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_byols_momentum_goes_where_it_is_told(momentum):
    """arXiv:2006.07733, table 5a: it stays as it is; or it goes to something else than 1."""
    check_byol_schedule(momentum, end=momentum)
    check_byol_schedule(momentum, end=0.5)


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


def swap_momentum(method):
    method.momentum = 1 - method.momentum


def patch(target, name, value):
    """A mutation that replaces an attribute of a module or class, undone after the test."""

    def apply(monkeypatch):
        monkeypatch.setattr(target, name, value)

    return apply


def not_normalised(rows, dim):
    return rows


def each_view_alone(cls):
    def project(self, images):
        return torch.cat([self.projector(self.encoder(view)) for view in images.chunk(2)])

    return patch(cls, "project", project)


def same_order(self, *_):
    return torch.arange(len(self))


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


def enqueue_reversed(self, rows, enqueue=Queue.enqueue):
    enqueue(self, rows.flip(0))


def enqueue_at_start(self, rows):
    self.rows[: len(rows)] = rows


def move_without_normalising(self, index, rows, momentum):
    self.rows[index] = momentum * self.rows[index] + (1 - momentum) * rows


def follow_before(method):
    """The teacher moves before the keys are made, with the weights of the step to come."""
    encode = method.teacher.forward

    def late_keys(*arguments):
        method.teacher.follow(method.followed(), method.momentum)
        return encode(*arguments)

    method.teacher.forward = late_keys


def freeze_schedule(method):
    after_step = method.after_step
    method.after_step = lambda progress: after_step(0.0)


def reverse_schedule(method):
    after_step = method.after_step
    method.after_step = lambda progress: after_step(1 - progress)


MUTATED_STATES = [
    (check_queue, "queue starts anew with each batch", patch(Queue, "enqueue", enqueue_at_start), None),
    (check_moco_steps, "keys enqueued backwards", patch(Queue, "enqueue", enqueue_reversed), None),
    (check_moco_steps, "un-permutation forgotten", patch(torch.Tensor, "argsort", same_order), None),
    (check_moco_steps, "momentum swapped", None, swap_momentum),
    (check_moco_steps, "teacher moves first", None, follow_before),
    (check_memory, "momentum swapped", None, swap_momentum),
    (check_memory, "row not normalised", patch(Memory, "move", move_without_normalising), None),
    (check_byol_schedule, "momentum swapped", None, swap_momentum),
    (check_byol_schedule, "momentum constant", None, freeze_schedule),
    (check_byol_schedule, "momentum falls", None, reverse_schedule),
]


@pytest.mark.parametrize(
    ("check", "name", "patching", "mutate"), MUTATED_STATES, ids=[f"{c.__name__}: {name}" for c, name, *_ in MUTATED_STATES]
)
def test_mutated_state_is_noticed(check, name, patching, mutate, monkeypatch):
    if patching:
        patching(monkeypatch)
    with pytest.raises(AssertionError):
        check(**({"mutate": mutate} if mutate else {}))
    monkeypatch.undo()
    check()


# The contract.


def lasting(method):
    """The state of a method without BatchNorm's running statistics, which any forward pass in training mode moves."""
    return {name: value.clone() for name, value in method.state_dict().items() if "running" not in name and "num_batches" not in name}


@pytest.mark.parametrize("cls", METHODS)
def test_loss_keeps_no_state(cls):
    """`loss` changes no parameter, queue or memory; one that no after_step followed leaves no trace; a copy made between `loss` and
    `after_step` goes on as the original; a second after_step has nothing to enqueue."""
    method, once = (make_method(cls) for _ in range(2))
    before = lasting(method)
    method.loss(make_batch(8, seed=1), 0.0)
    torch.testing.assert_close(lasting(method), before, rtol=0, atol=0)
    for each in (method, once):
        each.loss(make_batch(8, seed=2), 0.0).backward()
    twin = copy.deepcopy(method)
    for each in (method, twin, once):
        each.after_step(0.0)
        each.after_step(1.0)
    torch.testing.assert_close(lasting(method), lasting(once), rtol=0, atol=0)
    torch.testing.assert_close(lasting(twin), lasting(once), rtol=0, atol=0)
    assert list(lasting(method)) == list(before)


@pytest.mark.parametrize("cls", METHODS)
def test_global_randomness_changes_nothing(cls):
    losses = []
    for seed in (3, 4):
        method = make_method(cls)
        torch.manual_seed(seed)
        losses.append(method.loss(make_batch(8), 0.0))
    assert torch.equal(*losses)


@pytest.mark.parametrize("data", [DATA, DatasetInfo(num_images=20, image_size=8, channels=1, mirror_safe=False)])
@pytest.mark.parametrize("cls", METHODS)
def test_two_steps_under_the_recipe(cls, data):
    """Views, bfloat16, gradients for everything but teachers, updates by the method's own recipe."""
    torch.manual_seed(0)
    method = cls(make_encoder, data, **SMALL[cls]).train()
    optimizer = build_optimizer(method, method.recipe)
    start = copy.deepcopy(method.state_dict())
    images = torch.randint(256, (8, data.channels, 8, 8), dtype=torch.uint8)
    for step in range(2):
        views = render_views(
            method.views, images, data, torch.zeros(3), torch.ones(3), lambda n, step=step: Draws(0, "view", step, n, total=8)
        )
        with torch.autocast("cpu", torch.bfloat16):
            loss = method.loss(Batch(views, torch.arange(8), Draws(0, "loss", step, total=8)), step / 2)
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        loss.backward()
        for name, parameter in method.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name
            assert not (parameter.requires_grad and name.startswith("teacher")), name
        set_progress(optimizer, method.recipe, step / 2)
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(step / 2)
    method.load_state_dict(copy.deepcopy(method.state_dict()))
    for name, value in method.state_dict().items():
        unmoved = cls is SimCLR and name == "projector.4.bias"  # the shift that its last BatchNorm does not learn
        assert unmoved or not torch.equal(value, start[name]), name
    for encode in (method.encode, *method.encode_also().values()):
        assert encode(views[0]).shape == (8, 6)


@pytest.mark.parametrize("cls", METHODS)
def test_builds_on_the_meta_device(cls):
    with torch.device("meta"):
        method = cls(make_encoder, DATA)
    assert all(value.is_meta for value in method.state_dict().values())
    assert method.views
    assert method.recipe.batch_size == 256


def test_encode_also_names_the_teacher():
    for cls in (MoCo, BYOL):
        method = make_method(cls).eval()
        images = make_batch(4).views[0]
        (name,) = method.encode_also()
        assert name == "teacher"
        assert torch.equal(method.encode(images), method.encoder(images))
        assert not torch.allclose(method.encode_also()["teacher"](images), method.encode(images))
    assert not make_method(SimCLR).encode_also()
    assert not make_method(NPID).encode_also()


def test_moco_refuses_batches_it_cannot_hold():
    with pytest.raises(ValueError, match="BatchNorm groups"):
        make_method(MoCo).loss(make_batch(7), 0.0)
    method = make_method(MoCo, queue=6)
    method.loss(make_batch(8), 0.0)
    with pytest.raises(
        ValueError, match="a queue of 6 rows cannot take 8 at once"
    ):  # in its first step, which a plan makes without numbers
        method.after_step(0.0)


def test_first_move_of_the_teacher_comes_after_the_first_keys():
    """The authors move the key encoder at the start of a step; so does ours, seen from the second step on: keys of step t are made by
    a teacher that has followed the weights of steps 0 to t - 1, and the move before step 0 is one between equal weights."""
    torch.manual_seed(0)
    method = MoCo(make_encoder, DATA, **SMALL[MoCo])
    before = copy.deepcopy(method.teacher.state_dict())
    method.teacher.follow(method.followed(), 0.5)
    torch.testing.assert_close(dict(method.teacher.state_dict()), dict(before), rtol=0, atol=1e-7)


def test_moco_v1_has_a_linear_head_and_other_views():
    first, second = make_method(MoCoV1), make_method(MoCo)
    assert isinstance(first.projector, torch.nn.Linear) and len(second.projector) == 3
    jitters = [next(op for op in method.views[0].ops if isinstance(op, ColorJitter)) for method in (first, second)]
    assert [(jitter.hue, jitter.p) for jitter in jitters] == [(0.4, 1.0), (0.1, 0.8)]


def test_gathered_rows_are_those_of_the_loss(monkeypatch):
    """All that crosses images goes through `gather`: a stand-in that counts sees queries and keys, embeddings and index."""
    seen, gather = [], collectives.gather
    for module in (methods.simclr, methods.npid, teachers):
        monkeypatch.setattr(module, "gather", lambda rows: seen.append(len(rows)) or gather(rows))
    for cls in (SimCLR, MoCo, NPID):
        make_method(cls).loss(make_batch(8), 0.0)
        # MoCo's: queries, the images whose keys are made elsewhere, and the keys.
        assert seen == [8] * (3 if cls is MoCo else 2), cls
        seen.clear()
