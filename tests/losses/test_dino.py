"""DINO's loss, centre and teacher against loops from the paper's formulas in float64, and the loss against lightly's.

The loops share no code with the method. A comparison that cannot fail says nothing, so one deliberate mistake after the other
is written into a copy of the method's source, and the comparison must then fail.
"""

import copy
import math

import pytest
import torch
from torch import nn

import methods.dino
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.parts import distillation, encode_crops, losses
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, agree, dot, from_lightly, mutate, random_batch, unit

SIZE = 16
SMALL = {"outputs": 7, "hidden": 12, "bottleneck": 5}


def make(encoder="resnet8", local_crops=2, size=SIZE, **hyper_parameters):
    """DINO on a narrow encoder in training mode, its teacher and centre somewhere else than at their start."""
    make_encoder, data = factory(encoder, size), DatasetInfo(num_images=64, image_size=size)
    with seeded("weights", encoder):
        method = methods.dino.DINO(lambda: make_encoder(width=0.25), data, local_crops=local_crops, **{**SMALL, **hyper_parameters})
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for layer in (*method.student.head.mlp, *method.teacher.network.head.mlp):
            if isinstance(layer, nn.Linear):  # as it is initialised the head tells no image from another
                layer.weight.data.mul_(20)
        method.centre.normal_().mul_(0.3)
    return method.train()


def outputs_by_loops(encoder, head, groups):
    """The cosines of bottleneck and prototypes, crop by crop: V lists of B lists of K numbers. groups: crops of one size each."""
    with torch.no_grad():
        rows = head.mlp(torch.cat([encoder(torch.cat(crops)) for crops in groups])).double().tolist()
    prototypes = [unit(row) for row in head.last.weight.double().tolist()]
    scores = [[dot(unit(row), other) for other in prototypes] for row in rows]
    count = len(groups[0][0])
    return [scores[start : start + count] for start in range(0, len(scores), count)]


def softmax(row):
    highest = max(row)
    powers = [math.exp(value - highest) for value in row]
    return [power / sum(powers) for power in powers]


def loss_by_loops(student, teacher, centre, student_temperature, teacher_temperature):
    """Equation 3 of the paper: the sum over the teacher's crops x and all crops x' != x of H(P_teacher(x), P_student(x')), as a mean."""
    terms = []
    for number, teacher_view in enumerate(teacher):
        for other, student_view in enumerate(student):
            if other == number:
                continue
            for teacher_row, student_row in zip(teacher_view, student_view, strict=True):
                target = softmax([(value - middle) / teacher_temperature for value, middle in zip(teacher_row, centre, strict=True)])
                predicted = softmax([value / student_temperature for value in student_row])
                terms.append(-sum(p * math.log(q) for p, q in zip(target, predicted, strict=True)))
    return sum(terms) / len(terms)


def loss_case(count=3, progress=0.05, encoder="resnet8", local_crops=2, key=0, **hyper_parameters):
    """-> the method's loss and the reference's."""
    settings = {
        "student_temperature": 0.1,
        "teacher_temperature": 0.07,
        "teacher_temperature_start": 0.04,
        "teacher_temperature_warmup": 0.1,
    }
    settings |= hyper_parameters
    method = make(encoder, local_crops, **settings)
    batch, twin = random_batch(method, count, SIZE, key=key), copy.deepcopy(method)
    large, small = batch.views[:2], batch.views[2:]
    student = outputs_by_loops(twin.student.encoder, twin.student.head, [large, small] if small else [large])
    teacher = outputs_by_loops(twin.teacher.network.encoder, twin.teacher.network.head, [large])
    start, end, over = (settings[f"teacher_temperature{what}"] for what in ("_start", "", "_warmup"))
    temperature = end if progress > over else start + (end - start) * progress / over
    reference = loss_by_loops(student, teacher, method.centre.double().tolist(), settings["student_temperature"], temperature)
    return method.loss(batch, progress).item(), reference


@pytest.mark.parametrize("encoder", ["resnet8", "vit_micro"])
@pytest.mark.parametrize(
    ("count", "local_crops", "progress", "student_temperature", "teacher_temperature"),
    [(1, 0, 0.0, 0.1, 0.07), (2, 1, 0.05, 0.2, 0.09), (3, 2, 0.1, 0.1, 0.04), (4, 3, 0.7, 0.5, 0.3)],
)
def test_the_loss_is_the_papers_formula(encoder, count, local_crops, progress, student_temperature, teacher_temperature):
    assert agree(
        loss_case(
            count,
            progress,
            encoder,
            local_crops,
            key=count,
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
        )
    )


