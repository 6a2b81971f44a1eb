"""A training's clock: schedules run over what hooks leave of the budget, whatever those cost; where none is charged, over the budget."""

import itertools
import math

import pytest
import torch

import methods
from bench.compute.randomness import seeded
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.method import Method
from bench.plan.complete import check_hyper_parameters
from bench.run.build import of_its_task
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from bench.training.checkpoint import Checkpoints
from bench.training.clock import Clock
from bench.training.controls import Controls
from bench.training.meter import Meter
from bench.training.trainer import Trainer
from bench.views import View

IMAGES, SIZE, BATCH = 64, 16, 8
EPOCH = IMAGES // BATCH


def simulated(amount, epoch, hook_of, step_of):
    """(progress, what steps had spent) of every step of a training whose hooks and steps cost so much, and what all hooks have spent."""
    meter, hooked, seen, hooks = Meter(), -1, [], 0.0
    clock = Clock(meter, Budget("flops", amount), epoch)
    while meter.share(clock.budget) < 1:
        if meter.steps // epoch > hooked:
            hooked = meter.steps // epoch
            cost = hook_of(hooked)
            meter.flops += cost
            hooks += min(cost, amount - meter.flops + cost)
            clock.charge_hook(cost)
            continue
        seen.append((clock.look(hooked), meter.flops - clock.hooks))
        assert clock.progress(hooked) == seen[-1][0], "to look is not to move"
        meter.flops += step_of(meter.steps)
        meter.steps += 1
    assert clock.progress(hooked) == 1
    return seen, hooks


@pytest.mark.parametrize("amount", [1000.0, 1500.0, 1740.0, 2222.0, 10_000.0])
@pytest.mark.parametrize(("epoch", "hook", "step"), [(4, 300.0, 50.0), (7, 5.0, 31.0), (1, 80.0, 10.0), (4, 900.0, 1.0)])
def test_progress_is_the_share_of_what_hooks_leave(amount, epoch, hook, step):
    seen, hooks = simulated(amount, epoch, lambda number: hook, lambda number: step)
    assert seen[0][0] == 0
    assert [now for now, _ in seen] == pytest.approx([spent / (amount - hooks) for _, spent in seen], abs=1e-9)


@pytest.mark.parametrize("amount", [3000.0, 5000.0, 20_000.0])
def test_progress_never_goes_back_whatever_hooks_and_steps_cost(amount):
    """A first hook that is dear, one that is dear later, costs like seconds on a busy computer."""
    noise = torch.rand(1000, generator=torch.Generator().manual_seed(0)).tolist()
    for hook_of, step_of in (
        (lambda number: 500.0 if number == 0 else 20.0, lambda number: 25.0),
        (lambda number: 700.0 if number == 2 else 5.0, lambda number: 25.0),
        (lambda number: 100 * noise[number], lambda number: 10 + 80 * noise[-number]),
    ):
        progress = [now for now, _ in simulated(amount, 8, hook_of, step_of)[0]]
        assert progress[0] == 0 and all(before < after < 1 for before, after in itertools.pairwise(progress))


class Hooked(Method):
    """Notes the progress of every step, beside a hook that encodes all images."""

    phases = (0.5,)

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View(()),)
        self.recipe = Recipe("sgd", lr=0.1, batch_size=BATCH, lr_per_batch=None, warmup=0.25, schedule="linear")
        self.encoder, self.seen = make_encoder(), []

    def loss(self, batch, progress):
        self.seen.append(progress)
        return self.encoder(batch.views[0]).square().mean()

    def before_epoch(self, extract, generator):
        extract(self.encode)
        return ()


class Unhooked(Hooked):
    before_epoch = Method.before_epoch


