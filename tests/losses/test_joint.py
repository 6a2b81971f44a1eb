"""SimSiam, Barlow Twins, VICReg and NNCLR: each loss against loops over images and dimensions, written from the paper's formula in
float64 and sharing no code with the method; against lightly's; gradients, state and recipes; mistakes that the comparisons must notice.

B images, P projection, Q past embeddings.
"""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

import methods.barlow_twins
import methods.nnclr
import methods.simsiam
import methods.vicreg
from bench.spec import DatasetInfo, Group
from bench.training.optim import build_optimizer, set_progress
from loss_cases import TOLERANCE, close, dot, from_lightly, make_encoder, mutate, random_batch, rows_of, unit

BarlowTwinsLoss = from_lightly("loss", "BarlowTwinsLoss")
NegativeCosineSimilarity = from_lightly("loss", "NegativeCosineSimilarity")
VICRegLoss = from_lightly("loss", "VICRegLoss")
NNMemoryBankModule = from_lightly("models.modules", "NNMemoryBankModule")

SIZE = 8
DATA = DatasetInfo(num_images=64, image_size=SIZE)
SMALL = {
    methods.simsiam: {"projection": 6, "hidden": 4},
    methods.barlow_twins: {"projection": 5},
    methods.vicreg: {"projection": 5},
    methods.nnclr: {"projection": 5, "hidden": 7, "predictor_hidden": 6, "queue": 12},
}
"""Hyper-parameters that make heads and queues tiny."""


def make(module, seed=0, **hyper_parameters):
    """A tiny method in training mode; VICReg's dimensions vary by less than 1 and by more."""
    torch.manual_seed(seed)
    cls = next(value for value in vars(module).values() if isinstance(value, type) and getattr(value, "paper", ""))
    method = cls(make_encoder, DATA, **{**SMALL[module], **hyper_parameters}).train()
    if module is methods.vicreg:
        with torch.no_grad():
            method.projector[-1].weight.mul_(torch.linspace(0.2, 12, 5)[:, None])
    if module is methods.nnclr:
        method.queue.enqueue(F.normalize(torch.randn(min(3, len(method.queue.rows)), 5), dim=1))  # the other places are empty
    return method


# The papers' formulas, as loops.


def loop_simsiam(predictions, projections):
    """arXiv:2011.10566, eq. 1 and 4, for two views each."""
    total = 0.0
    for own, other in ((0, 1), (1, 0)):
        for prediction, projection in zip(rows_of(predictions[own]), rows_of(projections[other]), strict=True):
            total -= dot(unit(prediction), unit(projection)) / 2
    return total / len(predictions[0])


def columns(rows):
    return [list(column) for column in zip(*rows_of(rows), strict=True)]


def loop_barlow(first, second, off_diagonal):
    """arXiv:2103.03230, eq. 1 and 2; BatchNorm's epsilon in the denominators."""
    centred = [[[value - sum(column) / len(column) for value in column] for column in columns(rows)] for rows in (first, second)]
    count, total = len(first), 0.0
    for i, left in enumerate(centred[0]):
        for j, right in enumerate(centred[1]):
            lengths = [math.sqrt(sum(value * value for value in column) + count * 1e-5) for column in (left, right)]
            correlation = dot(left, right) / (lengths[0] * lengths[1])
            total += (1 - correlation) ** 2 if i == j else off_diagonal * correlation**2
    return total


def loop_vicreg(first, second, invariance, variance, decorrelation):
    """arXiv:2105.04906, eq. 1 to 6 and algorithm 1."""
    pairs = zip(rows_of(first), rows_of(second), strict=True)
    count, dims = first.shape
    total = invariance * sum((a - b) ** 2 for left, right in pairs for a, b in zip(left, right, strict=True)) / (count * dims)
    for rows in (first, second):
        centred = [[value - sum(column) / count for value in column] for column in columns(rows)]
        for i in range(dims):
            total += variance * max(0.0, 1 - math.sqrt(dot(centred[i], centred[i]) / (count - 1) + 1e-4)) / dims
            total += decorrelation * sum((dot(centred[i], centred[j]) / (count - 1)) ** 2 for j in range(dims) if j != i) / dims
    return total


