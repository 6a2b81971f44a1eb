"""All4One: the loss against loops over images, neighbours and dimensions, written from its authors' code in solo-learn in float64 (its
transformer as torch makes it, outside of the method); the queue as it fills; what has a gradient; mistakes that must be noticed.

B images, P projection, Q past embeddings, K neighbours.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.all4one
from bench.spec import DatasetInfo
from loss_cases import close, cross_entropy_of_one, dot, make_encoder, mutate, random_batch, rows_of, unit

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
SMALL = {"projection": 6, "hidden": 7, "predictor_hidden": 9, "heads": 2, "layers": 2, "queue": 16, "neighbours": 3}


def make(seed=0, filled=10, **hyper_parameters):
    """A tiny method in training mode, whose teacher is not its student; so many places of its queue hold a row."""
    torch.manual_seed(seed)
    method = methods.all4one.All4One(make_encoder, DATA, **{**SMALL, **hyper_parameters}).train()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        # Where it begins, a transformer's layers are equal and its biases are 0.
        for parameter in method.transformer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    if filled:
        method.queue.enqueue(F.normalize(torch.randn(filled, SMALL["projection"]), dim=1))
    return method


def loop_nearest(rows, queue, count):
    """[B][K][P]: sorted by the cosine; the nearest in the place of those that there are not."""
    found = []
    for row in rows:
        near = sorted(queue, key=lambda past: -dot(unit(row), past))[:count]
        found.append(near + [near[0]] * (count - len(near)))
    return found


def loop_wave(neighbour, dim, count):
    """The number that is added to a neighbour's dimension: one frequency for each two neighbours, of which one has the sine."""
    even = count if count % 2 == 0 else count + 1
    angle = dim / 10000 ** (2 * (neighbour // 2) / even)
    return math.sin(angle) if neighbour % 2 == 0 else math.cos(angle)


def loop_transformed(method, groups):
    """[B][K][P] of numbers -> [B][P]: the first of what comes out, of one image at a time."""
    count, results = len(groups[0]), []
    for group in groups:
        added = [[value + loop_wave(place, dim, count) for dim, value in enumerate(row)] for place, row in enumerate(group)]
        results.append(method.transformer(torch.tensor(added)[None])[0, 0].detach().double().tolist())
    return results


def loop_find(rows, others, temperature):
    rows, others = [[unit(row) for row in group] for group in (rows, others)]
    logits = [[dot(row, other) / temperature for other in others] for row in rows]
    return sum(cross_entropy_of_one(scores, place) for place, scores in enumerate(logits)) / len(rows)


def loop_features(pairs):
    """Of pairs of [B][P]: root mean squares of what is off one on the diagonals, and off zero elsewhere."""
    on, off, dims = 0.0, 0.0, len(pairs[0][0][0])
    for one, other in pairs:
        columns, others = [[unit(column) for column in zip(*rows, strict=True)] for rows in (one, other)]
        for i, column in enumerate(columns):
            for j, against in enumerate(others):
                square = (dot(column, against) - (i == j)) ** 2
                on, off = (on + square / dims, off) if i == j else (on, off + square / (dims * dims - dims))
    return 0.5 * math.sqrt(on / 2) + 0.5 * math.sqrt(off / 2)


def expected(method, batch):
    """What the loss must be, from the outputs of the method's own networks: one call for each view."""
    rows = [method.projector(method.encoder(images)) for images in batch.views]
    predictions = [rows_of(method.predictor(each)) for each in rows]
    centroid_predictions = [rows_of(method.centroid_predictor(each)) for each in rows]
    rows = [rows_of(each) for each in rows]
    targets = [[unit(row) for row in rows_of(method.teacher.network(images))] for images in batch.views]
    queue = [row for row in rows_of(method.queue.rows) if any(row)]
    if queue:
        near = [loop_nearest(each, queue, method.count) for each in targets]
    else:
        near = [[[row] * method.count for row in each] for each in targets]
    moved = [
        [[own, *few[:-1]] for own, few in zip(each, group, strict=True)] for each, group in zip(centroid_predictions, near, strict=True)
    ]
    asked, said = ([loop_transformed(method, group) for group in several] for several in (near, moved))
    nearest = [[few[0] for few in group] for group in near]
    neighbour = sum(loop_find(nearest[own], predictions[1 - own], method.temperature) for own in (0, 1)) / 2
    centroid = sum(loop_find(asked[own], said[1 - own], method.centroid_temperature) for own in (0, 1)) / 2
    terms = neighbour, centroid, loop_features([(targets[0], rows[1]), (targets[1], rows[0])])
    return dot(method.weights_of_terms, terms)


def check_loss(size=8, filled=10, **hyper_parameters):
    method = make(size, filled, **hyper_parameters)
    batch = random_batch(method, size, SIZE, size)
    close(method.loss(batch, 0.0), expected(method, batch))


CHANGED = [{}, {"neighbours": 5}, {"temperature": 0.5, "centroid_temperature": 0.3}, {"neighbour": 2.0, "centroid": 0.0}, {"feature": 0.0}]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
@pytest.mark.parametrize(("size", "filled"), [(2, 0), (3, 2), (8, 10)])
def test_the_loss_is_the_authors(size, filled, changed):
    """With an empty queue, with fewer embeddings than neighbours, and with more."""
    check_loss(size, filled, **changed)


def test_the_first_views_targets_are_enqueued():
    method = make(filled=0)
    batch = random_batch(method, 6, SIZE)
    targets = F.normalize(method.teacher(batch.views[0]), dim=1)
    method.loss(batch, 0.0)
    method.after_step(0.0)
    torch.testing.assert_close(method.queue.rows[:6], targets)
    assert method.queue.empty.sum() == 10 and method.new_rows is None


def test_teacher_and_neighbours_are_constants():
    method = make()
    loss = method.loss(random_batch(method, 6, SIZE), 0.0)
    loss.backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    for part in (method.encoder, method.projector, method.predictor, method.centroid_predictor, method.transformer):
        assert all(parameter.grad.isfinite().all() for parameter in part.parameters())
        assert any(parameter.grad.any() for parameter in part.parameters())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"projection": 12, "heads": 8}, "projection = 12 does not split into 8 heads; expected a multiple of 8"),
        ({"neighbours": 17}, "17 neighbours among a queue of 16; expected 16 neighbours or fewer"),
    ],
)
def test_what_does_not_fit_is_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        make(**settings)