def make(cls, budget, controls=None, **hyper_parameters):
    """A training of 64 images, eight steps an epoch."""
    images = torch.randint(0, 256, (IMAGES, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Source(images, None, DatasetInfo(IMAGES, SIZE), torch.full((3,), 0.5), torch.full((3,), 0.25))
    with seeded(0, "init"):
        method = cls(factory("resnet8", SIZE), source.info, **hyper_parameters)
    recipe = Recipe(**{**vars(method.recipe), "batch_size": BATCH})
    spec = RunSpec(method="hooked", dataset="x", budget=budget, precision="float32", recipe=recipe, encoder="resnet8", image_size=SIZE,
                   method_version="1", data_revision="x")  # fmt: skip
    return Trainer(method, source, spec, controls)


def noted(trainer):
    """Progress and learning rate of every step, as they are used."""
    found, step = [], trainer.step

    def noting(method, optimizer, batch, progress):
        loss = step(method, optimizer, batch, progress)
        found.append((progress, optimizer.param_groups[0]["lr"], len(trainer.meter.step_flops)))
        return loss

    trainer.step = noting
    return found


def hooks_of(cls):
    """FLOPs of a hook and of a step."""
    trainer = make(cls, Budget("steps", 1))
    trainer.run()
    (step,) = trainer.meter.step_flops.values()
    return trainer.meter.flops - step, step


def test_the_first_step_is_the_first_of_the_warm_up_however_dear_the_hook():
    hook, step = hooks_of(Hooked)
    trainer = make(Hooked, Budget("flops", 3 * hook + 20 * step))  # twice eight steps, and four more
    found = noted(trainer)
    trainer.run()
    assert trainer.meter.steps == 20
    assert [now for now, *_ in found] == pytest.approx([number / 20 for number in range(20)], abs=1e-9)
    assert found[0][1] == pytest.approx(0.01 * 0.1) and found[5][1] == pytest.approx(0.1) and found[-1][1] == pytest.approx(0.1 / 15)
    assert [kinds for *_, kinds in found] == [1] * 10 + [2] * 10, "the phase begins half-way through the steps"
    assert trainer.curve.points[0][0] == pytest.approx((hook + step) / (3 * hook + 20 * step))


@pytest.mark.parametrize(("cls", "unit"), [(Unhooked, "flops"), (Unhooked, "images"), (Hooked, "steps"), (Hooked, "images")])
def test_where_no_hook_is_charged_progress_is_the_share_of_the_budget_bit_for_bit(cls, unit):
    _, step = hooks_of(Unhooked)
    amount = {"flops": 13.7 * step, "images": 111, "steps": 13}[unit]
    trainer, spent = make(cls, Budget(unit, amount)), {"flops": step, "images": BATCH, "steps": 1}[unit]
    found = noted(trainer)
    trainer.run()
    assert [now for now, *_ in found] == [number * spent / amount for number in range(len(found))]


def test_seconds_of_hooks_are_left_out_too(monkeypatch):
    """A clock that ticks at every look: of a hook of five seconds and steps of one."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(Meter, "now", lambda self: float(next(ticks)))

    class Slow(Hooked):
        def before_epoch(self, extract, generator):
            for _ in range(4):
                next(ticks)
            return ()

    trainer = make(Slow, Budget("seconds", 5 + 8 + 5 + 4))
    found = noted(trainer)
    trainer.run()
    assert [now for now, *_ in found] == pytest.approx([number / 12 for number in range(12)])
    plain = make(Unhooked, Budget("seconds", 7))
    found = noted(plain)
    plain.run()
    assert found[0][0] == pytest.approx(1 / 7) and len(found) == 6, "what is no hook is not left out"


def test_progress_is_the_same_after_a_resume(tmp_path):
    """At every step, the last of an epoch too, with hooks that do not cost the same."""

    class Uneven(Hooked):
        def before_epoch(self, extract, generator):
            extract(self.encode, int(torch.randint(8, IMAGES, (), generator=generator)))
            return ()

    hook, step = hooks_of(Hooked)
    budget = Budget("flops", 2 * hook + 19 * step)
    whole = make(Uneven, budget)
    found = noted(whole)
    whole.run()
    for stop in (1, EPOCH, EPOCH + 3):
        controls = Controls(checkpoints=Checkpoints(tmp_path / str(stop), "r"))
        first = make(Uneven, budget, controls)
        controls.stop = lambda meter=first.meter, stop=stop: meter.steps == stop
        before = noted(first)
        with pytest.raises(Exception, match="stopped at"):
            first.run()
        again = make(Uneven, budget)
        again.load_state_dict(controls.checkpoints.load())
        after = noted(again)
        again.run()
        assert [row[:2] for row in before + after] == [row[:2] for row in found]


def test_a_checkpoint_of_before_there_was_a_clock_goes_on():
    state = make(Unhooked, Budget("steps", 3)).state_dict()
    assert state.pop("clock")
    trainer = make(Unhooked, Budget("steps", 3))
    trainer.load_state_dict(state)
    trainer.run()
    assert trainer.meter.steps == 3
    with pytest.raises(KeyError):
        trainer.clock.load_state_dict({"hooks": 1.0})


def test_a_hook_that_takes_the_whole_budget_leaves_no_step_and_is_said():
    """Such a run is done, its encoder untrained: whether or not the method needs anything else of its budget."""
    trainer = make(Hooked, Budget("flops", 1.0))
    assert of_its_task(trainer.method, trainer.spec, trainer.meter)["short_of"] == (), "nothing is spent yet, as of a run that failed"
    trainer.run()
    assert trainer.meter.steps == 0
    (told,) = of_its_task(trainer.method, trainer.spec, trainer.meter)["short_of"]
    assert told == "no step was made, since what comes before an epoch took the whole budget"


@pytest.mark.parametrize("name", ["pcl", "deepcluster", "deepcluster_v2", "colorization"])
def test_methods_with_a_charged_hook_begin_at_progress_zero(name):
    cls = methods.load(name)
    given = {"deepcluster_v2": {"images_per_cluster": 8, "local_crops": 0}}.get(name, {"images_per_cluster": 8})
    values = check_hyper_parameters(name, cls, {} if name == "colorization" else given)
    one = make(cls, Budget("steps", 1), **values)
    one.run()
    (step,) = one.meter.step_flops.values()
    hook = one.meter.flops - step
    assert hook > 0
    trainer = make(cls, Budget("flops", hook + 4 * step), **values)
    found = noted(trainer)
    trainer.run()
    assert math.isclose(found[0][0], 0) and [now for now, *_ in found[:4]] == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.02)