def loop_nnclr(projections, predictions, queue, temperature):
    """arXiv:2104.14548: for each view, its neighbour in the queue against the other view's predictions of the batch."""
    support, total = [unit(row) for row in rows_of(queue) if any(row)], 0.0
    for own, other in ((0, 1), (1, 0)):
        candidates = [unit(row) for row in rows_of(predictions[other])]
        for place, row in enumerate(rows_of(projections[own])):
            neighbour = max(support or [unit(row)], key=lambda past, row=row: dot(past, row))
            scores = [math.exp(dot(neighbour, candidate) / temperature) for candidate in candidates]
            total -= math.log(scores[place] / sum(scores)) / 2
    return total / len(predictions[0])


def expected(module, method, batch):
    """What the loss must be, from the outputs of the method's own networks: one call for each view."""
    projections = [method.projector(method.encoder(images)) for images in batch.views]
    if module is methods.barlow_twins:
        return method.scale * loop_barlow(*projections, method.off_diagonal)
    if module is methods.vicreg:
        return loop_vicreg(*projections, *method.weights_of_terms)
    predictions = [method.predictor(rows) for rows in projections]
    if module is methods.simsiam:
        return loop_simsiam(predictions, projections)
    return loop_nnclr(projections, predictions, method.queue.rows, method.temperature)


def check_loss(module, size=8, key=0, **hyper_parameters):
    method = make(module, key, **hyper_parameters)
    batch = random_batch(method, size, SIZE, key)
    close(method.loss(batch, 0.0), expected(module, method, batch))


CHANGED = [
    (methods.simsiam, {"head_layers": 3}),
    (methods.simsiam, {"stop_gradient": False, "predictor": "none"}),
    (methods.simsiam, {"predictor": "fixed", "hidden_norm": False, "output_norm": False}),
    (methods.barlow_twins, {"off_diagonal": 0.5, "scale": 1.0}),
    (methods.vicreg, {"invariance": 2.0, "variance": 3.0, "decorrelation": 0.5}),
    (methods.nnclr, {"temperature": 0.5, "queue": 30}),
]


@pytest.mark.parametrize(("module", "hyper_parameters"), [*((module, {}) for module in SMALL), *CHANGED])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(module, hyper_parameters, size):
    check_loss(module, size, key=size, **hyper_parameters)


def grown(*shape, seed=0):
    """Random rows, float64, with columns of different means and spreads."""
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (rows * torch.linspace(0.3, 2, shape[1]) + torch.linspace(-1, 1, shape[1])).requires_grad_()


@pytest.mark.parametrize("size", [2, 5, 16])
@pytest.mark.parametrize("dims", [2, 9])
def test_losses_and_gradients_are_lightlys(size, dims):
    first, second = grown(size, dims), grown(size, dims, seed=1)
    pairs = (
        (methods.simsiam.negative_cosine(first, second), NegativeCosineSimilarity()(first, second.detach())),
        (methods.barlow_twins.redundancy(first, second, 0.02), BarlowTwinsLoss(0.02)(first, second)),
        # Its variance term is half of the paper's, as the authors' code's.
        (methods.vicreg.three_terms(first, second, 25.0, 12.5, 1.0), VICRegLoss()(first, second)),
    )
    for ours, theirs in pairs:
        close(ours, theirs.item())
        both = [torch.autograd.grad(loss, (first, second), allow_unused=True) for loss in (ours, theirs)]
        for own, other in zip(*both, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=TOLERANCE)


def test_neighbours_are_lightlys():
    bank = NNMemoryBankModule(size=(12, 5))
    queue, rows = (F.normalize(grown(count, 5, seed=count).detach().float(), dim=1) for count in (12, 7))
    bank.bank.copy_(queue)
    none = torch.zeros(12, dtype=torch.bool)
    torch.testing.assert_close(methods.nnclr.nearest(rows, queue, none), bank(rows))


