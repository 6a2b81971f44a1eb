"""The loop: budgets kept, checkpoints bit-exact, divergence noticed, and what it must not know."""

import copy
import itertools
import math
import threading

import pytest
import torch

from bench.compute.flops import count_flops
from bench.compute.randomness import seeded
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.machine.signals import Interrupted
from bench.method import Method
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.divergence import Diverged
from bench.training.trainer import Trainer
from bench.views.ops import Flip, ResizedCrop
from bench.views.view import View

IMAGES, BATCH = 44, 10  # four batches an epoch, four images left over


class Contrast(Method):
    """A small method with a hook, state and randomness: everything that a resume could lose."""

    paper = "none"

    def __init__(self, make_encoder, data, *, noise=0.1):
        super().__init__()
        self.views = (View((ResizedCrop((0.5, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.05, batch_size=BATCH, lr_per_batch=None, warmup=0.2)
        self.encoder = make_encoder(width=0.25)
        self.noise = noise
        self.register_buffer("centre", torch.zeros(self.encoder.dim))

    def loss(self, batch, progress):
        first, second = (self.encoder(view) for view in batch.views)
        jitter = self.noise * batch.randn(first.shape[1])
        return ((first - second.detach() - self.centre + jitter) ** 2).float().mean()

    def before_epoch(self, extract, generator):
        self.centre.copy_(extract(self.encode).mean(0))
        return ()


@pytest.fixture
def source():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return Source(images, None, DatasetInfo(IMAGES, 16), torch.full((3,), 0.5), torch.full((3,), 0.25))


def make(source, budget="12steps", cls=Contrast, seed=0, controls=None):
    with seeded(seed, "init"):
        method = cls(factory("resnet8", 16), source.info)
    spec = RunSpec(
        method="contrast",
        dataset="x",
        budget=Budget.parse(budget),
        seed=seed,
        precision="float32",
        recipe=method.recipe,
        encoder="resnet8",
        image_size=16,
        method_version="1",
        data_revision="x",
    )
    return Trainer(method, source, spec, controls)


def weights(trainer):
    return copy.deepcopy(trainer.method.state_dict())


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_steps_are_exact_and_other_units_never_under(source):
    steps = make(source, "7steps")
    steps.run()
    assert (steps.meter.steps, steps.meter.images, steps.progress) == (7, 70, 1.0)
    images = make(source, "65images")
    images.run()
    assert images.meter.images == 70
    flops = make(source, f"{steps.meter.flops:.0f}flops")
    flops.run()
    assert flops.meter.steps == 7
    seconds = make(source, "0.3s")
    seconds.run()
    assert seconds.meter.seconds >= 0.3


def test_hooks_are_charged_and_run_once_an_epoch(source):
    trainer = make(source, "9steps")
    calls = []
    hook = trainer.before_epoch
    trainer.before_epoch = lambda: (calls.append(trainer.meter.steps), hook())
    trainer.run()
    assert calls == [0, 4, 8]
    images = torch.zeros(IMAGES, 3, 16, 16)
    forward = count_flops(lambda: trainer.method.eval().encode(images))
    assert trainer.meter.flops == 9 * trainer.meter.step_flops["phase 0"] + 3 * forward


def test_features_of_a_hook_are_computed_so_many_images_at_a_time(source):
    trainer, passes = make(source, "1steps"), []
    trainer.images_at_once = 20
    trainer.method.encode = lambda images: (passes.append(len(images)), trainer.method.encoder(images))[1]
    trainer.before_epoch()
    assert passes == [20, 20, 4]


def test_an_epoch_shows_every_image_at_most_once_in_another_order(source):
    trainer = make(source)
    seen = []
    for step in range(8):
        trainer.meter.steps = step
        seen.append(trainer.batch().index.tolist())
    first, second = itertools.chain(*seen[:4]), itertools.chain(*seen[4:])
    first, second = list(first), list(second)
    assert len(set(first)) == len(first) == 40 and len(set(second)) == 40
    assert first != second


@pytest.mark.parametrize("budget", ["12steps", "115images"])
def test_losses_read_several_at_a_time_are_the_same(source, budget):
    """As on a GPU. Epochs are four steps long: the hook, and the end, wait for no full reading."""
    each, several = make(source, budget), make(source, budget)
    several.at_once, seen = 3, []
    several.controls.report = lambda trainer: seen.append(trainer.meter.steps)
    for trainer in (each, several):
        trainer.run()
    assert several.curve == each.curve and several.loss == each.loss and same(weights(each), weights(several))
    assert seen == [3, 4, 7, 8, 11, 12] and len(several.unread) == 0


def test_divergence_is_named_by_its_step_however_late_it_is_read(source):
    class Breaks(Contrast):
        def loss(self, batch, progress):
            return super().loss(batch, progress) * (math.nan if progress >= 0.5 else 1.0)

    trainer = make(source, "12steps", Breaks)
    trainer.at_once = 3
    with pytest.raises(Diverged, match="loss is nan at step 7"):
        trainer.run()
    assert trainer.meter.steps == 7 or trainer.meter.steps == 8


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 11])
def test_resume_is_bit_exact(source, tmp_path, cut):
    whole = make(source)
    whole.run()
    part = make(source, controls=Controls(Checkpoints(tmp_path, "run")))
    part.controls.stop = lambda: part.meter.steps == cut
    with pytest.raises(Interrupted, match="% of the budget"):
        part.run()
    again = Trainer(make(source, seed=1).method, source, part.spec)  # other initial weights: everything must come from the checkpoint
    again.load_state_dict(Checkpoints(tmp_path, "run").load())
    assert again.meter.steps == cut
    again.run()
    assert same(weights(whole), weights(again))
    assert whole.curve.points == again.curve.points
    assert (whole.meter.steps, whole.meter.images, whole.meter.flops) == (again.meter.steps, again.meter.images, again.meter.flops)


def test_a_stop_after_the_last_step_is_the_end_and_no_interruption(source, tmp_path):
    trainer = make(source, "3steps", controls=Controls(Checkpoints(tmp_path, "run"), stop=lambda: trainer.meter.steps == 3))
    trainer.run()
    assert Checkpoints(tmp_path, "run").load()["meter"]["steps"] == 3


def test_the_training_goes_on_while_a_checkpoint_is_written(source, tmp_path, monkeypatch):
    """The one after step 3 is not on disk before step 5 is done; the last one is when the run ends."""
    trainer, go_on, write = make(source, "6steps"), threading.Event(), torch.save
    monkeypatch.setattr("torch.save", lambda *args: (go_on.wait(20), write(*args)))
    trainer.controls = Controls(Checkpoints(tmp_path, "run"), every=1e9)

    def report(trainer):
        trainer.controls.every = 0.0 if trainer.meter.steps == 2 else 1e9
        if trainer.meter.steps == 5:
            assert not trainer.controls.checkpoints.paths()
            go_on.set()

    trainer.controls.report = report
    # Whether one is due is asked before the report of the step, so step 3's is the one.
    trainer.run()
    assert [path.name for path in trainer.controls.checkpoints.paths()] == ["step-000000006.pt", "step-000000003.pt"]


def test_nan_stops_the_run_before_it_is_saved(source, tmp_path):
    class Breaks(Contrast):
        def loss(self, batch, progress):
            return super().loss(batch, progress) * (math.nan if progress >= 0.5 else 1.0)

    trainer = make(source, "12steps", Breaks, controls=Controls(Checkpoints(tmp_path, "run"), every=0.0))
    with pytest.raises(Diverged, match="nan at step 7"):
        trainer.run()
    trainer.controls.checkpoints.settle()
    assert Checkpoints(tmp_path, "run").load()["meter"]["steps"] == 6
    assert all(math.isfinite(loss) for _, loss in trainer.curve.points)


def test_measuring_flops_leaves_the_run_as_it_was(source):
    trainer = make(source)
    before = weights(trainer)
    trainer.measure_step(0.0)
    assert same(before, weights(trainer))
    assert all(parameter.grad is None for parameter in trainer.method.parameters())


def test_set_up_is_recorded_and_not_charged(source):
    trainer = make(source, "2steps")
    trainer.run()
    assert trainer.meter.setup_seconds > 0 and "phase 0" in trainer.meter.step_flops


def test_a_flops_budget_that_would_never_end_is_refused(source):
    class Free(Contrast):
        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.scale = torch.nn.Parameter(torch.ones(()))

        def loss(self, batch, progress):
            return self.scale**2

        def before_epoch(self, extract, generator):
            return ()

    with pytest.raises(ValueError, match="costs no FLOPs"):
        make(source, "1e6flops", Free).run()


def test_a_layer_may_thaw_in_mid_run(source):
    class Thaws(Contrast):
        phases = (0.5,)

        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.head = torch.nn.Linear(self.encoder.dim, 4)

        def loss(self, batch, progress):
            weight = self.head.weight if progress >= 0.5 else self.head.weight.detach()
            return (self.encoder(batch.views[0]) @ weight.T + self.head.bias).square().mean()

    trainer = make(source, "4steps", Thaws)
    trainer.run()
    assert set(trainer.meter.step_flops) == {"phase 0", "phase 1"}
    assert trainer.meter.step_flops["phase 1"] > trainer.meter.step_flops["phase 0"]


def test_views_are_not_counted_as_flops(source):
    class Looks(Contrast):
        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.views = (View((ResizedCrop(),), count=6),)

        def loss(self, batch, progress):
            return self.encoder(batch.views[0]).square().mean()

    class LooksOnce(Looks):
        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.views = (View((ResizedCrop(),)),)

    assert make(source, cls=Looks).measure_step(0.0) == make(source, cls=LooksOnce).measure_step(0.0)


def test_weights_that_the_last_update_broke_are_noticed(source):
    class Overflows(Contrast):
        def after_step(self, progress):
            with torch.no_grad():
                self.centre.fill_(math.inf if progress > 0.6 else 0.0)

    with pytest.raises(Diverged, match="centre is not finite after step 3"):
        make(source, "3steps", Overflows).run()


def test_linear_algebra_that_refuses_what_is_no_number_is_a_divergence_and_what_else_it_refuses_a_failure(source):
    class Decomposes(Contrast):
        broken = math.nan

        def loss(self, batch, progress):
            return super().loss(batch, progress) + 0 * torch.linalg.cholesky(torch.eye(2) * (1 + self.centre[0])).sum()

        def after_step(self, progress):
            with torch.no_grad():
                self.centre.fill_(self.broken if progress > 0.3 else 0.0)

    trainer = make(source, "6steps", Decomposes)
    with pytest.raises(Diverged, match=r"centre is not finite after step [1-5]$"):
        trainer.run()
    assert 0 < trainer.meter.steps < 6
    Decomposes.broken = -5.0
    with pytest.raises(torch.linalg.LinAlgError, match="not positive"):
        make(source, "6steps", Decomposes).run()


def test_a_budget_that_a_hook_used_up_is_saved_too(source, tmp_path):
    trainer = make(source, "4steps")
    trainer.run()
    flops = trainer.meter.flops + 1  # the hook of the second epoch takes it over this
    again = make(source, f"{flops:.0f}flops", controls=Controls(Checkpoints(tmp_path, "run"), every=1e9))
    again.run()
    state = Checkpoints(tmp_path, "run").load()
    assert (state["meter"]["steps"], state["hooked_epoch"]) == (4, 1)
