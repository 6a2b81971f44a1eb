"""MSN's loss against loops over anchors and prototypes in float64, and against lightly's; which crops are whole, what has a gradient, the
teacher's steps, and mistakes that the comparisons must notice.

B images, V anchors, P projection, K prototypes.
"""

import copy
import math

import pytest
import torch

import methods.msn
from bench.compute.randomness import Draws, seeded
from bench.encoders.networks.vit import VisionTransformer
from bench.method import Batch
from bench.parts import sinkhorn
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, dot, from_lightly, mutate, random_batch, rows_of, unit

MSNLoss = from_lightly("loss", "MSNLoss")

SIZE, SIDE = 16, 8


def make(**hyper_parameters):
    """MSN on a narrow ViT, whose teacher is another network, in training mode."""
    with seeded("weights"):
        small = {"prototypes": 7, "hidden": 9, "projection": 5, "focal_views": 2, "focal_size": 0.5}
        data = DatasetInfo(num_images=64, image_size=SIZE)
        method = methods.msn.MSN(lambda: VisionTransformer(2, 12, 3, SIZE, SIZE // SIDE), data, **{**small, **hyper_parameters})
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return method.train()


def shares_of(row, prototypes, temperature):
    """The softmax over the cosines with all prototypes."""
    powers = [math.exp(dot(unit(row), unit(prototype)) / temperature) for prototype in prototypes]
    return [power / sum(powers) for power in powers]


def shared_out(shares, steps):
    """distributed_sinkhorn of the authors' src/losses.py: all of a prototype, then all of an image, in turn."""
    for _ in range(steps):
        columns = [sum(values) for values in zip(*shares, strict=True)]
        shares = [[value / column for value, column in zip(row, columns, strict=True)] for row in shares]
        shares = [[value / sum(row) for value in row] for row in shares]
    return shares


def loss_by_loops(anchors, targets, prototypes, temperature, sharpening, mean_entropy, steps):
    """init_msn_loss of src/losses.py, for anchors [V][B][P]."""
    sharp = []
    for row in targets:
        powers = [share ** (1 / sharpening) for share in shares_of(row, prototypes, temperature)]
        sharp.append([power / sum(powers) for power in powers])
    sharp = shared_out(sharp, steps)
    said = [[shares_of(row, prototypes, temperature) for row in view] for view in anchors]
    count = len(anchors) * len(targets)
    cross = -sum(
        target * math.log(share)
        for view in said
        for own, row in zip(sharp, view, strict=True)
        for target, share in zip(own, row, strict=True)
    )
    mean = [sum(row[k] for view in said for row in view) / count for k in range(len(prototypes))]
    return cross / count + mean_entropy * (math.log(len(mean)) + sum(share * math.log(share) for share in mean))


def expected(method, batch, **numbers):
    """From the outputs of the method's own networks: the second large crop without its highest draws, small crops in one call."""
    target, large, *small = batch.views
    draws = copy.deepcopy(batch).rand(SIDE * SIDE).tolist()
    keep = torch.tensor([sorted(range(SIDE * SIDE), key=row.__getitem__)[: method.kept] for row in draws])
    with torch.no_grad():
        views = [method.projector(method.encoder.tokens(large, keep=keep)[:, 0])]
        if small:
            views += method.projector(torch.cat([method.encoder.tokens(crop)[:, 0] for crop in small])).chunk(len(small))
        whole = method.teacher.network[1](method.teacher.network[0].tokens(target)[:, 0])
    return loss_by_loops([rows_of(view) for view in views], rows_of(whole), rows_of(method.prototypes), **numbers)


NUMBERS = {"temperature": 0.1, "sharpening": 0.25, "mean_entropy": 1.0}


def check_loss(count=6, steps=3, key=0, numbers=None, **hyper_parameters):
    numbers = NUMBERS | (numbers or {})
    method = make(sinkhorn_steps=steps, **numbers, **hyper_parameters)
    batch = random_batch(method, count, SIZE, key)
    wanted = expected(method, batch, steps=steps, **numbers)
    close(method.loss(batch, 0.3), wanted)


CASES = [
    {},
    {"count": 2, "steps": 0},
    {"steps": 1, "focal_views": 0, "patch_drop": 0.7},
    {"numbers": {"temperature": 0.3, "sharpening": 0.5, "mean_entropy": 2.5}, "focal_views": 1},
    {"numbers": {"mean_entropy": 0.0}, "patch_drop": 0.0},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_authors(case):
    check_loss(**case)


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_loss_and_gradients_are_lightlys(steps, weight):
    rows = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    targets, prototypes = (torch.randn(n, 5, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in (6, 7))
    theirs = MSNLoss(0.1, steps, weight)(rows.flatten(0, 1), targets, prototypes, 0.25)
    sharp = methods.msn.log_shares(targets, prototypes, 0.025)
    sharp = sinkhorn(sharp, 1.0, steps) if steps else sharp.exp()
    ours = methods.msn.masked_siamese(methods.msn.log_shares(rows, prototypes, 0.1), sharp, weight)
    close(ours, theirs.item())
    torch.testing.assert_close(*(torch.autograd.grad(each, rows)[0] for each in (ours, theirs)))


def check_gradients():
    """Where nothing else takes the targets' gradient away: as of a loss whose targets are numbers."""
    method = make(sinkhorn_steps=0)
    method.loss(random_batch(method, 6, SIZE), 0.0).backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    own = [*method.encoder.parameters(), *method.projector.parameters(), method.prototypes]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in own)
    found = method.prototypes.grad.clone()
    method.zero_grad()
    batch = random_batch(method, 6, SIZE)
    targets = methods.msn.log_shares(method.teacher(batch.views[0]), method.prototypes, 0.025).exp().detach()
    anchors = methods.msn.log_shares(method.anchors(batch), method.prototypes, 0.1)
    methods.msn.masked_siamese(anchors, targets, 1.0).backward()
    torch.testing.assert_close(found, method.prototypes.grad)


def test_targets_are_constants():
    check_gradients()


def check_step():
    """momentum_scheduler of the authors' src/msn_train.py: along a line."""
    method = make(momentum=0.9, momentum_end=0.98)
    check_follows(method, method.followed(), 0.25, 0.92)


def test_the_teacher_follows_along_a_line():
    check_step()


def test_the_anchor_lacks_patches_and_the_target_has_all(monkeypatch):
    method = make(patch_drop=0.7)
    kept, tokens = [], method.encoder.tokens
    monkeypatch.setattr(method.encoder, "tokens", lambda images, keep=None: (kept.append((len(images), keep)), tokens(images, keep))[1])
    method.loss(random_batch(method, 6, SIZE), 0.0)
    (_, keep), (together, none) = kept
    assert keep.shape == (6, 19) and together == 12 and none is None
    assert all(len(set(row)) == 19 for row in keep.tolist()) and len({tuple(sorted(row)) for row in keep.tolist()}) == 6


def test_the_teachers_class_token_is_evaluated():
    method, images = make().eval(), random_batch(make(), 3, SIZE).views[0]
    assert torch.equal(method.encode(images), method.teacher.network[0].tokens(images)[:, 0])
    assert torch.equal(method.project(images), method.teacher.network[1](method.encode(images)))
    assert torch.equal(method.encode_also()["student"](images), method.encoder(images))


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = Batch(tuple(view.double() for view in batch.views), batch.index, Draws("test", 0, total=4))
    assert method.loss(batch, 0.0).dtype == torch.float64


def test_an_anchor_without_patches_is_refused():
    with pytest.raises(ValueError, match=r"patch_drop=0.99 leaves none of 64 patches"):
        make(patch_drop=0.99)


MISTAKES = [
    ("F.normalize(rows, dim=-1)", "rows", check_loss),
    ("F.normalize(prototypes, dim=1)", "prototypes", check_loss),
    ("math.log(anchors.shape[-1]) - ", "", check_loss),
    ("anchors.exp().mean((0, 1))", "anchors.exp().mean(1)", check_loss),
    ("anchors.exp().mean((0, 1))", "targets.mean(0)", check_loss),
    ("mean_entropy * unevenness", "unevenness", lambda: check_loss(numbers={"mean_entropy": 0.3})),
    (".sum(-1).mean() + mean_entropy", ".mean() + mean_entropy", check_loss),
    ("self.temperature * self.sharpening", "self.temperature", check_loss),
    ("sinkhorn(targets, 1.0, self.sinkhorn_steps) if self.sinkhorn_steps else targets.exp()", "targets.exp()", check_loss),
    ("self.teacher(batch.views[0])", "self.teacher(batch.views[1])", check_loss),
    ("self.teacher(batch.views[0])", "self.projector(self.encoder(batch.views[0]))", check_loss),
    ("tokens(large, keep=keep)", "tokens(large)", check_loss),
    ("self.patches).argsort(1)", "self.patches).argsort(1, descending=True)", check_loss),
    ("with torch.no_grad():\n            whole", "if True:\n            whole", check_gradients),
    ("momentum_at = staticmethod(along_line)", "", check_step),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.msn, right, wrong)
    with pytest.raises(AssertionError):
        check()