def test_an_empty_place_is_nobodys_neighbour():
    rows, queue = (F.normalize(grown(count, 5, seed=count).detach().float(), dim=1) for count in (7, 12))
    rows[0] = queue[9]  # its nearest is in a place that is taken to be empty
    empty = torch.arange(12) >= 4
    assert torch.equal(methods.nnclr.nearest(rows, queue, empty), queue[(rows @ queue[:4].T).argmax(1)])
    assert torch.equal(methods.nnclr.nearest(-queue[:1], queue, empty | (torch.arange(12) > 0)), queue[:1]), "the only one, however far"
    assert torch.equal(methods.nnclr.nearest(rows, queue, empty | True), rows), "in the first step a view is its own"


def test_the_first_step_of_nnclr_finds_the_view_itself():
    method = make(methods.nnclr)
    method.queue.rows.zero_()
    batch = random_batch(method, 8, SIZE)
    close(method.loss(batch, 0.0), expected(methods.nnclr, method, batch))


# Gradients where something is a constant.


def gradient(method, loss):
    return torch.autograd.grad(loss, list(method.encoder.parameters()))


def check_gradients(module):
    """As of a loss whose targets are numbers, not networks."""
    method = make(module)
    batch = random_batch(method, 8, SIZE)
    found = gradient(method, method.loss(batch, 0.0))
    projections = [method.projector(method.encoder(images)) for images in batch.views]
    predictions = [F.normalize(method.predictor(rows), dim=1) for rows in projections]
    targets = [F.normalize(rows, dim=1).detach().clone() for rows in projections]
    if module is methods.nnclr:
        filled = method.queue.rows[~method.queue.empty]
        targets = [filled[(rows @ filled.T).argmax(1)] for rows in targets]
    total = 0.0
    for own, other in ((0, 1), (1, 0)):
        similarity = targets[own] @ predictions[other].T
        if module is methods.nnclr:
            total = total + F.cross_entropy(similarity / 0.1, torch.arange(8)) / 2
        else:
            total = total - similarity.diagonal().mean() / 2
    for own, other in zip(found, gradient(method, total), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=TOLERANCE)


@pytest.mark.parametrize("module", [methods.simsiam, methods.nnclr])
def test_targets_are_constants(module):
    check_gradients(module)


@pytest.mark.parametrize("predictor", ["mlp", "none"])
def test_a_gradient_that_is_not_stopped_goes_through_both_sides(predictor):
    """arXiv:2011.10566, eq. 1 and the case of figure 2. Without a predictor a stopped gradient is half of it (section 4.2)."""
    method = make(methods.simsiam, stop_gradient=False, predictor=predictor)
    stopped = make(methods.simsiam, predictor=predictor)
    batch = random_batch(method, 8, SIZE)
    found, half = (gradient(each, each.loss(batch, 0.0)) for each in (method, stopped))
    first, second = (F.normalize(method.project(images), dim=1) for images in batch.views)
    predicted = [F.normalize(method.predictor(method.project(images)), dim=1) for images in batch.views]
    expected = gradient(method, -((predicted[0] * second).sum(1).mean() + (predicted[1] * first).sum(1).mean()) / 2)
    for own, other, part in zip(found, expected, half, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=TOLERANCE)
        assert predictor == "mlp" or torch.allclose(2 * part, own, rtol=1e-3, atol=TOLERANCE)
        assert predictor == "none" or not torch.allclose(part, own, rtol=1e-3, atol=TOLERANCE)


# NNCLR's queue.


def check_queue():
    """Three steps of 5 with a queue of 12: it wraps around inside a batch, and holds the first view's embeddings."""
    method = make(methods.nnclr)
    kept, place = rows_of(method.queue.rows), int(method.queue.position)
    for key in range(3):
        batch = random_batch(method, 5, SIZE, key)
        rows = rows_of(method.projector(method.encoder(batch.views[0])))
        before = method.queue.rows.clone()
        method.loss(batch, 0.0)
        assert torch.equal(method.queue.rows, before), "the loss moves nothing"
        method.after_step(0.0)
        assert method.new_rows is None
        for row in rows:
            kept[place] = unit(row)
            place = (place + 1) % 12
        torch.testing.assert_close(method.queue.rows.double(), torch.tensor(kept, dtype=torch.float64), rtol=0, atol=TOLERANCE)


