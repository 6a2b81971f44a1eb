"""SwAV's loss, Sinkhorn's algorithm and the queue against loops from the paper's formulas in float64, and against lightly's.

The loops share no code with the method. A comparison that cannot fail says nothing, so one deliberate mistake after the other
is written into a copy of the method's source, and the comparison must then fail.
"""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

import methods.swav
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch
from bench.parts import losses
from bench.parts.clusters import sinkhorn
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, agree, dot, from_lightly, mutate, random_batch, unit

SIZE = 16
SMALL = {"prototypes": 7, "hidden": 12, "projection": 5, "queue": 8, "queue_from": 0.5, "frozen": 0.25}


def make(encoder="resnet8", local_crops=2, filled=0, size=SIZE, **hyper_parameters):
    """SwAV on a narrow encoder in training mode, with `filled` features in each queue."""
    make_encoder, data = factory(encoder, size), DatasetInfo(num_images=64, image_size=size)
    with seeded("weights", encoder):
        method = methods.swav.SwAV(lambda: make_encoder(width=0.25), data, local_crops=local_crops, **{**SMALL, **hyper_parameters})
        for queue in method.queues if filled else ():
            queue.enqueue(F.normalize(torch.randn(filled, queue.rows.shape[1]), dim=1))
    return method.train()


def cosines(rows, prototypes):
    return [[dot(row, other) for other in prototypes] for row in rows]


def features_by_loops(method, groups):
    """Unit rows, V lists of B lists of P numbers. groups: crops of one size each."""
    with torch.no_grad():
        rows = method.projector(torch.cat([method.encoder(torch.cat(crops)) for crops in groups])).double().tolist()
    count = len(groups[0][0])
    return [[unit(row) for row in rows[start : start + count]] for start in range(0, len(rows), count)]


def sinkhorn_by_loops(scores, epsilon, iterations):
    """Section 3.1: Q = Diag(u) exp(scores / epsilon) Diag(v), every prototype's total 1 / K and every image's 1 / B in turn; times B."""
    images, prototypes = range(len(scores)), range(len(scores[0]))
    q = [[math.exp(value / epsilon) for value in row] for row in scores]
    for _ in range(iterations):
        for k in prototypes:
            total = sum(q[b][k] for b in images)
            for b in images:
                q[b][k] /= total * len(prototypes)
        for b in images:
            total = sum(q[b])
            for k in prototypes:
                q[b][k] /= total * len(images)
    return [[value * len(images) for value in row] for row in q]


def log_softmax(row):
    highest = max(row)
    log_total = highest + math.log(sum(math.exp(value - highest) for value in row))
    return [value - log_total for value in row]


def loss_by_loops(crops, prototypes, queues, epsilon, iterations, temperature):
    """Equation 6 of the paper as a mean: for both large crops i, the cross-entropy of eq. 2 of every other crop with i's assignment."""
    terms = []
    for number, queue in enumerate(queues):
        scores = cosines(crops[number], prototypes) + cosines(queue, prototypes)
        assigned = sinkhorn_by_loops(scores, epsilon, iterations)
        for other, rows in enumerate(crops):
            if other == number:
                continue
            for image, row in enumerate(cosines(rows, prototypes)):
                predicted = log_softmax([value / temperature for value in row])
                terms.append(-sum(q * p for q, p in zip(assigned[image], predicted, strict=True)))
    return sum(terms) / len(terms)


def loss_case(count=3, progress=0.6, encoder="resnet8", local_crops=2, filled=5, key=0, epsilon=0.1, iterations=3, temperature=0.2):
    """-> the method's loss and the reference's."""
    method = make(encoder, local_crops, filled, epsilon=epsilon, iterations=iterations, temperature=temperature)
    batch, twin = random_batch(method, count, SIZE, key=key), copy.deepcopy(method)
    large, small = batch.views[:2], batch.views[2:]
    crops = features_by_loops(twin, [large, small] if small else [large])
    prototypes = [unit(row) for row in method.prototypes.weight.double().tolist()]
    queues = [queue.rows.double().tolist()[:filled] if progress >= SMALL["queue_from"] else [] for queue in method.queues]
    return method.loss(batch, progress).item(), loss_by_loops(crops, prototypes, queues, epsilon, iterations, temperature)


