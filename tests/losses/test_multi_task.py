"""Several tasks on one trunk: its loss is the tasks' own, its state holds the trunk once, its hooks are the tasks'."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

import methods
from bench.compute.randomness import Draws, seeded
from bench.conformance.case import Case
from bench.conformance.state import same_bits
from bench.encoders.factory import factory
from bench.errors import UserError
from bench.method import Batch, Method
from bench.parts.teachers import Teacher
from bench.plan.complete import complete
from bench.settings import read
from bench.spec import Budget, DatasetInfo, Group, Recipe, RunSpec
from bench.training.optim import build_optimizer
from bench.views.view import View
from loss_cases import narrow

SIZE, IMAGES = 16, 12


def make(*, encoder="resnet8", seed=0, size=SIZE, channels=3, **hyper_parameters):
    """The method on a narrow encoder, in training mode."""
    make_encoder = narrow(encoder, size)
    with seeded("weights", seed):
        data = DatasetInfo(IMAGES, size, channels=channels)
        return methods.load("multi_task")(make_encoder, data, **hyper_parameters).train()


def make_batch(method, key=0):
    count = sum(view.count for view in method.views)
    source = Draws("images", key, total=4)
    return Batch(tuple(source.randn(3, SIZE, SIZE) for _ in range(count)), torch.arange(4), Draws("loss", key, total=4))


def add_task(monkeypatch, name, cls):
    """Make `cls` a method of the folder, for a test."""
    known, load = methods.names(), methods.load
    monkeypatch.setattr(methods, "names", lambda: sorted([*known, name]))
    monkeypatch.setattr(methods, "load", lambda method: cls if method == name else load(method))


class Hooked(Method):
    """A task that does everything a method may, with its encoder inside another module."""

    paper = "none"
    phases = (0.25, 0.75)

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View(()), View((), count=2))
        self.recipe = Recipe("adamw", lr=1e-3, groups=(Group("inner.encoder.stem", 0.5), Group("inner.head", schedule="constant")))
        self.inner = nn.Module()
        self.inner.encoder = make_encoder()
        self.inner.head = nn.Linear(self.inner.encoder.dim, 2)
        self.teacher = Teacher(self.inner.encoder)
        self.register_buffer("seen", torch.zeros(2))
        self.cleared = ("inner.head", "inner.encoder.layers")

    def loss(self, batch, progress):
        return (self.inner.head(self.inner.encoder(batch.views[2])) * batch.randn(2)).mean() * (1 + progress)

    def after_step(self, progress):
        self.seen[0] += progress
        self.teacher.follow(self.inner.encoder, 0.9)

    def before_epoch(self, extract, generator):
        self.seen[1] += torch.rand((), generator=generator)
        return self.cleared


@pytest.mark.parametrize(
    ("tasks", "weights"), [("rotation,npid", "1,0.5"), ("simclr, rotation", ""), ("dino,denoising_ae,byol", "2,3,0.1"), ("npid", "7")]
)
def test_loss_is_the_weighted_sum_of_the_tasks_losses(tasks, weights):
    method = make(tasks=tasks, weights=weights)
    batch, twin, total, start = make_batch(method), copy.deepcopy(method), 0.0, 0
    draws = Draws("loss", 0, total=4)
    numbers = [float(number) for number in weights.split(",")] if weights else [1.0] * len(method.tasks)
    for task, number in zip(twin.tasks, numbers, strict=True):
        stop = start + sum(view.count for view in task.views)
        own = Batch(batch.views[start:stop], batch.index, draws)
        total, start = total + number * task.loss(own, 0.3).item(), stop
    assert start == len(batch.views) and method.views == tuple(view for task in method.tasks for view in task.views)
    assert method.loss(batch, 0.3).item() == pytest.approx(total, rel=1e-6)


def test_a_task_is_what_it_is_alone():
    """Its loss and gradient on the trunk are those of the method by itself, with the same weights."""
    method = make(tasks="rotation,npid", weights="1,2")
    batch = make_batch(method)
    data, make_encoder = DatasetInfo(IMAGES, SIZE), factory("resnet8", SIZE)
    losses, gradients = [], 0
    for number, name in enumerate(("rotation", "npid")):
        alone = methods.load(name)(lambda: make_encoder(width=0.25), data).train()
        state = {f"encoder.{key}": value for key, value in method.encoder.state_dict().items()}
        alone.load_state_dict(state | method.tasks[number].state_dict())
        # Both are on the trunk's statistics of the batch at hand, so an earlier task changes nothing for a later one.
        loss = (1, 2)[number] * alone.loss(dataclasses.replace(batch, views=batch.views[number : number + 1]), 0.0)
        loss.backward()
        losses.append(loss.item())
        gradients = gradients + alone.encoder.stem[0].weight.grad
    loss = method.loss(batch, 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(sum(losses), rel=1e-6)
    torch.testing.assert_close(method.encoder.stem[0].weight.grad, gradients)


def test_a_task_of_one_channel_gives_it_to_each_of_the_trunks_three():
    """A convolution of three equal channels is one of the sum of its weights."""
    method = make(tasks="rotation,colorization", weights="2")
    batch, data, make_encoder = make_batch(method), DatasetInfo(IMAGES, SIZE), factory("resnet8", SIZE)
    alone = methods.load("colorization")(lambda in_channels: make_encoder(in_channels, width=0.25), data).train()
    state = {f"encoder.{key}": value for key, value in method.encoder.state_dict().items()}
    state["encoder.stem.0.weight"] = state["encoder.stem.0.weight"].sum(1, keepdim=True)
    alone.load_state_dict(state | {key: value for key, value in method.tasks[1].state_dict().items() if not key.startswith("encoder")})
    rotation = 2 * copy.deepcopy(method).tasks[0].loss(dataclasses.replace(batch, views=batch.views[:1]), 0.0)
    colour = alone.loss(dataclasses.replace(batch, views=batch.views[1:]), 0.0)
    assert method.loss(batch, 0.0).item() == pytest.approx((rotation + colour).item(), rel=1e-5)
    colour.backward()
    method.tasks[1].loss(dataclasses.replace(batch, views=batch.views[1:]), 0.0).backward()
    torch.testing.assert_close(method.encoder.stem[0].weight.grad, alone.encoder.stem[0].weight.grad.expand(-1, 3, -1, -1))


def test_the_tasks_are_the_papers_where_none_are_named_and_of_grey_images_those_that_there_are():
    named = [[type(task).__name__ for task in make(size=32, channels=channels).tasks] for channels in (3, 1)]
    assert named == [["RelativePatch", "Exemplar", "Colorization"], ["RelativePatch", "Exemplar"]]
    assert "+colorization" in methods.version("multi_task", methods.load("multi_task"), {"tasks": "", "weights": ""})


@pytest.mark.parametrize(
    ("tasks", "sees"), [("rotation,npid", True), ("rotation,jigsaw", False), ("rotation,colorization", False)], ids=str
)
def test_statistics_are_of_what_every_task_shows_the_trunk(tasks, sees):
    """They are taken anew on whole images in colour where a task shows it patches, or lightness alone."""
    assert make(tasks=tasks).sees_whole_images is sees


@pytest.mark.parametrize(("weights", "expected"), [("", (1, 1)), ("3", (3, 1)), ("3,2", (3, 2))])
def test_one_weight_is_of_the_first_task(weights, expected):
    assert make(tasks="rotation,npid", weights=weights).task_weights == expected


@pytest.mark.parametrize("tasks", ["rotation,npid", "simclr,byol,rotation", "dino,rotation", "colorization,rotation"])
def test_the_trunk_is_in_the_state_once(tasks):
    method = make(tasks=tasks)
    stem = [name for name, value in method.state_dict(keep_vars=True).items() if value is method.encoder.stem[0].weight]
    assert stem == ["encoder.stem.0.weight"]
    trained = [id(p) for group in build_optimizer(method, method.recipe).param_groups for p in group["params"]]
    assert len(trained) == len(set(trained)) and set(map(id, method.encoder.parameters())) <= set(trained)
    assert {name for name, _ in method.named_parameters()} <= set(method.state_dict())
    images = torch.randn(2, 3, SIZE, SIZE)
    assert torch.equal(method.eval().encode(images), method.encoder(images))
    # Teachers are copies, in the state and following the trunk.
    copies = sum("teacher" in name and name.endswith("stem.0.weight") for name in method.state_dict())
    assert copies == sum(name in tasks for name in ("byol", "dino"))
    other = make(tasks=tasks, seed=1)
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.train().loss(make_batch(other), 0.0), method.train().loss(make_batch(method), 0.0))


def test_a_state_without_the_trunk_is_refused():
    method = make(tasks="rotation,npid")
    for lost in ("encoder.stem.0.weight", "tasks.0.classifier.weight"):
        state = method.state_dict()
        del state[lost]
        with pytest.raises(RuntimeError, match=lost):
            method.load_state_dict(state)


def test_a_copy_has_a_trunk_of_its_own():
    method = make(tasks="rotation,npid")
    twin = copy.deepcopy(method)
    assert twin.tasks[0].encoder is twin.tasks[1].encoder is twin.encoder is not method.encoder


def test_hooks_phases_and_groups_are_forwarded(monkeypatch):
    add_task(monkeypatch, "hooked", Hooked)
    method = make(tasks="dino,hooked")
    assert method.phases == (0.01, 0.1, 0.25, 0.75)
    trunk, teacher = method.encoder.stem[0].weight, method.tasks[1].teacher.network.stem[0].weight
    assert method.before_epoch(None, torch.Generator().manual_seed(0)) == ("tasks.1.inner.head", "encoder.layers")
    assert method.tasks[1].seen[1] == torch.rand((), generator=torch.Generator().manual_seed(0))
    method.loss(make_batch(method), 0.5)
    with torch.no_grad():
        trunk.add_(1)
    before = teacher.clone()
    method.after_step(0.5)
    assert method.tasks[1].seen[0] == 0.5
    torch.testing.assert_close(teacher, 0.9 * before + 0.1 * trunk)
    assert [(group.prefix, group.lr_scale, group.schedule) for group in method.recipe.groups] == [
        ("encoder.stem", 0.5, None),
        ("tasks.1.inner.head", 1.0, "constant"),
    ]
    build_optimizer(method, method.recipe)
    assert method.recipe == dataclasses.replace(method.tasks[0].recipe, groups=method.recipe.groups)


@pytest.mark.parametrize("prefix", ["encoder", "encoder.network"])
def test_the_trunk_has_its_names_for_a_task_of_one_channel_too(prefix):
    method = make(tasks="rotation,colorization")
    assert method.names_here(1, f"{prefix}.stem") == ("encoder.stem",) and method.names_here(1, prefix) == ("encoder",)
    assert method.names_here(1, "head") == ("tasks.1.head",)


def test_a_prefix_that_covers_the_trunk_covers_it_here(monkeypatch):
    add_task(monkeypatch, "hooked", Hooked)
    method = make(tasks="rotation,hooked")
    method.tasks[1].cleared = ("inner",)
    assert method.before_epoch(None, torch.Generator()) == ("tasks.1.inner", "encoder")


def test_training_moves_every_task_and_the_trunk():
    case = Case(methods.load("multi_task"))
    start, end = case.build().state_dict(), case.undisturbed.state
    for name in ("encoder.stem.0.weight", "tasks.0.classifier.0.weight", "tasks.1.classifier.weight"):
        assert not same_bits(start[name], end[name])


@pytest.mark.parametrize(
    ("hyper_parameters", "message"),
    [
        ({"tasks": "rotation,supervised"}, "supervised cannot be a task: it is given labels"),
        ({"tasks": "rotation,random"}, "random cannot be a task: it is not trained"),
        ({"tasks": "rotation,multi_task"}, "multi_task cannot be a task of itself"),
        ({"tasks": "moco,rotation"}, "moco cannot be a task: it asks for in_channels=3, width=1.0, bn_groups=8"),
        ({"tasks": "rotation,rotation"}, "different methods"),
        ({"tasks": " , "}, "different methods"),
        ({"tasks": "./mine.py"}, "a file of your own"),
        ({"weights": "1,1,1"}, "for each of the 2 tasks, or for the first, as '1,0.5', not '1,1,1'"),
        ({"weights": "1,0"}, "above 0"),
        ({"weights": "1,nan"}, "above 0"),
        ({"weights": "1,much"}, "not '1,much'"),
    ],
    ids=str,
)
def test_what_cannot_be_combined_is_refused(hyper_parameters, message):
    spec = RunSpec(method="multi_task", dataset="mnist5k", budget=Budget("steps", 1), hyper_parameters=hyper_parameters)
    with pytest.raises(UserError, match="multi_task cannot be built") as refused:
        complete(spec)
    assert message in str(refused.value)


def test_an_unknown_task_is_told_the_nearest_name():
    spec = RunSpec(method="multi_task", dataset="mnist5k", budget=Budget("steps", 1), hyper_parameters={"tasks": "rotatoin,npid"})
    with pytest.raises(UserError, match="Did you mean 'rotation'"):
        complete(spec)


def test_tasks_whose_needs_an_encoder_does_not_meet_are_refused(monkeypatch):
    monkeypatch.setattr(Hooked, "needs", "tokens")
    add_task(monkeypatch, "hooked", Hooked)
    make(encoder="vit_micro", tasks="rotation,hooked")
    with pytest.raises(ValueError, match="hooked needs the tokens of a ViT"):
        make(tasks="rotation,hooked")


def test_a_task_that_asks_for_other_encoders_is_refused(monkeypatch):
    class Two(Hooked):
        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.other = make_encoder()

    add_task(monkeypatch, "hooked", Two)
    with pytest.raises(ValueError, match="hooked cannot be a task: it asks for a second one"):
        make(tasks="rotation,hooked")
    with pytest.raises(ValueError, match=r"split_brain cannot be a task: it asks for in_channels=1, width=0\.5"):
        make(tasks="rotation,split_brain")


def test_tasks_and_weights_can_be_typed():
    assert read(("tasks=rotation,simclr", "weights=1,0.5"))[0] == {"tasks": "rotation,simclr", "weights": "1,0.5"}
    with pytest.raises(UserError, match=r"recipe\.lr takes a finite number"):
        read(("recipe.lr=0.9,0.99",))


def test_a_tasks_version_is_part_of_its_own(monkeypatch):
    """Else records of another rotation would go on as current ones."""
    told = methods.version("multi_task", methods.load("multi_task"), {"tasks": "simclr, rotation", "weights": ""})
    assert told == "1+rotation1+simclr1"
    monkeypatch.setattr(methods.load("rotation"), "version", 2)
    assert methods.version("multi_task", methods.load("multi_task"), {"tasks": "rotation,simclr", "weights": ""}) == "1+rotation2+simclr1"