def test_the_queue_takes_the_first_views_embeddings():
    check_queue()
    method = make(methods.nnclr, queue=4)
    method.loss(random_batch(method, 5, SIZE), 0.0)
    with pytest.raises(ValueError, match="a queue of 4 rows cannot take 5"):
        method.after_step(0.0)


# Mistakes that must be noticed.

BOTH = "(__import__('torch').cat(batch.views))"
ONE_CALL = ("(self.project(images) for images in batch.views)", f"self.project{BOTH}.chunk(2)")
ONE_GATHERED_CALL = ("(gather(self.project(images)) for images in batch.views)", f"gather(self.project{BOTH}).chunk(2)")
MISTAKES = [
    (methods.simsiam, "return -F.cosine", "return F.cosine", check_loss),
    (methods.simsiam, "self.predictor(first), second,", "self.predictor(first), first,", check_loss),
    (methods.simsiam, "self.predictor(second), first,", "second, first,", check_loss),
    (methods.simsiam, "first, stop) / 2", "first, stop)", check_loss),
    (methods.simsiam, *ONE_CALL, check_loss),
    (methods.simsiam, "projections.detach() if", "projections if", check_gradients),
    (methods.barlow_twins, ".diagonal() - 1)", ".diagonal())", check_loss),
    (methods.barlow_twins, "off_diagonal * correlation", "correlation", check_loss),
    (methods.barlow_twins, "/ len(first)", "/ (len(first) - 1)", check_loss),
    (methods.barlow_twins, "return centred *", "return rows *", check_loss),
    (methods.barlow_twins, ".masked_fill(same, 0)", "", check_loss),
    (methods.barlow_twins, "standardised(second)", "standardised(first)", check_loss),
    (methods.barlow_twins, "self.scale * ", "", check_loss),
    (methods.barlow_twins, *ONE_GATHERED_CALL, check_loss),
    (methods.vicreg, "F.relu(1 - deviation)", "(1 - deviation)", check_loss),
    (methods.vicreg, "(len(centred) - 1) + 1e-4", "len(centred) + 1e-4", check_loss),
    (methods.vicreg, "+ 1e-4", "+ 1e-1", check_loss),
    (methods.vicreg, " - matrix.diagonal().square().sum()", "", check_loss),
    (methods.vicreg, ") / len(matrix)", ")", check_loss),
    (methods.vicreg, "rows - rows.mean(0)", "rows", check_loss),
    (methods.vicreg, "mse_loss(first, second)", "mse_loss(first, second, reduction='sum')", check_loss),
    (methods.vicreg, *ONE_GATHERED_CALL, check_loss),
    (methods.nnclr, ".argmax(1)", ".argmin(1)", check_loss),
    (methods.nnclr, "(first_neighbours, second,", "(first_neighbours, first,", check_loss),
    (methods.nnclr, "neighbours @ predictions.T", "predictions @ neighbours.T", check_loss),
    (methods.nnclr, " / temperature, target", ", target", check_loss),
    (methods.nnclr, "sum(losses) / 2", "sum(losses)", check_loss),
    (methods.nnclr, "self.predictor(rows)", "rows", check_loss),
    (methods.nnclr, "self.new_rows = first_rows", "self.new_rows = second_rows", check_queue),
]


@pytest.mark.parametrize(("module", "right", "wrong", "check"), MISTAKES, ids=[f"{m[0].__name__}: {m[1]}" for m in MISTAKES])
def test_mistakes_are_noticed(module, right, wrong, check, monkeypatch):
    mutate(monkeypatch, module, right, wrong)
    with pytest.raises(AssertionError):
        check() if check is check_queue else check(module)
    monkeypatch.undo()
    check() if check is check_queue else check(module)


# Heads and recipes.