@pytest.mark.parametrize("encoder", ["resnet8", "vit_micro"])
@pytest.mark.parametrize(
    ("count", "local_crops", "progress", "filled", "epsilon", "iterations", "temperature"),
    [
        (2, 0, 0.0, 0, 0.05, 3, 0.1),
        (2, 1, 0.3, 8, 0.05, 3, 0.1),
        (3, 2, 0.5, 5, 0.1, 1, 0.2),
        (4, 6, 0.9, 8, 0.03, 5, 0.5),
        (3, 2, 1.0, 0, 0.05, 3, 0.1),
    ],
)
def test_the_loss_is_the_papers_formula(encoder, count, local_crops, progress, filled, epsilon, iterations, temperature):
    assert agree(loss_case(count, progress, encoder, local_crops, filled, count, epsilon, iterations, temperature))


MISTAKES = {
    "pairs of a crop with itself": ("torch.cat([predicted[:own], predicted[own + 1 :]])", "predicted", losses),
    "pairs of a crop with itself only": ("torch.cat([predicted[:own], predicted[own + 1 :]])", "predicted[own : own + 1]", losses),
    "temperature ignored": ("(scores / temperature)", "(scores / 0.1)", losses),
    "softmax over the batch": ("(scores / temperature).log_softmax(-1)", "(scores / temperature).log_softmax(1)", losses),
    "sum over the images": ("* scores.shape[1])", ")", losses),
    "features not of unit length": ("F.normalize(upcast(rows), dim=1).unflatten", "upcast(rows).unflatten"),
    "prototypes not of unit length": ("        self.normalise_prototypes()\n        # The", "        # The"),
    "crops of an image torn apart": (".unflatten(0, (len(crops), -1))", ".unflatten(0, (-1, len(crops))).transpose(0, 1)"),
    "the queue's assignments": ("[: len(new)]", "[-len(new) :]"),
    "the queue is never used": ("if progress >= self.queue_from", "if False"),
    "empty places take part": ('.masked_fill(queue.empty[:, None], float("-inf"))', ""),
    "one queue for both crops": ("zip(rows, self.queues, strict=True)", "zip(rows, [self.queues[0]] * 2, strict=True)"),
    "epsilon ignored": ("sinkhorn(scores, self.epsilon,", "sinkhorn(scores, 0.05,"),
    "iterations ignored": ("self.epsilon, self.iterations)", "self.epsilon, 2)"),
    "assignment by softmax": ("sinkhorn(scores, self.epsilon, self.iterations)", "(scores / self.epsilon).softmax(-1)"),
    "crops are not swapped": ("return torch.stack(targets)", "return torch.stack(targets[::-1])"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.swav, *MISTAKES[mistake])
    assert not agree(loss_case())


def cosine_scores(rows, prototypes, key=0):
    source = Draws("scores", key, total=rows)
    return 2 * source.rand(prototypes) - 1


@pytest.mark.parametrize(
    ("rows", "prototypes", "epsilon", "iterations"), [(1, 1, 0.05, 1), (6, 4, 0.05, 3), (4, 9, 0.03, 2), (16, 5, 0.5, 10)]
)
def test_sinkhorn_is_the_papers_and_lightlys(rows, prototypes, epsilon, iterations):
    theirs = from_lightly("loss.swav_loss", "sinkhorn")
    scores = cosine_scores(rows, prototypes)
    found = sinkhorn(scores, epsilon, iterations)
    assert found.dtype == torch.float32 and found.shape == scores.shape
    torch.testing.assert_close(found.sum(1), torch.ones(rows), rtol=0, atol=TOLERANCE)
    by_loops = torch.tensor(sinkhorn_by_loops(scores.double().tolist(), epsilon, iterations))
    torch.testing.assert_close(found, by_loops, rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(found, theirs(scores, iterations, epsilon), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(("rows", "prototypes", "epsilon"), [(12, 5, 0.5), (5, 12, 0.5), (30, 7, 0.2)])
def test_after_many_iterations_prototypes_are_used_evenly(rows, prototypes, epsilon):
    scores = cosine_scores(rows, prototypes)
    few, many = sinkhorn(scores, epsilon, 1), sinkhorn(scores, epsilon, 500)
    even = torch.full((prototypes,), rows / prototypes)
    torch.testing.assert_close(many.sum(0), even, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(many.sum(1), torch.ones(rows), rtol=0, atol=TOLERANCE)
    assert (few.sum(0) - even).abs().max() > 1e-2


def test_sinkhorn_is_safe_in_float32_and_exact_in_float64():
    scores = cosine_scores(8, 5)
    expected = sinkhorn(scores.double(), 0.05, 3)
    assert expected.dtype == torch.float64
    # Any number may be added to all scores, or to all of one prototype.
    for shift in (1e3, -1e3, torch.tensor([0.0, 500.0, -500.0, 64.0, 0.0])):
        torch.testing.assert_close(sinkhorn(scores + shift, 0.05, 3).double(), expected, rtol=0, atol=5e-3)  # a score of 1e3 has 4 decimals
        torch.testing.assert_close(sinkhorn(scores.double() + shift, 0.05, 3), expected, rtol=0, atol=1e-9)
    # The widest that cosines can be apart, at the smallest epsilon that is allowed.
    extreme = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    torch.testing.assert_close(sinkhorn(extreme, methods.swav.SMALLEST_EPSILON, 3).sum(1), torch.ones(4), rtol=0, atol=TOLERANCE)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(sinkhorn(scores, 0.05, 3), sinkhorn(scores, 0.05, 3)) and sinkhorn(scores, 0.05, 3).dtype == torch.float32
    assert not sinkhorn(scores.requires_grad_(), 0.05, 3).requires_grad


def test_a_row_that_takes_no_part_changes_no_other():
    scores = cosine_scores(6, 4)
    more = torch.cat([scores[:3], torch.full((2, 4), float("-inf")), scores[3:]])
    found = sinkhorn(more, 0.05, 3)
    torch.testing.assert_close(found[[0, 1, 2, 5, 6, 7]], sinkhorn(scores, 0.05, 3), rtol=TOLERANCE, atol=TOLERANCE)
    assert torch.equal(found[3:5], torch.zeros(2, 4))


@pytest.mark.parametrize(("views", "queue"), [(2, 0), (2, 6), (5, 0), (8, 9)])
def test_the_loss_equals_lightlys(views, queue):
    SwaVLoss = from_lightly("loss", "SwaVLoss")
    method = make(local_crops=views - 2, filled=queue, queue=max(queue, 8), queue_from=0.0, temperature=0.1, epsilon=0.05)
    rows = F.normalize(Draws("lightly", views, total=views).randn(4, 5), dim=2)
    scores = rows @ method.prototypes.weight.detach().T
    old = [each.rows[:queue] @ method.prototypes.weight.detach().T for each in method.queues] if queue else None
    theirs = SwaVLoss(temperature=0.1, sinkhorn_iterations=3, sinkhorn_epsilon=0.05)(list(scores[:2]), list(scores[2:]), old)
    ours = losses.cross_view_loss(scores, method.assign(list(rows[:2]), 0.5), 0.1)
    assert ours.item() == pytest.approx(theirs.item(), rel=TOLERANCE)


def test_the_queue_switches_on_at_its_phase(monkeypatch):
    assigned = []

    def spy(scores, *rest):
        assigned.append(tuple(scores.shape))
        return sinkhorn(scores, *rest)

    monkeypatch.setattr(methods.swav, "sinkhorn", spy)
    method = make(filled=8)
    assert method.phases == (0.25, 0.5)
    for progress, rows in ((0.0, 3), (0.499, 3), (0.5, 11), (0.9, 11)):
        assigned.clear()
        method.loss(random_batch(method, 3, SIZE), progress)
        assert assigned == [(rows, 7), (rows, 7)]
    without = make(queue=0)
    assert without.phases == (0.25,) and make(queue_from=0.0, frozen=0.0).phases == ()
    assigned.clear()
    without.loss(random_batch(without, 3, SIZE), 0.9)
    without.after_step(0.9)
    assert assigned == [(3, 7), (3, 7)]


def test_the_queue_takes_both_large_crops_features_after_the_step():
    method = make(filled=0)
    before = copy.deepcopy(method.state_dict())
    batches = [random_batch(method, 3, SIZE, key=key) for key in range(4)]
    expected = [[], []]
    for number, batch in enumerate(batches):
        rows = features_by_loops(copy.deepcopy(method), [batch.views[:2], batch.views[2:]])
        method.loss(batch, 0.6)
        if not number:
            assert all(
                torch.equal(value, before[name])
                for name, value in method.state_dict().items()
                if "running" not in name and "num_b" not in name
            )
        method.after_step(0.6)
        assert method.new_rows is None
        for queue, kept, new in zip(method.queues, expected, rows[:2], strict=True):
            kept += new
            held = sorted(row for row in queue.rows.tolist() if any(row))
            torch.testing.assert_close(torch.tensor(held), torch.tensor(sorted(kept[-8:])), rtol=0, atol=TOLERANCE)
    too_many = random_batch(method, 9, SIZE)
    method.loss(too_many, 0.6)
    with pytest.raises(ValueError, match="a queue of 8 rows cannot take 9"):
        method.after_step(0.6)


def test_prototypes_have_unit_length_and_are_frozen_before_their_phase():
    method = make()
    for progress, frozen in ((0.0, True), (0.249, True), (0.25, False), (0.9, False)):
        torch.testing.assert_close(method.prototypes.weight.norm(dim=1), torch.ones(7))
        method.zero_grad(set_to_none=True)
        method.loss(random_batch(method, 3, SIZE), progress).backward()
        assert (method.prototypes.weight.grad is None) == frozen
        assert all(p.grad is not None for p in (*method.encoder.parameters(), *method.projector.parameters()))
        with torch.no_grad():
            method.prototypes.weight.mul_(3).add_(0.1)
        method.after_step(progress)


def test_crops_of_one_size_share_an_encoder_call():
    method, calls = make(local_crops=3), []
    method.encoder.register_forward_hook(lambda module, inputs, output: calls.append(tuple(inputs[0].shape[::2])))
    method.projector.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method.loss(random_batch(method, 2, SIZE), 0.0)
    assert calls == [(4, SIZE), (6, round(0.43 * SIZE)), 10]


@pytest.mark.parametrize("size", [28, 32, 64, 96, 224])
def test_small_crops_are_whole_patches(size):
    with torch.device("meta"):
        make_encoder, data = factory("vit_micro", size), DatasetInfo(num_images=64, image_size=size)
        method = methods.swav.SwAV(make_encoder, data)
    pixels = [view.pixels(data) for view in method.views]
    assert pixels[0] == size and [view.count for view in method.views] == [2, 6]
    assert pixels[1] % method.encoder.patch_size == 0 and abs(pixels[1] - 0.43 * size) <= method.encoder.patch_size / 2


def test_everything_is_float64_in_a_float64_run():
    method = make(filled=5).double()
    batch = random_batch(method, 3, SIZE)
    batch = Batch(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.6).dtype == torch.float64 and method.new_rows[0].dtype == torch.float64
    method.after_step(0.6)
    assert method.queues[0].rows.dtype == torch.float64
