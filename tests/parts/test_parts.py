"""The parts that methods share: heads, teacher, queue, memory, float32 losses."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.compute.collectives import gather
from bench.compute.flops import count_flops_by_shapes
from bench.parts.heads import mlp
from bench.parts.losses import classify, full_precision, info_nce, nt_xent
from bench.parts.memories import Memory, Queue
from bench.parts.reconstruction import lab, ratio_of_rgb
from bench.parts.teachers import Teacher
from loss_cases import lab_of_one

pytestmark = pytest.mark.usefixtures("fixed_weights")


def layout(head: nn.Sequential) -> list:
    """What stands in a head: (inputs, outputs, has a bias) of a linear layer, (features, has a scale) of a BatchNorm."""
    told = {
        nn.Linear: lambda layer: (layer.in_features, layer.out_features, layer.bias is not None),
        nn.BatchNorm1d: lambda layer: (layer.num_features, layer.affine),
        nn.ReLU: lambda layer: "relu",
    }
    return [told[type(layer)](layer) for layer in head]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(8, 16, False), (16, True), "relu", (16, 4, True)]),
        ({"layers": 1}, [(8, 4, True)]),
        ({"layers": 1, "last_norm": True}, [(8, 4, False), (4, False)]),
        ({"layers": 1, "bias": False}, [(8, 4, False)]),
        (
            {"layers": 3, "last_norm": True},
            [(8, 16, False), (16, True), "relu", (16, 16, False), (16, True), "relu", (16, 4, False), (4, False)],
        ),
        ({"norm": False}, [(8, 16, True), "relu", (16, 4, True)]),
        ({"norm": False, "bias": False}, [(8, 16, False), "relu", (16, 4, False)]),
        ({"bias": False}, [(8, 16, False), (16, True), "relu", (16, 4, False)]),
    ],
)
def test_mlp(options, expected):
    head = mlp(8, 16, 4, **options)
    assert layout(head) == expected
    assert head(torch.randn(5, 8)).shape == (5, 4)


def student_with_buffers() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


def test_teacher_is_a_copy_without_gradient():
    student = student_with_buffers()
    teacher = Teacher(student)
    assert all(torch.equal(*pair) for pair in zip(teacher.network.parameters(), student.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())
    shared = {parameter.data_ptr() for parameter in student.parameters()} & {parameter.data_ptr() for parameter in teacher.parameters()}
    assert not shared
    images = torch.randn(5, 4, requires_grad=True)
    assert not teacher(images).requires_grad
    before = [parameter.clone() for parameter in teacher.parameters()]
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1)
    assert all(torch.equal(*pair) for pair in zip(teacher.parameters(), before, strict=True))


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.996, 1.0])
def test_teacher_follows(momentum):
    student = student_with_buffers()
    teacher = Teacher(student)
    expected = [parameter.detach().clone() for parameter in student.parameters()]
    for _ in range(3):
        with torch.no_grad():
            for parameter in student.parameters():
                parameter.add_(torch.randn_like(parameter))
        student(torch.randn(5, 4))
        expected = [momentum * slow + (1 - momentum) * fast.detach() for slow, fast in zip(expected, student.parameters(), strict=True)]
        teacher.follow(student, momentum)
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(teacher.network.parameters(), expected, strict=True))
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    # Its statistics are of its own passes, and it has made none.
    assert torch.equal(teacher.network[1].running_mean, torch.zeros(6)) and not torch.equal(student[1].running_mean, torch.zeros(6))
    teacher(torch.randn(5, 4) + 1)
    assert not torch.equal(teacher.network[1].running_mean, torch.zeros(6))


def test_teacher_that_follows_wholly_is_the_student():
    student = student_with_buffers()
    teacher = Teacher(student)
    nn.init.normal_(student[0].weight)
    teacher.follow(student, 0.0)
    assert torch.equal(teacher.network[0].weight, student[0].weight)


def test_queue_overwrites_the_oldest():
    queue, expected, position = Queue(10, 3), None, 0
    expected = queue.rows.clone()
    for count in (4, 4, 4, 10, 3, 1, 7):
        rows = torch.randn(count, 3)
        queue.enqueue(rows)
        for row in rows:
            expected[position] = row
            position = (position + 1) % 10
        assert torch.equal(queue.rows, expected) and queue.position == position
        assert queue.empty.tolist() == [not any(row) for row in expected.tolist()]
    assert not queue.empty.any()
    with pytest.raises(ValueError, match="10 rows cannot take 11"):
        queue.enqueue(torch.randn(11, 3))


def test_a_queue_begins_empty():
    queue = Queue(5, 3)
    assert queue.empty.all()
    queue.enqueue(torch.randn(2, 3))
    assert queue.empty.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("kept", [0, 1, 4, 7])
def test_what_is_empty_is_no_negative(kept):
    """As if the queue were so much shorter; nothing but the key is there to be found in an empty one."""
    queries, keys, negatives = (F.normalize(torch.randn(count, 6), dim=1) for count in (5, 5, 7))
    queries.requires_grad_()
    empty = torch.arange(7) >= kept
    masked, short = info_nce(queries, keys, negatives, 0.2, empty), info_nce(queries, keys, negatives[:kept], 0.2)
    assert torch.allclose(masked, short, atol=1e-6) and (kept or masked == 0)
    slopes = [torch.autograd.grad(loss, queries)[0] for loss in (masked, short)]
    assert torch.allclose(*slopes, atol=1e-6) and slopes[0].any() == bool(kept)


def test_queue_and_memory_are_in_the_state_from_construction():
    assert set(Queue(4, 2).state_dict()) == {"rows", "position"} and set(Memory(4, 2).state_dict()) == {"rows"}
    queue, other = Queue(4, 2), Queue(4, 2)
    queue.enqueue(torch.randn(3, 2))
    other.load_state_dict(queue.state_dict())
    rows = torch.randn(2, 2)
    queue.enqueue(rows), other.enqueue(rows)
    assert torch.equal(queue.rows, other.rows) and queue.position == other.position == 1


def test_queue_keeps_no_graph_and_its_own_precision():
    queue = Queue(4, 2)
    queue.enqueue(torch.randn(2, 2, requires_grad=True).bfloat16() * 2)
    assert not queue.rows.requires_grad and queue.rows.dtype == torch.float32


def test_memory_moves_single_rows():
    memory = Memory(9, 4)
    bound = (4 / 3) ** -0.5
    assert memory.rows.abs().max() <= bound and memory.rows.std() > 0.3 * bound
    expected = memory.rows.clone()
    for momentum in (0.5, 0.9, 0.0):
        index, rows = torch.randperm(9)[:5], torch.randn(5, 4, requires_grad=True)
        memory.move(index, rows, momentum)
        for position, row in zip(index.tolist(), rows.detach(), strict=True):
            mixed = momentum * expected[position] + (1 - momentum) * row
            expected[position] = mixed / mixed.norm()
        assert torch.allclose(memory.rows, expected, atol=1e-6) and not memory.rows.requires_grad
    memory.move(torch.tensor([1]), torch.ones(1, 4).bfloat16(), 0.0)
    assert torch.allclose(memory.rows[1], torch.full((4,), 0.5))


def test_full_precision_under_autocast():
    left, right = torch.randn(16, 32), torch.randn(32, 16)
    product = full_precision(lambda a, b, scale=1.0: a @ b * scale)
    exact = left.bfloat16().float() @ right.bfloat16().float()
    with torch.autocast("cpu", torch.bfloat16):
        low = left @ right
        assert low.dtype == torch.bfloat16
        for result in (product(left.bfloat16(), right.bfloat16()), product(left.bfloat16(), b=right.bfloat16())):
            assert result.dtype == torch.float32 and torch.allclose(result, exact, atol=1e-5)
        assert torch.allclose(product(a=left, b=right, scale=2.0), 2 * product(left, right))
        assert (left @ right).dtype == torch.bfloat16, "autocast is on again afterwards"


def test_full_precision_leaves_whole_numbers_and_passes_gradients():
    logits = torch.randn(6, 4).bfloat16().requires_grad_()
    target = torch.randint(4, (6,))
    with torch.autocast("cpu", torch.bfloat16):
        loss = classify(logits, target=target)
    assert loss.dtype == torch.float32 and torch.allclose(loss, F.cross_entropy(logits.float(), target))
    loss.backward()
    assert logits.grad.dtype == torch.bfloat16 and logits.grad.abs().sum() > 0


def test_nt_xent_is_the_papers_sum():
    first, second, temperature = torch.randn(5, 8), torch.randn(5, 8), 0.3
    rows = [row / row.norm() for row in (*first, *second)]
    total = 0.0
    for i in range(10):
        pair = (i + 5) % 10
        others = sum(torch.exp(rows[i] @ rows[k] / temperature) for k in range(10) if k != i)
        total += -torch.log(torch.exp(rows[i] @ rows[pair] / temperature) / others)
    assert torch.allclose(nt_xent(first, second, temperature), total / 10, atol=1e-5)


def test_gather_on_one_device_is_the_identity():
    rows = torch.randn(4, 3, requires_grad=True)
    assert torch.equal(gather(rows), rows)
    (gather(rows) * 2).sum().backward()
    assert torch.equal(rows.grad, torch.full((4, 3), 2.0))


# sRGB in 0..255 and its Lab under D65 (2 degree observer), as in tables.
KNOWN_LAB = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 0): (97.14, -21.55, 94.48),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (119, 119, 119): (50.03, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("colour", KNOWN_LAB, ids=str)
def test_lab_of_known_colours(colour):
    image = (torch.tensor(colour) / 255).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert lab(image)[1, :, 3, 2].tolist() == pytest.approx(KNOWN_LAB[colour], abs=0.011)


def test_lab_is_the_definition():
    images = torch.rand(2, 3, 4, 3, dtype=torch.float64) ** 3  # many dark ones, where the curves are straight
    found = lab(images)
    assert found.dtype == torch.float64
    for image, converted in zip(images, found, strict=True):
        for row in range(4):
            for column in range(3):
                assert converted[:, row, column].tolist() == pytest.approx(lab_of_one(*image[:, row, column].tolist()), abs=1e-9)


def test_lab_is_scikit_images():
    color = pytest.importorskip("skimage.color")
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    expected = torch.from_numpy(color.rgb2lab(images.movedim(1, -1).numpy())).movedim(-1, 1)
    torch.testing.assert_close(lab(images), expected, atol=1e-4, rtol=0)


def test_lab_keeps_its_precision_under_autocast():
    images = torch.rand(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        inside = lab(images)
    assert inside.dtype == torch.float32 and torch.equal(inside, lab(images))


def test_the_matrix_of_colours_is_no_shape_alone_after_flops_were_counted_by_shapes():
    """It is kept for all later calls, and of a kept shape colorization's loss could not be computed any more."""
    device, dtype = torch.device("cpu"), torch.float16  # of which nothing else asks for it
    count_flops_by_shapes(lambda: ratio_of_rgb(device, dtype).sum())
    found = ratio_of_rgb(device, dtype)
    assert type(found) is torch.Tensor and found.sum(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-2), "white is 1, 1, 1"
    assert ratio_of_rgb(device, dtype) is found