def test_heads_end_as_the_papers():
    rows = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    projected = make(methods.simsiam).projector(rows)
    torch.testing.assert_close(projected.mean(0), torch.zeros(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(projected.var(0, unbiased=False), torch.ones(6), rtol=0, atol=1e-2)
    kinds = [type(layer).__name__ for layer in make(methods.nnclr).projector]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear", "BatchNorm1d"] and make(methods.nnclr).projector[-1].affine
    for module in (methods.barlow_twins, methods.vicreg):
        assert not [name for name, _ in make(module).projector.named_parameters() if name in ("0.bias", "3.bias", "6.bias")]


def test_simsiams_heads_without_what_the_paper_takes_away():
    def kinds(network):
        return [type(layer).__name__ for layer in network]

    whole = make(methods.simsiam)
    assert kinds(whole.projector) == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d"] and kinds(whole.predictor) == [
        "Linear",
        "BatchNorm1d",
        "ReLU",
        "Linear",
    ]
    bare = make(methods.simsiam, hidden_norm=False, output_norm=False)
    assert kinds(bare.projector) == kinds(bare.predictor) == ["Linear", "ReLU", "Linear"], "table 3a"
    assert all(layer.bias is not None for head in (bare.projector, bare.predictor) for layer in head if hasattr(layer, "bias"))
    assert kinds(make(methods.simsiam, output_norm=False).projector) == ["Linear", "BatchNorm1d", "ReLU", "Linear"], "table 3b"
    none, fixed = (make(methods.simsiam, predictor=kind) for kind in ("none", "fixed"))
    rows = torch.randn(4, 6)
    assert none.predictor(rows) is rows and none.recipe.groups == fixed.recipe.groups == ()
    trained = {name for group in build_optimizer(fixed, fixed.recipe).param_groups for name in group["names"]}
    assert trained == {name for name, _ in fixed.named_parameters() if not name.startswith("predictor.")}
    for name, parameter in fixed.named_parameters():
        assert torch.equal(parameter, whole.get_parameter(name)), "what is fixed starts as what is trained"


def test_simsiams_predictor_keeps_its_learning_rate():
    method = make(methods.simsiam)
    optimizer = build_optimizer(method, method.recipe)
    for progress, factor in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0)):
        set_progress(optimizer, method.recipe, progress)
        for group in optimizer.param_groups:
            assert len({name.startswith("predictor.") for name in group["names"]}) == 1
            assert group["lr"] == pytest.approx(0.03 * (1.0 if group["names"][0].startswith("predictor.") else factor))
            assert group["weight_decay"] == 5e-4


def test_barlow_twins_scale_is_a_learning_rate_of_biases():
    """Three steps: as with the whole loss and decay, where what has one dimension has 0.024 of the learning rate."""
    scaled = make(methods.barlow_twins).double()
    plain = make(methods.barlow_twins, scale=1.0).double()
    plain.load_state_dict(scaled.state_dict())
    start = copy.deepcopy(scaled.state_dict())
    slow = tuple(Group(name, lr_scale=0.024) for name, parameter in plain.named_parameters() if parameter.ndim == 1)
    recipes = scaled.recipe, type(plain.recipe)(**{**vars(plain.recipe), "groups": slow})
    for method, recipe in zip((scaled, plain), recipes, strict=True):
        optimizer = build_optimizer(method, recipe)
        for key in range(3):
            set_progress(optimizer, recipe, 0.5)
            batch = random_batch(method, 8, SIZE, key)
            batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
            optimizer.zero_grad()
            method.loss(batch, 0.5).backward()
            optimizer.step()
    for name, parameter in scaled.named_parameters():
        moved = (parameter - start[name]).abs().max()
        assert moved > 1e-6, name
        torch.testing.assert_close(parameter, plain.get_parameter(name), rtol=0, atol=1e-4 * moved.item())


@pytest.mark.parametrize("module", SMALL)
def test_everything_is_float64_in_a_float64_run(module):
    method = make(module).double()
    batch = random_batch(method, 4, SIZE)
    batch = type(batch)(tuple(view.double() for view in batch.views), batch.index, batch.draws)
    assert method.loss(batch, 0.5).dtype == torch.float64
    method.after_step(0.5)
