"""Captured steps. What a CUDA graph plays is played on the CPU by a stand-in that keeps a graph's rules: the function is not told what
changed, and all that it gives lies where it lay first. Nothing may come out otherwise than step by step.
"""

import itertools
import warnings

import pytest
import torch

import methods
from bench.compute.randomness import Draws, generator, seeded
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.method import Method
from bench.plan.complete import check_hyper_parameters
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from bench.training.cuda_graph import StepGenerators
from bench.training.meter import Meter
from bench.training.trainer import Trainer
from bench.views.ops import Flip, ResizedCrop
from bench.views.view import View

IMAGES, BATCH, STEPS = 44, 16, 7


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        return [value.detach()]
    return [tensor for part in value for tensor in tensors_in(part)] if isinstance(value, list | tuple) else []


class StandIn:
    """In place of bench.training.cuda_graph.cuda_graph."""

    def __init__(self, method):
        self.method, self.captures = method, 0

    def outputs(self, before):
        left = [v for m, names in before.items() for name, v in vars(m).items() if name not in names or names[name] is not v]
        return tensors_in(left) + [p.grad for p in self.method.parameters() if p.grad is not None]

    def __call__(self, function, generators):
        self.captures += 1
        before = {module: dict(vars(module)) for module in self.method.modules()}
        result = function()
        kept = [result, *self.outputs(before)]

        def play():
            again = [function(), *self.outputs(before)]
            for old, new in zip(kept, again, strict=True):
                old.copy_(new)

        return play, result


def trainer(cls, hyper_parameters=None, *, labels=False, steps=STEPS, captured=True):
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=random)
    info = DatasetInfo(IMAGES, 32, mean=(0.5,) * 3, std=(0.25,) * 3)
    source = Source(images, torch.arange(IMAGES) % 4 if labels else None, info, torch.full((3,), 0.5), torch.full((3,), 0.25))
    with seeded(0, "init"):
        method = cls(factory("resnet8", 32), info, *([4] if labels else []), **(hyper_parameters or {}))
    facts = {"precision": "float32", "encoder": "resnet8", "image_size": 32, "method_version": "1", "data_revision": "x"}
    recipe = method.recipe.__class__(**{**vars(method.recipe), "batch_size": BATCH})
    made = Trainer(method, source, RunSpec(method="x", dataset="x", budget=Budget("steps", steps), seed=0, recipe=recipe, **facts))
    if captured:
        made.captured_steps.capture = StandIn(method)
    return made


def require_equal(one, other):
    """Every number of two finished runs."""
    states = one.method.state_dict(), other.method.state_dict()
    assert [name for name in states[0] if not torch.equal(states[0][name], states[1][name])] == []
    assert one.curve == other.curve and one.meter.flops == other.meter.flops


# One that hands nothing on, one with a queue, a memory, a centre and two phases, prototypes, assignments of a hook, and labels.
EVERY_KIND = {
    "simclr": {},
    "moco": {"queue": 32, "bn_groups": 2},
    "npid": {},
    "dino": {"outputs": 64, "frozen": 0.3, "teacher_temperature_warmup": 0.0},
    "swav": {"prototypes": 16, "queue": 32, "queue_from": 0.5, "frozen": 0.2},
    "deepcluster": {"images_per_cluster": 11, "pca": 8},
    "supervised": {},
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("swav", "dino"))) for name in EVERY_KIND])
def test_played_steps_are_the_steps(name):
    cls = methods.load(name)
    settings = check_hyper_parameters(name, cls, EVERY_KIND[name])
    made = [trainer(cls, settings, labels=cls.uses_labels, captured=captured) for captured in (False, True)]
    for one in made:
        one.run()
    require_equal(*made)
    assert made[1].captured_steps.capture.captures == 1 + len(made[1].method.phases)
    assert made[1].captured_steps.captured is not None