MISTAKES = [
    ("places[:, :1], places)", "places, places)", lambda: check_loss(3, 1)),
    (".topk(count, dim=1)", ".topk(count, dim=1, largest=False)", check_loss),
    ("few[:, :-1]], 1)", "few[:, 1:]], 1)", check_loss),
    ("self.transformer(rows + self.waves)", "self.transformer(rows)", check_loss),
    ("(number - number % 2) / (count + count % 2)", "number / count", check_loss),
    ("said[1 - own]", "said[own]", check_loss),
    ("predictions[1 - own]", "predictions[own]", check_loss),
    ("pairs = (first_target, second), (second_target, first)", "pairs = (first_target, first), (second_target, second)", check_loss),
    ("F.normalize(one, dim=0).T @ F.normalize(other, dim=0)", "F.normalize(one, dim=1).T @ F.normalize(other, dim=1)", check_loss),
    ("apart.sqrt()) / 2", "apart.sqrt())", check_loss),
    ("self.centroid_predictor(each)[:, None]", "self.predictor(each)[:, None]", check_loss),
    ("self.new_rows = targets[0]", "self.new_rows = targets[1]", test_the_first_views_targets_are_enqueued),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.all4one, right, wrong)
    with pytest.raises(AssertionError):
        check()
    monkeypatch.undo()
    check()