def test_the_head_has_batch_norm_after_its_first_two_layers_where_it_is_asked_for():
    """As DINOHead with use_bn: linear, BatchNorm and GELU twice, then a linear layer; over the rows of all crops together."""
    method = make(local_crops=2, head_norm=True)
    batch = random_batch(method, 3, SIZE)
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in make(local_crops=2).student.head.mlp)
    first, first_norm, _, second, second_norm, _, third = method.student.head.mlp
    with torch.no_grad():
        rows = encode_crops(copy.deepcopy(method.student.encoder), batch.views)
        for layer, norm in ((first, first_norm), (second, second_norm)):
            assert norm.weight.requires_grad and layer.bias is not None
            rows = layer(rows)
            rows = (rows - rows.mean(0)) / (rows.var(0, unbiased=False) + norm.eps).sqrt()
            rows = 0.5 * rows * (1 + torch.erf(rows / 2**0.5))
        expected = third(rows)
        expected = expected / expected.norm(dim=1, keepdim=True)
        prototypes = method.student.head.last.weight / method.student.head.last.weight.norm(dim=1, keepdim=True)
        torch.testing.assert_close(method.student(batch.views).flatten(0, 1), expected @ prototypes.T)
    assert agree(loss_case(head_norm=True))


MISTAKES = {
    "no centring": ("(outputs - centre) /", "outputs /", distillation),
    "centre added": ("outputs - centre", "outputs + centre", distillation),
    "centre subtracted after the temperature": ("((outputs - centre) / temperature)", "(outputs / temperature - centre)", distillation),
    "teacher's temperature ignored": ("self.teacher_temperature_at(progress))\n", "0.07)\n"),
    "temperature warm-up upside down": ("start) * progress / warmup", "start) * (1 - progress) / warmup", distillation),
    "student's temperature ignored": ("targets, self.student_temperature)", "targets, 0.07)"),
    "pairs of a crop with itself": ("torch.cat([predicted[:own], predicted[own + 1 :]])", "predicted", losses),
    "pairs of a crop with itself only": ("torch.cat([predicted[:own], predicted[own + 1 :]])", "predicted[own : own + 1]", losses),
    "no softmax of the teacher": ("temperature).softmax(-1)", "temperature)", distillation),
    "softmax over the batch": ("temperature).log_softmax(-1)", "temperature).log_softmax(1)", losses),
    "sum over the images": ("* scores.shape[1])", ")", losses),
    "the student is its own teacher": ("self.teacher(batch.views[:2])", "self.student(batch.views[:2]).detach()"),
    "the teacher sees the small crops": ("batch.views[:2])", "batch.views[1:][::-1][:2])"),
    "last layer without weight normalisation": ("@ F.normalize(prototypes, dim=1).T", "@ prototypes.T", distillation),
    "no L2 norm of the bottleneck": ("return F.normalize(rows, dim=-1) @", "return rows @", distillation),
    "crops of an image torn apart": (".unflatten(0, (len(crops), -1))", ".unflatten(0, (-1, len(crops))).transpose(0, 1)", distillation),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.dino, *MISTAKES[mistake])
    assert not agree(loss_case())


@pytest.mark.parametrize(
    ("views", "count", "outputs", "student_temperature", "teacher_temperature"), [(2, 3, 5, 0.1, 0.04), (6, 4, 33, 0.3, 0.07)]
)
def test_the_loss_and_the_centre_equal_lightlys(views, count, outputs, student_temperature, teacher_temperature):
    DINOLoss = from_lightly("loss", "DINOLoss")
    source = Draws("lightly", views, total=views)
    student, teacher, centre = source.randn(count, outputs), source.randn(count, outputs)[:2], source.randn(outputs)[0]
    theirs = DINOLoss(outputs, teacher_temp=teacher_temperature, student_temp=student_temperature, center_momentum=0.8)
    theirs.center.copy_(centre)
    ours = losses.cross_view_loss(student, distillation.centred_targets(teacher, centre, teacher_temperature), student_temperature)
    assert ours.item() == pytest.approx(theirs(list(teacher), list(student)).item(), rel=TOLERANCE)
    method = make(outputs=outputs, centre_momentum=0.8)
    method.centre.copy_(centre)
    method.batch_mean = teacher.flatten(0, 1).mean(0)
    method.after_step(0.5)
    torch.testing.assert_close(method.centre, theirs.center.flatten(), rtol=TOLERANCE, atol=TOLERANCE)


def step_case(progress=0.3, momentum=0.9, centre_momentum=0.8, end=1.0):
    """-> whether centre and teacher after a step are where the paper's loops put them."""
    method = make(momentum=momentum, centre_momentum=centre_momentum, momentum_end=end)
    batch, twin = random_batch(method, 3, SIZE), copy.deepcopy(method)
    (teacher_one, teacher_two) = outputs_by_loops(twin.teacher.network.encoder, twin.teacher.network.head, [batch.views[:2]])
    rows = teacher_one + teacher_two
    centre = [
        centre_momentum * old + (1 - centre_momentum) * sum(row[number] for row in rows) / len(rows)
        for number, old in enumerate(method.centre.double().tolist())
    ]
    method.loss(batch, progress)
    before = {name: value.double().flatten().tolist() for name, value in method.teacher.network.named_parameters()}
    # The authors' cosine_scheduler from its base value to its final one.
    m = end + 0.5 * (momentum - end) * (1 + math.cos(math.pi * progress))
    method.after_step(progress)
    right = torch.allclose(method.centre.double(), torch.tensor(centre, dtype=torch.float64), atol=TOLERANCE)
    students = dict(method.student.named_parameters())
    for name, after in method.teacher.network.named_parameters():
        student = students[name].double().flatten().tolist()
        moved = [m * old + (1 - m) * new for old, new in zip(before[name], student, strict=True)]
        right &= max(abs(a - b) for a, b in zip(moved, after.double().flatten().tolist(), strict=True)) < TOLERANCE
    return right


