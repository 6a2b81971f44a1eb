"""SimDINO's loss against loops over crops, images and eigenvalues in float64, its chance loss, what has a gradient, and mistakes that the
comparisons must notice.

B images, V crops, P projection.
"""

import copy
import math

import pytest
import torch
from torch import nn

import methods.simdino
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch
from bench.parts import distillation
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, dot, mutate, random_batch, rows_of, unit

SIZE = 16


def make(encoder="resnet8", **hyper_parameters):
    """SimDINO on a narrow encoder, whose teacher is another network, in training mode."""
    make_encoder, data = factory(encoder, SIZE), DatasetInfo(num_images=64, image_size=SIZE)
    with seeded("weights", encoder):
        small = {"hidden": 12, "projection": 5, "local_crops": 2, **hyper_parameters}
        method = methods.simdino.SimDINO(lambda: make_encoder(width=0.25), data, **small)
        for parameter in method.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        for network in (method.student, method.teacher.network):
            for layer in network.head.mlp:  # as it is initialised the head tells no image from another
                if isinstance(layer, nn.Linear):
                    layer.weight.data.mul_(5)
    return method.train()


def loss_by_loops(student, teacher, coding, agreement, epsilon, smooth):
    """MCRLoss of the authors' main_dino.py, for crops of unit rows: [V][B][P] and [2][B][P]."""
    cosines = [
        dot(one, other)
        for q, large in enumerate(teacher)
        for v, crop in enumerate(student)
        if v != q
        for one, other in zip(large, crop, strict=True)
    ]
    rates, images, dims = [], len(teacher[0]), len(teacher[0][0])
    for own, other in zip(student, teacher, strict=False):
        rows = [[(a + b) / 2 if smooth else a for a, b in zip(*pair, strict=True)] for pair in zip(own, other, strict=True)]
        gram = torch.tensor([[dot(one, two) for two in rows] for one in rows], dtype=torch.float64)
        # The eigenvalues of the images' products are those of the dimensions', but for zeros.
        rates.append(sum(math.log(1 + dims / (images * epsilon) * max(0.0, value)) for value in torch.linalg.eigvalsh(gram).tolist()) / 2)
    factor = (dims + images) / (dims * images)
    return -agreement * sum(cosines) / len(cosines) - coding * factor * sum(rates) / len(rates)


def said(network, crops):
    """Unit rows [B][P] of each crop; crops of one size share an encoder call, and all crops the head's."""
    network = copy.deepcopy(network)
    sizes = sorted({crop.shape[-1] for crop in crops}, reverse=True)
    with torch.no_grad():
        features = [network.encoder(torch.cat([crop for crop in crops if crop.shape[-1] == size])) for size in sizes]
        rows = network.head.mlp(torch.cat(features))
    return [[unit(row) for row in rows_of(part)] for part in rows.chunk(len(crops))]


NUMBERS = {"coding": 1.0, "agreement": 1.0, "epsilon": 0.05, "smooth": True}


def check_loss(encoder="resnet8", count=4, key=0, numbers=None, **hyper_parameters):
    numbers = NUMBERS | (numbers or {})
    method = make(encoder, **numbers, **hyper_parameters)
    batch = random_batch(method, count, SIZE, key)
    wanted = loss_by_loops(said(method.student, batch.views), said(method.teacher.network, batch.views[:2]), **numbers)
    close(method.loss(batch, 0.3), wanted)


CASES = [
    {},
    {"encoder": "vit_micro", "count": 7, "local_crops": 0},
    {"numbers": {"coding": 0.3, "agreement": 2.0, "epsilon": 0.5, "smooth": False}},
    {"count": 2, "local_crops": 1, "numbers": {"coding": 0.0}},
    {"head_norm": True},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_authors(case):
    check_loss(**case)


def test_more_directions_have_a_higher_rate():
    """Of B = P rows that are all different axes every eigenvalue is 1, which is the most; of one axis one is B."""
    spread, one = torch.eye(6, dtype=torch.float64), torch.eye(6, dtype=torch.float64)[[0] * 6]
    close(methods.simdino.coding_rate(spread[None], 0.05), 6 / 2 * math.log(1 + 1 / 0.05))
    close(methods.simdino.coding_rate(one[None], 0.05), math.log(1 + 6 / 0.05) / 2)
    both = methods.simdino.coding_rate(torch.stack([spread, one]), 0.05)
    close(both, (6 * math.log(21) + math.log(121)) / 4)


def test_the_head_has_batch_norm_after_its_first_two_layers_where_it_is_asked_for():
    """As DINOHead with use_bn (vision_transformer.py): linear, BatchNorm, GELU, twice, and linear; student and teacher alike."""
    method = make(head_norm=True)
    for network in (method.student, method.teacher.network):
        kinds = [type(layer).__name__ for layer in network.head.mlp]
        assert kinds == ["Linear", "BatchNorm1d", "GELU"] * 2 + ["Linear"]
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in make().student.head.mlp)


