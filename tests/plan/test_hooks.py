"""What a method does before an epoch, on paper: what fails is refused in one line, what needs numbers is not, and its cost is known."""

import pytest

import methods
from bench.data.catalogue import DataSets
from bench.data.source import load_source
from bench.encoders import factory
from bench.method import Method, build, on_paper
from bench.plan import hook, paper
from bench.plan.complete import complete
from bench.plan.estimate import Rate, setting, steps_of, too_short
from bench.plan.hook import hook_on_paper
from bench.run.build import build_method
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.hook import run_hook
from bench.training.trainer import Trainer
from plan.test_first_step import mine, refused, spec_of

TOO_SMALL = {"colorization", "multi_task"}
"""Digits of 8 pixels have no colours, and no room for two patches of the default tasks, which have no hook anyway."""

HOOKED = [name for name in methods.takers("images") if methods.load(name).before_epoch is not Method.before_epoch and name not in TOO_SMALL]


def run_of(method: str, budget: Budget, **changes):
    """A complete spec on digits, its images, and its method."""
    facts = {"dataset": "digits", "image_size": 8, "encoder": "resnet8", "precision": "float32"}
    trained = {"recipe_changes": {"batch_size": 256}} if methods.load(method).trained else {}
    spec = complete(RunSpec(method=method, budget=budget, **facts, **trained, **changes))
    source, classes = load_source(spec, DataSets(None).require("digits"))
    return spec, source, build_method(spec, source, classes)


def costs_on_paper(method: str, info: DatasetInfo) -> tuple[float, float]:
    costs = hook_on_paper(*on_meta(method, info)).flops
    assert costs is not None
    return costs


def on_meta(method: str, info: DatasetInfo):
    def made():
        return build(methods.load(method), factory.factory("resnet8", info.image_size), info, 10, {})

    with on_paper():
        return made(), info, made


@pytest.mark.parametrize("name", HOOKED)
def test_what_a_hook_costs_on_paper_is_what_it_costs(name):
    spec, source, method = run_of(name, Budget("steps", 10))
    costs = [run_hook(method, source, spec, 0)[0] for _ in range(2)]
    found = hook_on_paper(*on_meta(name, source.info))
    assert found.flops == pytest.approx(costs, rel=1e-6) or (found.flops[0] == pytest.approx(costs[0]) and not method.trained)
    assert (found.bytes > 0) == (found.flops != (0, 0))