@pytest.mark.parametrize(("progress", "momentum", "centre_momentum"), [(0.0, 0.9, 0.8), (0.3, 0.5, 0.0), (0.8, 0.99, 0.9)])
def test_centre_and_teacher_move_as_in_the_paper(progress, momentum, centre_momentum):
    assert step_case(progress, momentum, centre_momentum)
    assert step_case(progress, momentum, centre_momentum, end=0.6) and step_case(progress, momentum, centre_momentum, end=momentum)


def test_a_copy_of_the_student_is_the_teacher():
    """Figure 6, right."""
    method = make(momentum=0.0, momentum_end=0.0)
    method.loss(random_batch(method, 3, SIZE), 0.3)
    method.after_step(0.3)
    students = dict(method.student.named_parameters())
    assert all(torch.equal(value, students[name]) for name, value in method.teacher.network.named_parameters())


STEP_MISTAKES = {
    "centre from one crop": ("teacher.flatten(0, 1).mean(0)", "teacher[0].mean(0)"),
    "centre momentum upside down": ("1 - self.centre_momentum", "self.centre_momentum"),
    "teacher momentum constant": ("(along_cosine)", "(lambda progress, start, end: start)", distillation),
    "momentum to 1, whatever its end": (
        "(along_cosine)",
        "(lambda progress, start, end: along_cosine(progress, start, 1.0))",
        distillation,
    ),
    "teacher momentum to 0": ("(along_cosine)", "(lambda progress, start, end: along_cosine(progress, start, 0.0))", distillation),
    "teacher stands still": (
        "return self.student\n",
        "return self.teacher.network if 'teacher' in self._modules else self.student\n",
        distillation,
    ),
}


@pytest.mark.parametrize("mistake", STEP_MISTAKES)
def test_a_mistake_in_the_step_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.dino, *STEP_MISTAKES[mistake])
    assert not (step_case() and step_case(end=0.6))


def test_the_last_layer_gets_no_gradient_before_its_phase_and_does_after():
    method = make(frozen=0.5)
    assert method.phases == (0.1, 0.5), "the end of the temperature's warm-up, and the last layer's start"
    for progress, frozen in ((0.0, True), (0.499, True), (0.5, False), (0.9, False)):
        method.zero_grad(set_to_none=True)
        method.loss(random_batch(method, 2, SIZE), progress).backward()
        assert (method.student.head.last.weight.grad is None) == frozen
        assert all(parameter.grad is not None for parameter in method.student.head.mlp.parameters())
        assert all(parameter.grad is not None for parameter in method.student.encoder.parameters())
        assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert make(frozen=0.0).phases == (0.1,)
    assert make(frozen=0.0, teacher_temperature_warmup=0.0).phases == ()


def test_crops_of_one_size_share_an_encoder_call():
    method, calls = make(local_crops=3), []
    for network in (method.student, method.teacher.network):
        network.encoder.register_forward_hook(lambda module, inputs, output: calls.append(tuple(inputs[0].shape[::2])))
        network.head.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method.loss(random_batch(method, 2, SIZE), 0.0)
    assert calls == [(4, SIZE), (6, SIZE // 2), 10, (4, SIZE), 4]


@pytest.mark.parametrize("size", [28, 32, 64, 96, 224])
def test_small_crops_are_whole_patches(size):
    with torch.device("meta"):
        make_encoder, data = factory("vit_micro", size), DatasetInfo(num_images=64, image_size=size)
        method = methods.dino.DINO(make_encoder, data)
    pixels = [view.pixels(data) for view in method.views]
    assert pixels[:2] == [size, size] and pixels[2] % method.student.encoder.patch_size == 0
    assert abs(pixels[2] - size / 2) <= method.student.encoder.patch_size / 2


def test_loss_leaves_state_alone_and_after_step_forgets_the_batch():
    method = make("vit_micro")
    before = copy.deepcopy(method.state_dict())
    method.loss(random_batch(method, 2, SIZE), 0.2)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    method.after_step(0.2)
    assert method.batch_mean is None and not torch.equal(method.centre, before["centre"])


def test_the_teacher_is_evaluated_and_the_student_recorded():
    method = make().eval()
    images = random_batch(method, 3, SIZE).views[0]
    assert torch.equal(method.encode(images), method.teacher.network.encoder(images))
    assert torch.equal(method.encode_also()["student"](images), method.student.encoder(images))
    assert method.weights == "teacher" and not torch.equal(method.encode(images), method.student.encoder(images))
