"""DINOv2's loss against loops over crops, patches and outputs in float64, its KoLeo against lightly's; which head sees what, what has a
gradient, and mistakes that the comparisons must notice.

B images, V crops, L patches of a large crop, K outputs.
"""

import copy
import math

import pytest
import torch

import methods.dinov2
from bench.compute.randomness import Draws, seeded
from bench.encoders.networks.vit import VisionTransformer
from bench.method import Batch
from bench.parts import block_mask, distillation, sinkhorn
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, from_lightly, mutate, random_batch, rows_of, unit

SIZE, SIDE = 16, 8


def make(**hyper_parameters):
    """DINOv2 on a narrow ViT, whose teacher is another network, in training mode."""
    with seeded("weights"):
        small = {"outputs": 7, "hidden": 9, "bottleneck": 5, "local_crops": 2}
        data = DatasetInfo(num_images=64, image_size=SIZE)
        method = methods.dinov2.DINOv2(lambda: VisionTransformer(2, 12, 3, SIZE, SIZE // SIDE), data, **{**small, **hyper_parameters})
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))  # at their start class tokens are nearly one
    return method.train()


def shared_out(scores, temperature, steps=3):
    """sinkhorn_knopp_teacher of dinov2/loss/dino_clstoken_loss.py: all of a prototype 1 / K, then all of a row 1 / B, in turn; times B."""
    shares = [[math.exp(value / temperature) for value in row] for row in scores]
    for _ in range(steps):
        columns = [sum(values) for values in zip(*shares, strict=True)]
        shares = [[value / column / len(row) for value, column in zip(row, columns, strict=True)] for row in shares]
        shares = [[value / sum(row) / len(shares) for value in row] for row in shares]
    return [[value * len(shares) for value in row] for row in shares]


def cross_entropy(target, scores, temperature):
    """Of one row of targets and one of the student's scores."""
    highest = max(scores) / temperature
    total = highest + math.log(sum(math.exp(value / temperature - highest) for value in scores))
    return sum(share * (total - value / temperature) for share, value in zip(target, scores, strict=True))


def koleo_by_loops(rows):
    """KoLeoLoss of dinov2/loss/koleo_loss.py, of [B][D]."""
    rows, terms = [unit(row) for row in rows], []
    for own, row in enumerate(rows):
        distances = [math.dist(row, other) for number, other in enumerate(rows) if number != own]
        terms.append(-math.log(min(distances)))
    return sum(terms) / len(terms)