def test_a_coding_rate_that_float32_cannot_hold_is_refused():
    """Beside the largest eigenvalue, P / epsilon, the identity must still count: of two rows in many dimensions nothing else is left."""
    rows = torch.nn.functional.normalize(1 + 0.01 * torch.randn(1, 2, 256, generator=torch.Generator().manual_seed(0)), dim=-1)
    smallest = 256 / methods.simdino.LARGEST

    def holds(epsilon):
        exact = methods.simdino.coding_rate(rows.double(), epsilon).item()
        return abs(methods.simdino.coding_rate(rows, epsilon).item() - exact) < 5e-3 * exact

    assert holds(smallest) and not holds(smallest / 100), "here nan"
    make(projection=256, epsilon=smallest)
    with pytest.raises(ValueError, match=r"epsilon=1e-05 is too small for projection=256; expected 0.000977 or more"):
        make(projection=256, epsilon=1e-5)


def check_step():
    method = make(momentum=0.6, momentum_end=0.9)
    method.loss(random_batch(method, 3, SIZE), 0.5)
    check_follows(method, method.student, 0.5, 0.75)


def test_the_teacher_follows_along_half_a_cosine():
    check_step()


def check_gradients():
    """The teacher is a constant, also where the rate is of its mean with the student."""
    method = make()
    method.loss(random_batch(method, 4, SIZE), 0.0).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in method.student.head.parameters())
    assert all(parameter.grad is None for parameter in method.teacher.parameters())


def test_the_teacher_is_a_constant():
    check_gradients()


def test_the_teacher_is_evaluated():
    method, images = make().eval(), random_batch(make(), 3, SIZE).views[0]
    assert torch.equal(method.encode(images), method.teacher.network.encoder(images))
    rows = method.project(images)
    assert torch.equal(rows, method.teacher.network.head(method.encode(images))) and torch.allclose(rows.norm(dim=1), torch.ones(3))
    assert torch.equal(method.encode_also()["student"](images), method.student.encoder(images))
    assert method.phases == ()


def test_everything_is_float64_in_a_float64_run():
    method = make().double()
    batch = random_batch(method, 4, SIZE)
    batch = Batch(tuple(view.double() for view in batch.views), batch.index, Draws("test", 0, total=4))
    assert method.loss(batch, 0.0).dtype == torch.float64


PART = {"part": distillation}
MISTAKES = [
    ("dims / (images * epsilon)", "dims / epsilon", check_loss, {}),
    ("dims / (images * epsilon)", "dims / (images * epsilon**2)", check_loss, {}),
    ("identity + dims", "dims", check_loss, {}),
    (".log().sum(1).mean()", ".log().sum()", check_loss, {}),
    (".log().sum(1).mean()", ".sum(1).mean()", check_loss, {}),
    ("1 / images + 1 / dims", "1 / images", check_loss, {}),
    ("(student[:2] + teacher) / 2", "student[:2] + teacher", check_loss, {}),
    ("if self.smooth else student[:2]", "if self.smooth else teacher", lambda: check_loss(numbers={"smooth": False}), {}),
    (" - pairs.diagonal().sum()", "", check_loss, {}),
    ("(len(student) - 1)", "len(student)", check_loss, {}),
    ("F.normalize(upcast(self.mlp(features)), dim=-1)", "upcast(self.mlp(features))", check_loss, {}),
    ("-self.agreement * other_cosines", "-other_cosines", lambda: check_loss(numbers={"agreement": 2.0}), {}),
    ("self.coding * balance(student", "balance(student", lambda: check_loss(numbers={"coding": 0.3}), {}),
    ("self.teacher(batch.views[:2])", "self.student(batch.views[:2])", check_loss, {}),
    ("(along_cosine)", "(lambda progress, start, end: start)", check_step, PART),
    ("(len(crops), -1)", "(-1, len(crops))).transpose(0, 1", check_loss, PART),
]


@pytest.mark.parametrize(("right", "wrong", "check", "where"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, where, monkeypatch):
    mutate(monkeypatch, methods.simdino, right, wrong, **where)
    with pytest.raises(AssertionError):
        check()