class Plain(Method):
    """Two views agree, with noise."""

    paper = "none"
    strength, phases = 1.0, ()

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View((ResizedCrop((0.5, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.05, batch_size=BATCH)
        self.encoder = make_encoder(width=0.25)
        self.register_buffer("centre", torch.zeros(self.encoder.dim))

    def weight(self, progress):
        return 1.0

    def loss(self, batch, progress):
        first, second = (self.encoder(view) for view in batch.views)
        return self.weight(progress) * (first - second - self.centre + 0.1 * batch.randn(first.shape[1])).square().mean()


class Scheduled(Plain):
    def weight(self, progress):
        return 1.0 + progress


class ScheduledGradient(Plain):
    """The loss says nothing of it."""

    def loss(self, batch, progress):
        loss = super().loss(batch, progress)
        return loss.detach() + progress * (loss - loss.detach())


class Moving(Plain):
    """Its hook puts a new tensor in the place of the old one."""

    def before_epoch(self, extract, generator):
        self.centre = extract(self.encode).mean(0)
        return ()


@pytest.mark.parametrize("cls", [Scheduled, ScheduledGradient])
def test_a_schedule_within_a_phase_is_not_captured(cls):
    made = [trainer(cls, captured=captured) for captured in (False, True)]
    made[0].run()
    with pytest.warns(UserWarning, match="x seed 0: its steps are not recorded as a CUDA graph, and take longer: its .* within a phase"):
        made[1].run()
    require_equal(*made)
    assert made[1].captured_steps.capture.captures == 1, "the same capture was tried again"


def test_what_cannot_be_captured_is_made_step_by_step():
    made = [trainer(Plain, captured=False) for _ in range(2)]

    def refuse(function, generators):
        function()
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be ...")

    made[1].captured_steps.capture = refuse
    made[0].run()
    with pytest.warns(UserWarning, match="take longer: operation not permitted when stream is capturing$"):
        made[1].run()
    require_equal(*made)


def test_state_that_moves_is_captured_again():
    made = [trainer(Moving, captured=captured) for captured in (False, True)]
    for one in made:
        one.run()
    require_equal(*made)
    assert made[1].captured_steps.capture.captures == -(-STEPS // (IMAGES // BATCH))


def test_a_capture_leaves_no_trace():
    made = trainer(methods.load("moco"), {"queue": 32, "bn_groups": 2})
    state = {name: value.clone() for name, value in made.method.state_dict().items()}
    attributes = dict(vars(made.method))
    made.method.train()
    assert made.captured_steps.make(0, 0.0) is not None
    assert all(torch.equal(value, state[name]) for name, value in made.method.state_dict().items())
    assert vars(made.method) == attributes and made.method.new_keys is None
    assert all(parameter.grad is None for parameter in made.method.parameters())


def test_a_capture_is_off_the_clock_and_every_step_on_it(monkeypatch):
    clock, made = itertools.count(), [trainer(Plain, captured=captured) for captured in (False, True)]
    monkeypatch.setattr(Meter, "now", lambda meter: next(clock))
    for one in made:
        one.at_once = 3
        one.run()
    assert made[0].meter.seconds == made[1].meter.seconds
    assert made[1].meter.setup_seconds > 0


def test_generators_of_a_step_are_those_of_any_step():
    def draw(step, take):
        draws = Draws(3, "view", step, 1, total=5, take=take)
        of_no_image = draws.permutation(4), draws.shared_randn(3)
        return torch.cat([draws.rand(2).flatten(), draws.randn(), *of_no_image, Draws(3, "loss", step, total=5, take=take).rand()])

    kept = StepGenerators()
    draw(0, kept.take)
    for step in (0, 7, 7, 2):
        kept.seed(step)
        assert torch.equal(draw(step, kept.take), draw(step, generator))
    assert len(kept.kept) == 5
    for one, other in itertools.combinations(kept.kept.values(), 2):
        assert one.initial_seed() != other.initial_seed()


def test_nothing_is_captured_on_a_cpu():
    made = trainer(Plain, captured=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.run()
    assert made.captured_steps.capture is None and made.captured_steps.captured is None