@pytest.mark.parametrize(("name", "epochs"), [("deepcluster", 0.5), ("deepcluster_v2", 1.6)])
def test_steps_are_counted_as_the_loop_makes_them(name, epochs):
    spec, source, method = run_of(name, Budget("steps", 10))
    trainer = Trainer(method.train(), source, spec)
    step, costs = trainer.measure_step(0.5), costs_on_paper(name, source.info)
    per_epoch = trainer.batches.steps_per_epoch
    wanted = round(epochs * per_epoch)
    amount = costs[0] + (wanted - 0.1) * step + (costs[1] if wanted > per_epoch else 0)
    spec, source, method = run_of(name, Budget("flops", amount))
    trainer = Trainer(method, source, spec)
    trainer.run()
    assert steps_of(spec, Rate(1.0, step), per_epoch, costs) == trainer.meter.steps == wanted
    assert steps_of(spec, Rate(1.0, step), per_epoch) > wanted
    # Of that run's record, in which the hooks are a part of every step.
    mean = Rate(3.0 / wanted, trainer.meter.flops / wanted, 0.0, wanted)
    assert steps_of(spec, mean, per_epoch, costs) == wanted and mean.without_hooks(costs, per_epoch).flops == pytest.approx(step)


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("extract(self.encodee)", "AttributeError: 'Mine' object has no attribute 'encodee' (mine.py:22)"),
        ("extract(self.encode)[5000]", "IndexError: index 5000 is out of bounds for dimension 0 with size 1295 (mine.py:22)"),
        ("assert extract(self.encode).sum().item() < 0, 'hot'", "AssertionError: hot (mine.py:22)"),
        ("extract(lambda images: self.encode(images)[0])", "TypeError: extract's function returned a tensor of shape"),
        ("raise SystemExit('enough')", "SystemExit: enough (mine.py:22)"),
        ("return 7", "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_failing_hook_of_ones_own_is_told_with_file_and_line(tmp_path, hook, told):
    message = refused(mine(tmp_path, hook=hook))
    assert "fails before an epoch, with resnet8 and images of 8 pixels: " in message and told in message


@pytest.mark.parametrize(
    "hook",
    [
        "rows = extract(self.encode).numpy()",
        "rows = extract(self.encode); assert rows[rows.sum(1) > 0].isfinite().all()",
        # Made of few images they are alike, and their covariance has no inverse; made unlike they have another length.
        "rows = extract(self.encode); torch.linalg.cholesky((rows - rows.mean(0)).T @ (rows - rows.mean(0)) + 1e-9 * torch.eye(64))",
        "rows = extract(lambda images: nn.functional.normalize(self.encode(images))); assert rows.norm(dim=1).sub(1).abs().max() < 1e-4",
        "from bench.parts import kmeans; found = kmeans(extract(self.encode), 100, generator)[1]; assert len(found.unique()) == 100",
        "if not hasattr(self, 'steps'): self.steps = 0\n        else: raise RuntimeError('not without the steps between')",
    ],
)
def test_a_hook_that_needs_numbers_is_not_refused(tmp_path, hook):
    assert complete(spec_of(mine(tmp_path, hook=hook))).complete


def test_features_too_many_to_be_made_up_are_not_held_against_a_hook(tmp_path, monkeypatch):
    monkeypatch.setattr(hook, "TRIED", 1295 * 64 * 4 - 1)
    assert complete(spec_of(mine(tmp_path, hook="assert extract(self.encode).sum().item() < 0"))).complete
    assert "no attribute 'encodee'" in refused(mine(tmp_path, hook="extract(self.encodee)"))
    monkeypatch.setattr(hook, "TRIED", paper.TRIED)
    assert "AssertionError (mine.py:22)" in refused(mine(tmp_path, hook="assert extract(self.encode).sum().item() < 0"))


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("def needed(self, batch_size): return batch_size.steps", "'int' object has no attribute 'steps' (mine.py:24)"),
        ("def chance_loss(self, batch_size): return missing", "NameError: name 'missing' is not defined (mine.py:24)"),
        ("def after_step(self, progress): self.teacher.move()", "object has no attribute 'teacher' (mine.py:24)"),
        ("@classmethod\n    def full_version(cls, hyper_parameters): return hyper_parameters['depth']", "KeyError: 'depth' (mine.py:25)"),
        ("def encode_also(self): return {'head': self.head}", "object has no attribute 'head' (mine.py:24)"),
        ("def needed(self, batch_size): return 100", "TypeError: needed returned 100; expected a tuple of bench.parts.Needed (mine.py:24)"),
    ],
)
def test_every_other_hook_is_tried_too(tmp_path, hook, told):
    file = mine(tmp_path)
    file.write_text(f"{file.read_text()}\n    {hook}\n")
    assert told in refused(file)


def test_a_plan_warns_of_a_budget_that_hooks_leave_too_little_of():
    spec, source, _ = run_of("deepcluster", Budget("flops", 12e9))
    costs = costs_on_paper("deepcluster", source.info)
    rate, enough = Rate(0.5, 2e9), spec.replace(budget=Budget("flops", 12e9 + sum(costs)))
    assert too_short((enough,), DataSets(None), {setting(enough): rate}) == []
    (line,) = too_short((spec,), DataSets(None), {setting(spec): rate})
    assert line == f"{spec.budget} are short for deepcluster: features are clustered a second time after 6 steps, and it has 5"
