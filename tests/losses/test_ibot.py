"""iBOT's loss and centres against loops over crops, patches and outputs in float64, and against lightly's; which patches are hidden, what
has a gradient, and mistakes that the comparisons must notice.

B images, V crops, L patches of a large crop, K outputs.
"""

import copy
import math

import pytest
import torch

import methods.ibot
from bench.compute.randomness import Draws, seeded
from bench.encoders.networks.vit import VisionTransformer
from bench.method import Batch
from bench.parts import block_mask, distillation, losses
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, from_lightly, mutate, random_batch, rows_of

SIZE, SIDE = 16, 8
PATCHES = SIDE * SIDE


def make(**hyper_parameters):
    """iBOT on a narrow ViT, whose teacher is another network and whose centres are somewhere else than at their start, in training mode."""
    with seeded("weights"):
        small = {"outputs": 7, "hidden": 9, "bottleneck": 5, "local_crops": 2}
        data = DatasetInfo(num_images=64, image_size=SIZE)
        method = methods.ibot.IBOT(lambda: VisionTransformer(2, 12, 3, SIZE, SIZE // SIDE), data, **{**small, **hyper_parameters})
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            method.centre.normal_().mul_(0.3)
            method.patch_centre.normal_().mul_(0.3)
    return method.train()


def softmax(row):
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def cross_entropy(teacher, centre, temperature, student, student_temperature):
    """Of one row of the teacher's and one of the student's."""
    target = softmax([(value - middle) / temperature for value, middle in zip(teacher, centre, strict=True)])
    return -sum(p * math.log(q) for p, q in zip(target, softmax([value / student_temperature for value in student]), strict=True))


def heard(method, batch):
    """From the method's own networks: what the student says of all V crops [V][B][K], of the patches of the large ones [2][B][L][K], the
    teacher of the same, and which patches are hidden, bool [2][B][L]."""
    draws = copy.deepcopy(batch)
    hidden = [method.draw_hidden(draws) for _ in range(2)]
    student, teacher = method.student, method.teacher.network
    with torch.no_grad():
        own = [
            student.head(student.encoder.tokens(view, replace=mask, mask_token=method.mask_token))
            for view, mask in zip(batch.views[:2], hidden, strict=True)
        ]
        small = [student.head(student.encoder.tokens(view)[:, 0]) for view in batch.views[2:]]
        other = [teacher.head(teacher.encoder.tokens(view)) for view in batch.views[:2]]
    classes = [rows_of(rows[:, 0]) for rows in own] + [rows_of(rows) for rows in small]
    return (
        classes,
        [rows_of(rows[:, 1:]) for rows in own],
        [rows_of(rows[:, 0]) for rows in other],
        [rows_of(rows[:, 1:]) for rows in other],
        [mask.tolist() for mask in hidden],
    )


def loss_by_loops(method, batch, temperature):
    """iBOTLoss.forward of main_ibot.py."""
    classes, patches, teacher, teacher_patches, hidden = heard(method, batch)
    centre, patch_centre = rows_of(method.centre), rows_of(method.patch_centre)
    heat, pairs, crops = method.student_temperature, [], []
    for q, rows in enumerate(teacher):
        for v, said in enumerate(classes):
            if v != q:
                each = [cross_entropy(t, centre, temperature, s, heat) for t, s in zip(rows, said, strict=True)]
                pairs.append(sum(each) / len(each))
        per_image = []
        for image, mask in enumerate(hidden[q]):
            found = [
                cross_entropy(teacher_patches[q][image][place], patch_centre, temperature, patches[q][image][place], heat)
                for place, is_hidden in enumerate(mask)
                if is_hidden
            ]
            per_image.append(sum(found) / max(1, len(found)))
        crops.append(sum(per_image) / len(per_image))
    return method.class_weight * sum(pairs) / len(pairs) + method.patch_weight * sum(crops) / len(crops)


def check_loss(count=4, progress=0.05, key=0, **hyper_parameters):
    method = make(**hyper_parameters)
    batch = random_batch(method, count, SIZE, key)
    wanted = loss_by_loops(method, batch, 0.04 + 0.03 * min(1, progress / 0.1))
    close(method.loss(batch, progress), wanted)


CASES = [
    {},
    {"count": 1, "progress": 0.0, "mask_probability": 1.0, "key": 3},
    {"progress": 0.7, "local_crops": 0, "class_weight": 0.3, "patch_weight": 2.5},
    {"mask_probability": 0.0, "local_crops": 1},
    {"mask_probability": 1.0, "mask_min": 0.3, "mask_max": 0.3, "student_temperature": 0.4},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_authors(case):
    check_loss(**case)


def test_the_losses_are_lightlys():
    """Of class tokens, and of the hidden patches of one crop of each image."""
    source, mask = Draws("lightly", 0, total=6), torch.rand(6, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) < 0.3
    mask[2] = False
    student, teacher, centre = source.randn(PATCHES, 7), source.randn(PATCHES, 7), source.randn(7)[0]
    theirs = from_lightly("loss", "IBOTPatchLoss")(7, teacher_temp=0.05, student_temp=0.2)
    theirs.center.center.copy_(centre)
    wanted = theirs(teacher[mask.flatten(1)], student[mask.flatten(1)], mask)
    targets = distillation.centred_targets(teacher, centre, 0.05)
    close(distillation.hidden_patch_loss(student, targets, mask.flatten(1), 0.2), wanted.item())
    theirs = from_lightly("loss", "DINOLoss")(7, teacher_temp=0.05, student_temp=0.2)
    theirs.center.copy_(centre)
    views = student[:, :5].transpose(0, 1)
    found = losses.cross_view_loss(views, distillation.centred_targets(teacher[:, :2].transpose(0, 1), centre, 0.05), 0.2)
    close(found, theirs(list(teacher[:, :2].transpose(0, 1)), list(views)).item())


def check_step():
    """update_center of main_ibot.py, and the teacher along half a cosine."""
    method = make(centre_momentum=0.8, momentum=0.6, momentum_end=0.9)
    batch = random_batch(method, 3, SIZE)
    _, _, teacher, teacher_patches, _ = heard(method, batch)
    rows, patches = [row for crop in teacher for row in crop], [row for crop in teacher_patches for image in crop for row in image]
    expected = [
        0.8 * old + 0.2 * torch.tensor(each, dtype=torch.float64).mean(0)
        for old, each in ((method.centre.double(), rows), (method.patch_centre.double(), patches))
    ]
    method.loss(batch, 0.5)
    check_follows(method, method.student, 0.5, 0.75)
    for found, wanted in zip((method.centre, method.patch_centre), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    assert method.batch_means is None


def test_centres_and_teacher_move_as_the_authors():
    check_step()


def test_it_waits_for_its_teacher_to_leave_its_start():
    """Along the cosine the momentum is 0.995 on average."""
    (needed,) = make(momentum=0.99, momentum_end=1.0).needed(256)
    assert needed.steps == pytest.approx(math.log(0.05) / math.log(0.995), rel=0.01)


def test_every_part_has_a_gradient_and_the_last_layer_from_its_phase_on():
    method = make(frozen=0.5, mask_probability=1.0)
    assert method.phases == (0.1, 0.5)
    for progress, frozen in ((0.499, True), (0.5, False)):
        method.zero_grad(set_to_none=True)
        method.loss(random_batch(method, 4, SIZE), progress).backward()
        assert (method.student.head.last.weight.grad is None) == frozen
        own = [method.mask_token, *method.student.encoder.parameters(), *method.student.head.mlp.parameters()]
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in own)
        assert all(parameter.grad is None for parameter in method.teacher.parameters())


def test_half_of_the_crops_have_a_tenth_to_a_half_of_their_patches_hidden():
    method = make()
    count = method.draw_hidden(random_batch(method, 2000, SIZE)).sum(1)
    some = count[count > 0]
    assert abs(len(some) / 2000 - 0.5) < 0.04
    assert some.min() == 6 and some.max() in (31, 32) and 0.27 * PATCHES < some.float().mean() < 0.3 * PATCHES
    assert not make(mask_probability=0.0).draw_hidden(random_batch(method, 50, SIZE)).any()


@pytest.mark.parametrize(("side", "least"), [(8, 4), (16, 25)])
def test_a_rectangle_of_hidden_patches_has_at_least_as_many_as_the_authors(side, least):
    """(min(H, W) // 3) ** 2, as loader.py has it."""
    data = DatasetInfo(num_images=64, image_size=2 * side)
    method, draws = methods.ibot.IBOT(lambda: VisionTransformer(1, 12, 3, 2 * side, 2), data), Draws("masks", side, total=64)
    twin = copy.deepcopy(draws)
    chosen, part = twin.rand() < 0.5, 0.1 + 0.4 * twin.rand()
    expected = block_mask(twin, side, (torch.where(chosen, part, 0.0) * side**2).floor(), least)
    assert torch.equal(method.draw_hidden(draws), expected)


def test_small_crops_are_seen_whole_and_the_teacher_sees_the_large_ones(monkeypatch):
    method, seen = make(), []
    for name, network in (("student", method.student), ("teacher", method.teacher.network)):
        tokens = network.encoder.tokens
        monkeypatch.setattr(
            network.encoder,
            "tokens",
            lambda images, replace=None, mask_token=None, name=name, tokens=tokens: (
                seen.append((name, tuple(images.shape[::2]), replace is not None)),
                tokens(images, replace=replace, mask_token=mask_token),
            )[1],
        )
    method.loss(random_batch(method, 3, SIZE), 0.0)
    assert sorted(seen) == [("student", (6, 8), False), ("student", (6, 16), True), ("teacher", (6, 16), False)]


def test_the_teachers_class_token_is_evaluated():
    method, images = make().eval(), random_batch(make(), 3, SIZE).views[0]
    assert torch.equal(method.encode(images), method.teacher.network.encoder.tokens(images)[:, 0])
    assert torch.equal(method.project(images), method.teacher.network.head.mlp(method.encode(images)))
    assert torch.equal(method.encode_also()["student"](images), method.student.encoder(images))


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = Batch(tuple(view.double() for view in batch.views), batch.index, Draws("test", 0, total=4))
    assert method.loss(batch, 0.0).dtype == torch.float64


def test_masks_of_nothing_are_refused():
    with pytest.raises(ValueError, match=r"mask_min=0.001 to mask_max=0.01 hides 0 to 0 of 64 patches; expected 1 or more"):
        make(mask_min=0.001, mask_max=0.01)
    with pytest.raises(ValueError, match=r"mask_max not below mask_min"):
        make(mask_min=0.5, mask_max=0.4)


WEIGHTED = {"class_weight": 0.3, "patch_weight": 2.5}
MISTAKES = [
    ("network.head(whole)", "network.head(tokens)", check_loss),
    ("choose(said[:, 1:], which), self.patch_centre", "choose(said[:, 1:], which), self.centre", check_loss),
    ("said[:, 1:].mean((0, 1))", "said[:, 0].mean(0)", check_step),
    ("1 - self.centre_momentum", "self.centre_momentum", check_step),
    ("choose(tokens[:, 1:], which)", "choose(whole[:, 1:], which)", check_loss),
    ("self.class_weight * cross", "cross", lambda: check_loss(**WEIGHTED)),
    ("self.patch_weight * hidden", "hidden", lambda: check_loss(**WEIGHTED)),
    ("temperature = progress < self.frozen, warmed_up(progress, *self.temperatures)", "temperature = False, 0.07", check_loss),
]
MISTAKES_OF_PARTS = [
    ("error * hidden).sum(1)", "error).sum(1)", check_loss),
    ("hidden.sum(1).clamp(min=1)", "hidden.shape[1]", check_loss),
    ("hidden.sum(1).clamp(min=1)).mean()", "hidden.sum().clamp(min=1)).sum()", check_loss),
    ("scores / temperature).log_softmax(-1)", "scores).log_softmax(-1)", check_loss),
    ("replace=hidden, mask_token=self.mask_token", "replace=~hidden, mask_token=self.mask_token", check_loss),
    ("replace=hidden, mask_token=self.mask_token", "", check_loss),
    ("dim=1, descending=True", "dim=1, descending=False", check_loss),
    ("self.teacher.network.encoder.tokens(images)", "own.tokens(images)", check_loss),
    ("rows = [tokens[:, 0]", "rows = [tokens[:, 1]", check_loss),
    ("(len(batch.views), -1)", "(-1, len(batch.views))).transpose(0, 1", check_loss),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.ibot, right, wrong)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES_OF_PARTS, ids=[mistake[1] for mistake in MISTAKES_OF_PARTS])
def test_mistakes_in_its_parts_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.ibot, right, wrong, part=distillation)
    with pytest.raises(AssertionError):
        check()