def loss_by_loops(method, batch, temperature):
    """forward_backward of dinov2/train/ssl_meta_arch.py, with the means that its scales come to."""
    draws = copy.deepcopy(batch)
    hidden = [method.draw_hidden(draws) for _ in range(2)]
    student, teacher, heat = method.student, method.teacher.network, method.student_temperature
    with torch.no_grad():
        own = [
            student.encoder.tokens(view, replace=mask, mask_token=method.mask_token)
            for view, mask in zip(batch.views, hidden, strict=False)
        ]
        other = [teacher.encoder.tokens(view) for view in batch.views[:2]]
        small = [rows_of(student.head(student.encoder.tokens(view)[:, 0])) for view in batch.views[2:]]
        classes = [rows_of(student.head(rows[:, 0])) for rows in own]
        targets = shared_out([row for rows in other for row in rows_of(teacher.head(rows[:, 0]))], temperature, method.sinkhorn_steps)
        targets = [targets[: len(targets) // 2], targets[len(targets) // 2 :]]
        patches = [rows_of(student.patch_head(rows[:, 1:])) for rows in own]
        said = [rows_of(teacher.patch_head(rows[:, 1:])) for rows in other]
    # Local crops with both large ones, large ones with each other.
    pairs = [(target, crop) for crop in small for target in targets] + [(targets[1], classes[0]), (targets[0], classes[1])]
    each = [cross_entropy(*rows, heat) for pair in pairs for rows in zip(*pair, strict=True)]
    total = method.class_weight * sum(each) / len(each)
    places = [
        (crop, image, place)
        for crop in range(2)
        for image, mask in enumerate(hidden[crop].tolist())
        for place, is_hidden in enumerate(mask)
        if is_hidden
    ]
    shares = shared_out([said[crop][image][place] for crop, image, place in places], temperature, method.sinkhorn_steps)
    for (crop, image, place), share in zip(places, shares, strict=True):
        weight = 1 / int(hidden[crop][image].sum())  # masks_weight of dinov2/data/collate.py
        total += method.patch_weight * weight * cross_entropy(share, patches[crop][image][place], heat) / (2 * len(batch.index))
    return total + method.koleo_weight * sum(koleo_by_loops(rows_of(rows[:, 0])) for rows in own)


def check_loss(count=4, progress=0.15, key=0, **hyper_parameters):
    method = make(**hyper_parameters)
    batch = random_batch(method, count, SIZE, key)
    wanted = loss_by_loops(method, batch, 0.04 + 0.03 * min(1, progress / 0.3))
    close(method.loss(batch, progress), wanted)


CASES = [
    {},
    {"count": 2, "progress": 0.0, "mask_probability": 1.0, "key": 3, "sinkhorn_steps": 1},
    {"progress": 0.7, "local_crops": 0, "class_weight": 0.3, "patch_weight": 2.5, "koleo_weight": 1.3},
    {"mask_probability": 0.0, "local_crops": 1, "koleo_weight": 0.0},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_authors(case):
    check_loss(**case)


@pytest.mark.parametrize(("side", "least"), [(8, 4), (16, 4)])
def test_a_rectangle_of_hidden_patches_has_at_least_as_many_as_the_authors(side, least):
    """min_num_patches of dinov2/data/masking.py."""
    data = DatasetInfo(num_images=64, image_size=2 * side)
    method, draws = methods.dinov2.DINOv2(lambda: VisionTransformer(1, 12, 3, 2 * side, 2), data), Draws("masks", side, total=64)
    twin = copy.deepcopy(draws)
    chosen, part = twin.rand() < 0.5, 0.1 + 0.4 * twin.rand()
    expected = block_mask(twin, side, (torch.where(chosen, part, 0.0) * side**2).floor(), least)
    assert torch.equal(method.draw_hidden(draws), expected)


def test_koleo_and_its_gradient_are_lightlys():
    rows = torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    ours, theirs = methods.dinov2.koleo(rows), from_lightly("loss", "KoLeoLoss")()(rows)
    close(ours, theirs.item())
    torch.testing.assert_close(*(torch.autograd.grad(each, rows)[0] for each in (ours, theirs)))


def test_equal_features_have_a_finite_koleo_and_gradient():
    rows = torch.ones(4, 5, requires_grad=True)
    loss = methods.dinov2.koleo(rows)
    loss.backward()
    assert loss.item() > 15 and rows.grad.isfinite().all()


def test_rows_of_which_none_takes_part_have_no_share():
    nobody = torch.full((3, 4), float("-inf"))
    assert torch.equal(sinkhorn(nobody, 0.05, 3), torch.zeros(3, 4))


def check_gradients():
    """Each head, the mask token, and nothing of the teacher; the last layers from their phase on."""
    method = make(frozen=0.5, mask_probability=1.0)
    assert method.phases == (0.3, 0.5)
    heads = method.student.head, method.student.patch_head
    for progress, frozen in ((0.499, True), (0.5, False)):
        method.zero_grad(set_to_none=True)
        method.loss(random_batch(method, 4, SIZE), progress).backward()
        assert all((head.last.weight.grad is None) == frozen for head in heads)
        own = [method.mask_token, *method.student.encoder.parameters(), *(value for head in heads for value in head.mlp.parameters())]
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in own)
        assert all(parameter.grad is None for parameter in method.teacher.parameters())


def test_every_part_has_a_gradient_and_the_last_layers_from_their_phase_on():
    check_gradients()


def test_the_teacher_follows_encoder_and_both_heads():
    method = make(momentum=0.6, momentum_end=0.9)
    method.loss(random_batch(method, 3, SIZE), 0.5)
    check_follows(method, method.student, 0.5, 0.75)


def test_it_says_a_chance_loss_where_koleo_has_no_weight():
    assert make().chance_loss(8) is None
    method = make(koleo_weight=0.0, mask_probability=1.0)
    with torch.no_grad():
        for head in (method.student.head, method.student.patch_head):
            head.last.weight.fill_(1.0)
    close(method.loss(random_batch(method, 4, SIZE), 0.5), method.chance_loss(4))
    assert make(koleo_weight=0.0).chance_loss(4) == pytest.approx(1.5 * math.log(7))


def test_the_teachers_class_token_is_evaluated():
    method, images = make().eval(), random_batch(make(), 3, SIZE).views[0]
    assert torch.equal(method.encode(images), method.teacher.network.encoder.tokens(images)[:, 0])
    assert torch.equal(method.project(images), method.teacher.network.head.mlp(method.encode(images)))


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = Batch(tuple(view.double() for view in batch.views), batch.index, Draws("test", 0, total=4))
    assert method.loss(batch, 0.0).dtype == torch.float64


WEIGHTED = {"class_weight": 0.3, "patch_weight": 2.5, "koleo_weight": 1.3}
MISTAKES = [
    ("fill_diagonal_(-2)", "fill_diagonal_(1)", check_loss),
    ("argmax(1)", "argmin(1)", check_loss),
    ("F.normalize(rows, dim=1, eps=1e-8)", "rows", check_loss),
    ("koleo(views[0]) + koleo(views[1])", "koleo(views.flatten(0, 1))", check_loss),
    ("views = gather(tokens[:, 0]", "views = gather(whole[:, 0]", check_loss),
    ("teacher.head(whole[:, 0])", "teacher.head(tokens[:, 0])", check_loss),
    ("teacher.patch_head(choose", "teacher.head(choose", check_loss),
    ("self.student.patch_head(choose", "self.student.head(choose", check_loss),
    ('.masked_fill(~hidden[..., None], float("-inf"))', "", check_loss),
    ("sinkhorn(rows.flatten(0, -2), temperature, self.sinkhorn_steps)", "(rows.flatten(0, -2) / temperature).softmax(-1)", check_loss),
    ("temperature, self.sinkhorn_steps)", "temperature, 1)", check_loss),
    ("shard(found).transpose(0, 1)", "shard(found).transpose(0, 1).flip(0)", check_loss),
    ("self.class_weight * cross", "cross", lambda: check_loss(**WEIGHTED)),
    ("self.patch_weight * hidden", "hidden", lambda: check_loss(**WEIGHTED)),
    ("self.koleo_weight * (", "(", lambda: check_loss(**WEIGHTED)),
    ("choose(tokens[:, 1:], which), frozen=frozen)", "choose(tokens[:, 1:], which))", check_gradients),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.dinov2, right, wrong)
    with pytest.raises(AssertionError):
        check()


def test_a_mistake_in_its_parts_is_noticed(monkeypatch):
    mutate(monkeypatch, methods.dinov2, "hidden.sum(1).clamp(min=1)", "hidden.shape[1]", part=distillation)
    with pytest.raises(AssertionError):
        check_loss()
